//! People: accounts, contacts, links and who is signed in.

use std::collections::HashMap;

use async_trait::async_trait;
use domain::{
    ids::{CampaignId, PersonId, SessionId},
    people::{Contact, HttpSession, Link, Opens, Person, Role, Who},
    ports,
    ports::{PeopleError, Unavailable},
};

use super::{Memory, lock};

#[derive(Debug, Default)]
pub(super) struct People {
    persons: HashMap<PersonId, Person>,
    contacts: HashMap<SessionId, Contact>,
    /// Whose address it is in a campaign, without case.
    addresses: HashMap<(CampaignId, String), SessionId>,
    links: HashMap<String, Link>,
    http_sessions: HashMap<String, HttpSession>,
}

impl People {
    fn by_email(&self, email: &str) -> Option<&Person> {
        let email = email.to_lowercase();
        self.persons.values().find(|person| person.email.to_lowercase() == email)
    }

    fn free(&self, person: &Person) -> Result<(), PeopleError> {
        match self.by_email(&person.email) {
            Some(other) if other.id != person.id => Err(PeopleError::EmailTaken),
            _ => Ok(()),
        }
    }

    fn add_person(&mut self, person: Person) -> Result<(), PeopleError> {
        if self.by_email(&person.email).is_some() || self.persons.contains_key(&person.id) {
            return Err(PeopleError::EmailTaken);
        }
        self.persons.insert(person.id, person);
        Ok(())
    }

    fn save_person(&mut self, person: Person) -> Result<(), PeopleError> {
        self.free(&person)?;
        self.persons.entry(person.id).and_modify(|there| *there = person);
        Ok(())
    }

    fn save_contact(&mut self, contact: Contact) -> Result<(), PeopleError> {
        let taken = self.addresses.get(&address(&contact));
        if taken.is_some_and(|other| *other != contact.session) {
            return Err(PeopleError::EmailTaken);
        }
        if let Some(before) = self.contacts.get(&contact.session) {
            self.addresses.remove(&address(before));
        }
        self.addresses.insert(address(&contact), contact.session);
        self.contacts.insert(contact.session, contact);
        Ok(())
    }

    fn contacts(&self, campaign: CampaignId) -> Vec<Contact> {
        let mut contacts: Vec<_> = self
            .contacts
            .values()
            .filter(|contact| contact.campaign == campaign)
            .cloned()
            .collect();
        contacts.sort_by_key(|contact| (contact.name.clone(), contact.session));
        contacts
    }

    fn links(&self, campaign: CampaignId) -> Vec<Link> {
        let mut links: Vec<_> =
            self.links.values().filter(|link| link.campaign == campaign).cloned().collect();
        links.sort_by_key(|link| (link.created_at, link.code.clone()));
        links
    }

    fn erase_contact(&mut self, session: SessionId) {
        if let Some(contact) = self.contacts.remove(&session) {
            self.addresses.remove(&address(&contact));
        }
        self.links.retain(|_, link| link.opens != Opens::Session(session));
        self.http_sessions.retain(|_, signed_in| signed_in.who != Who::Candidate(session));
    }
}

fn address(contact: &Contact) -> (CampaignId, String) {
    (contact.campaign, contact.email.to_lowercase())
}

#[async_trait]
impl ports::People for Memory {
    async fn add_person(&self, person: Person) -> Result<(), PeopleError> {
        lock(&self.people).add_person(person)
    }

    async fn save_person(&self, person: Person) -> Result<(), PeopleError> {
        lock(&self.people).save_person(person)
    }

    async fn person(&self, id: PersonId) -> Result<Option<Person>, Unavailable> {
        Ok(lock(&self.people).persons.get(&id).cloned())
    }

    async fn person_by_email(&self, email: &str) -> Result<Option<Person>, Unavailable> {
        Ok(lock(&self.people).by_email(email).cloned())
    }

    async fn persons(&self) -> Result<Vec<Person>, Unavailable> {
        let people = lock(&self.people);
        let mut all: Vec<Person> = people.persons.values().cloned().collect();
        all.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        Ok(all)
    }

    async fn administrators(&self) -> Result<u64, Unavailable> {
        let people = lock(&self.people);
        let administrators = people.persons.values().filter(|person| {
            person.role == Role::Administrator
                && person.disabled_at.is_none()
                && !person.password_hash.is_empty()
        });
        Ok(administrators.count() as u64)
    }

    async fn save_contact(&self, contact: Contact) -> Result<(), PeopleError> {
        lock(&self.people).save_contact(contact)
    }

    async fn contact(&self, session: SessionId) -> Result<Option<Contact>, Unavailable> {
        Ok(lock(&self.people).contacts.get(&session).cloned())
    }

    async fn contacts(&self, campaign: CampaignId) -> Result<Vec<Contact>, Unavailable> {
        Ok(lock(&self.people).contacts(campaign))
    }

    async fn contacts_of(&self, sessions: &[SessionId]) -> Result<Vec<Contact>, Unavailable> {
        let people = lock(&self.people);
        Ok(sessions.iter().filter_map(|session| people.contacts.get(session)).cloned().collect())
    }

    async fn save_link(&self, link: Link) -> Result<(), Unavailable> {
        lock(&self.people).links.insert(link.code.clone(), link);
        Ok(())
    }

    async fn link(&self, code: &str) -> Result<Option<Link>, Unavailable> {
        Ok(lock(&self.people).links.get(code).cloned())
    }

    async fn links(&self, campaign: CampaignId) -> Result<Vec<Link>, Unavailable> {
        Ok(lock(&self.people).links(campaign))
    }

    async fn save_http_session(&self, session: HttpSession) -> Result<(), Unavailable> {
        lock(&self.people).http_sessions.insert(session.token_sha256.clone(), session);
        Ok(())
    }

    async fn http_session(&self, token_sha256: &str) -> Result<Option<HttpSession>, Unavailable> {
        Ok(lock(&self.people).http_sessions.get(token_sha256).cloned())
    }

    async fn end_http_session(&self, token_sha256: &str) -> Result<(), Unavailable> {
        lock(&self.people).http_sessions.remove(token_sha256);
        Ok(())
    }

    async fn sign_out_everywhere(&self, who: Who) -> Result<(), Unavailable> {
        lock(&self.people).http_sessions.retain(|_, signed_in| signed_in.who != who);
        Ok(())
    }

    async fn erase_contact(&self, session: SessionId) -> Result<(), Unavailable> {
        lock(&self.people).erase_contact(session);
        Ok(())
    }
}
