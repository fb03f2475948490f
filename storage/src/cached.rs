//! People, with HTTP sessions remembered for a minute where all gateways look before they ask the
//! database. The database stays the truth: a cache that is emptied signs nobody out.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    at::Ms,
    cluster::Cache,
    ids::{CampaignId, PersonId, SessionId},
    people::{Contact, HttpSession, Link, Person, Who},
    ports::{People, PeopleError, Unavailable},
};

/// How long a session is remembered: whoever was signed out where the cache was not reached is known
/// for so long at most.
const REMEMBERED: Ms = Ms(60_000);

/// See the module.
pub struct CachedPeople {
    people: Arc<dyn People>,
    cache: Arc<dyn Cache>,
}

impl CachedPeople {
    pub fn new(people: Arc<dyn People>, cache: Arc<dyn Cache>) -> Self {
        Self { people, cache }
    }

    /// What is remembered, unless all sessions of its person were ended since.
    async fn remembered(&self, token_sha256: &str) -> Option<HttpSession> {
        let known = self.cache.get(&of_token(token_sha256)).await?;
        let session: HttpSession = serde_json::from_slice(&known).ok()?;
        self.cache.get(&of_ended(session.who)).await.is_none().then_some(session)
    }

    async fn remember(&self, session: &HttpSession) {
        let value = serde_json::to_vec(session).expect("sessions are plain data");
        self.cache.put(&of_token(&session.token_sha256), value.into(), REMEMBERED).await;
    }

    /// No session of `who` that is remembered now is believed.
    async fn end_all(&self, who: Who) {
        self.cache.put(&of_ended(who), Bytes::from_static(b"1"), REMEMBERED).await;
    }
}

fn of_token(token_sha256: &str) -> String {
    format!("session.{token_sha256}")
}

fn of_ended(who: Who) -> String {
    match who {
        Who::Person(id, _) => format!("ended.person.{id}"),
        Who::Candidate(id) => format!("ended.candidate.{id}"),
        Who::Viewer(id) => format!("ended.viewer.{id}"),
    }
}

#[async_trait]
impl People for CachedPeople {
    async fn add_person(&self, person: Person) -> Result<(), PeopleError> {
        self.people.add_person(person).await
    }

    async fn save_person(&self, person: Person) -> Result<(), PeopleError> {
        self.people.save_person(person).await
    }

    async fn person(&self, id: PersonId) -> Result<Option<Person>, Unavailable> {
        self.people.person(id).await
    }

    async fn person_by_email(&self, email: &str) -> Result<Option<Person>, Unavailable> {
        self.people.person_by_email(email).await
    }

    async fn persons(&self) -> Result<Vec<Person>, Unavailable> {
        self.people.persons().await
    }

    async fn administrators(&self) -> Result<u64, Unavailable> {
        self.people.administrators().await
    }

    async fn save_contact(&self, contact: Contact) -> Result<(), PeopleError> {
        self.people.save_contact(contact).await
    }

    async fn contact(&self, session: SessionId) -> Result<Option<Contact>, Unavailable> {
        self.people.contact(session).await
    }

    async fn contacts(&self, campaign: CampaignId) -> Result<Vec<Contact>, Unavailable> {
        self.people.contacts(campaign).await
    }

    async fn contacts_of(&self, sessions: &[SessionId]) -> Result<Vec<Contact>, Unavailable> {
        self.people.contacts_of(sessions).await
    }

    async fn save_link(&self, link: Link) -> Result<(), Unavailable> {
        self.people.save_link(link).await
    }

    async fn link(&self, code: &str) -> Result<Option<Link>, Unavailable> {
        self.people.link(code).await
    }

    async fn links(&self, campaign: CampaignId) -> Result<Vec<Link>, Unavailable> {
        self.people.links(campaign).await
    }

    async fn save_http_session(&self, session: HttpSession) -> Result<(), Unavailable> {
        self.people.save_http_session(session.clone()).await?;
        self.remember(&session).await;
        Ok(())
    }

    async fn http_session(&self, token_sha256: &str) -> Result<Option<HttpSession>, Unavailable> {
        if let Some(known) = self.remembered(token_sha256).await {
            return Ok(Some(known));
        }
        let found = self.people.http_session(token_sha256).await?;
        if let Some(session) = &found {
            self.remember(session).await;
        }
        Ok(found)
    }

    async fn end_http_session(&self, token_sha256: &str) -> Result<(), Unavailable> {
        self.people.end_http_session(token_sha256).await?;
        self.cache.forget(&of_token(token_sha256)).await;
        Ok(())
    }

    async fn sign_out_everywhere(&self, who: Who) -> Result<(), Unavailable> {
        self.people.sign_out_everywhere(who).await?;
        self.end_all(who).await;
        Ok(())
    }

    async fn erase_contact(&self, session: SessionId) -> Result<(), Unavailable> {
        self.people.erase_contact(session).await?;
        self.end_all(Who::Candidate(session)).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use domain::at::At;

    use super::*;
    use crate::{cache::LocalCache, memory::Memory};

    const CANDIDATE: Who = Who::Candidate(SessionId::from_u128(1));

    fn session(token: &str) -> HttpSession {
        HttpSession {
            token_sha256: token.to_owned(),
            who: CANDIDATE,
            created_at: At(1),
            seen_at: At(1),
        }
    }

    /// Two gateways that share a cache, and the database behind them.
    fn gateways() -> (CachedPeople, CachedPeople, Arc<Memory>) {
        let (memory, cache) = (Arc::new(Memory::new()), Arc::new(LocalCache::default()));
        let gateway = || {
            let people = Arc::clone(&memory) as Arc<dyn People>;
            CachedPeople::new(people, Arc::clone(&cache) as Arc<dyn Cache>)
        };
        (gateway(), gateway(), memory)
    }

    #[tokio::test]
    async fn who_signs_out_at_one_gateway_is_nobody_at_the_other() {
        let (one, other, _) = gateways();
        one.save_http_session(session("a")).await.unwrap();
        assert_eq!(other.http_session("a").await.unwrap(), Some(session("a")));
        one.end_http_session("a").await.unwrap();
        assert_eq!(other.http_session("a").await.unwrap(), None);
    }

    #[tokio::test]
    async fn all_sessions_of_somebody_end_at_once_and_a_new_one_is_good() {
        let (one, other, _) = gateways();
        for token in ["a", "b"] {
            one.save_http_session(session(token)).await.unwrap();
        }
        other.sign_out_everywhere(CANDIDATE).await.unwrap();
        for token in ["a", "b"] {
            assert_eq!(one.http_session(token).await.unwrap(), None);
        }
        one.save_http_session(session("c")).await.unwrap();
        assert_eq!(other.http_session("c").await.unwrap(), Some(session("c")));
    }

    #[tokio::test]
    async fn the_database_is_not_asked_again_for_a_minute() {
        let (one, other, memory) = gateways();
        one.save_http_session(session("a")).await.unwrap();
        memory.end_http_session("a").await.unwrap();
        assert_eq!(other.http_session("a").await.unwrap(), Some(session("a")));
    }
}
