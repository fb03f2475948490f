//! People: accounts, contacts, links and who is signed in, in ordinary tables.

use async_trait::async_trait;
use domain::{
    at::At,
    ids::{CampaignId, PersonId, SessionId},
    people::{Contact, HttpSession, Link, Opens, Person, Welcome, Who},
    ports::{People, PeopleError, Unavailable},
};
use sqlx::{
    FromRow, PgConnection, Row as _,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use super::Postgres;
use crate::{
    kept::{self, Kept, print_role, print_who},
    trouble::{away, is_unique_violation},
};

const ADD_PERSON: &str = "
    INSERT INTO people
        (id, email, email_key, name, role, password_hash, welcome_sha256, welcome_until, disabled_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const SAVE_PERSON: &str = "
    UPDATE people
    SET email = $2, email_key = $3, name = $4, role = $5, password_hash = $6,
        welcome_sha256 = $7, welcome_until = $8, disabled_at = $9
    WHERE id = $1";

const PERSON: &str = "SELECT * FROM people WHERE id = $1";

const PERSON_BY_EMAIL: &str = "SELECT * FROM people WHERE email_key = $1";

const PERSONS: &str = "SELECT * FROM people ORDER BY name, id";

const ADMINISTRATORS: &str = "
    SELECT count(*) FROM people
    WHERE role = 'administrator' AND disabled_at IS NULL AND password_hash <> ''";

const SAVE_CONTACT: &str = "
    INSERT INTO contacts (session, campaign, email, email_key, name, alias)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (session) DO UPDATE
    SET campaign = excluded.campaign, email = excluded.email, email_key = excluded.email_key,
        name = excluded.name, alias = excluded.alias";

const CONTACT: &str =
    "SELECT session, campaign, email, name, alias FROM contacts WHERE session = $1";

const CONTACTS: &str = "
    SELECT session, campaign, email, name, alias FROM contacts
    WHERE campaign = $1 ORDER BY name, session";

const CONTACTS_OF: &str = "
    SELECT session, campaign, email, name, alias FROM contacts
    WHERE session IN (SELECT json_array_elements_text($1::json))";

const SAVE_LINK: &str = "
    INSERT INTO links (code, campaign, session, created_at, expires_at, revoked_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (code) DO UPDATE
    SET campaign = excluded.campaign, session = excluded.session,
        created_at = excluded.created_at, expires_at = excluded.expires_at,
        revoked_at = excluded.revoked_at";

const LINK: &str = "
    SELECT code, campaign, session, created_at, expires_at, revoked_at FROM links WHERE code = $1";

const LINKS: &str = "
    SELECT code, campaign, session, created_at, expires_at, revoked_at FROM links
    WHERE campaign = $1 ORDER BY created_at, code";

const SAVE_HTTP_SESSION: &str = "
    INSERT INTO http_sessions (token_sha256, who, created_at, seen_at)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (token_sha256) DO UPDATE
    SET who = excluded.who, created_at = excluded.created_at, seen_at = excluded.seen_at";

const HTTP_SESSION: &str =
    "SELECT token_sha256, who, created_at, seen_at FROM http_sessions WHERE token_sha256 = $1";

#[async_trait]
impl People for Postgres {
    async fn add_person(&self, person: Person) -> Result<(), PeopleError> {
        self.keep_person(ADD_PERSON, person).await
    }

    async fn save_person(&self, person: Person) -> Result<(), PeopleError> {
        self.keep_person(SAVE_PERSON, person).await
    }

    async fn person(&self, id: PersonId) -> Result<Option<Person>, Unavailable> {
        Ok(self.one::<Kept<Person>>(PERSON, id.to_string()).await?.map(|kept| kept.0))
    }

    async fn person_by_email(&self, email: &str) -> Result<Option<Person>, Unavailable> {
        let found = self.one::<Kept<Person>>(PERSON_BY_EMAIL, email.to_lowercase()).await?;
        Ok(found.map(|kept| kept.0))
    }

    async fn persons(&self) -> Result<Vec<Person>, Unavailable> {
        let rows: Vec<Kept<Person>> =
            sqlx::query_as(PERSONS).fetch_all(&self.readers).await.map_err(away)?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    async fn administrators(&self) -> Result<u64, Unavailable> {
        let (count,): (i64,) =
            sqlx::query_as(ADMINISTRATORS).fetch_one(&self.readers).await.map_err(away)?;
        Ok(count.cast_unsigned())
    }

    async fn save_contact(&self, contact: Contact) -> Result<(), PeopleError> {
        self.write(move |on| {
            Box::pin(async move {
                let saved = sqlx::query(SAVE_CONTACT)
                    .bind(contact.session.to_string())
                    .bind(contact.campaign.to_string())
                    .bind(&contact.email)
                    .bind(contact.email.to_lowercase())
                    .bind(contact.name)
                    .bind(contact.alias);
                unless_taken(on, saved).await
            })
        })
        .await?
    }

    async fn contact(&self, session: SessionId) -> Result<Option<Contact>, Unavailable> {
        Ok(self.one::<Kept<Contact>>(CONTACT, session.to_string()).await?.map(|kept| kept.0))
    }

    async fn contacts(&self, campaign: CampaignId) -> Result<Vec<Contact>, Unavailable> {
        self.all(CONTACTS, campaign.to_string()).await
    }

    async fn contacts_of(&self, sessions: &[SessionId]) -> Result<Vec<Contact>, Unavailable> {
        self.all(CONTACTS_OF, serde_json::json!(sessions).to_string()).await
    }

    async fn save_link(&self, link: Link) -> Result<(), Unavailable> {
        let session = match link.opens {
            Opens::Session(session) => Some(session.to_string()),
            Opens::Wall => None,
        };
        self.write(move |on| {
            Box::pin(async move {
                let save = sqlx::query(SAVE_LINK)
                    .bind(link.code)
                    .bind(link.campaign.to_string())
                    .bind(session)
                    .bind(link.created_at.0)
                    .bind(link.expires_at.map(|at| at.0))
                    .bind(link.revoked_at.map(|at| at.0));
                save.execute(on).await.map(|_| ())
            })
        })
        .await
    }

    async fn link(&self, code: &str) -> Result<Option<Link>, Unavailable> {
        Ok(self.one::<Kept<Link>>(LINK, code.to_owned()).await?.map(|kept| kept.0))
    }

    async fn links(&self, campaign: CampaignId) -> Result<Vec<Link>, Unavailable> {
        self.all(LINKS, campaign.to_string()).await
    }

    async fn save_http_session(&self, session: HttpSession) -> Result<(), Unavailable> {
        self.write(move |on| {
            Box::pin(async move {
                let save = sqlx::query(SAVE_HTTP_SESSION)
                    .bind(session.token_sha256)
                    .bind(print_who(session.who))
                    .bind(session.created_at.0)
                    .bind(session.seen_at.0);
                save.execute(on).await.map(|_| ())
            })
        })
        .await
    }

    async fn http_session(&self, token_sha256: &str) -> Result<Option<HttpSession>, Unavailable> {
        let found = self.one::<Kept<HttpSession>>(HTTP_SESSION, token_sha256.to_owned()).await?;
        Ok(found.map(|kept| kept.0))
    }

    async fn end_http_session(&self, token_sha256: &str) -> Result<(), Unavailable> {
        self.delete(vec![(
            "DELETE FROM http_sessions WHERE token_sha256 = $1",
            token_sha256.into(),
        )])
        .await
    }

    async fn sign_out_everywhere(&self, who: Who) -> Result<(), Unavailable> {
        self.delete(vec![("DELETE FROM http_sessions WHERE who = $1", print_who(who))]).await
    }

    async fn erase_contact(&self, session: SessionId) -> Result<(), Unavailable> {
        let id = session.to_string();
        self.delete(vec![
            ("DELETE FROM contacts WHERE session = $1", id.clone()),
            ("DELETE FROM links WHERE session = $1", id),
            ("DELETE FROM http_sessions WHERE who = $1", print_who(Who::Candidate(session))),
        ])
        .await
    }
}

impl Postgres {
    async fn keep_person(&self, sql: &'static str, person: Person) -> Result<(), PeopleError> {
        self.write(move |on| {
            Box::pin(async move {
                let kept = sqlx::query(sql)
                    .bind(person.id.to_string())
                    .bind(&person.email)
                    .bind(person.email.to_lowercase())
                    .bind(person.name)
                    .bind(print_role(person.role))
                    .bind(person.password_hash)
                    .bind(person.welcome.as_ref().map(|welcome| welcome.token_sha256.clone()))
                    .bind(person.welcome.map(|welcome| welcome.until.0))
                    .bind(person.disabled_at.map(|at| at.0));
                unless_taken(on, kept).await
            })
        })
        .await?
    }

    async fn delete(&self, deletes: Vec<(&'static str, String)>) -> Result<(), Unavailable> {
        self.write(move |on| {
            Box::pin(async move {
                for (sql, of) in deletes {
                    sqlx::query(sql).bind(of).execute(&mut *on).await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn one<T>(&self, sql: &'static str, of: String) -> Result<Option<T>, Unavailable>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        sqlx::query_as(sql).bind(of).fetch_optional(&self.readers).await.map_err(away)
    }

    async fn all<T>(&self, sql: &'static str, of: String) -> Result<Vec<T>, Unavailable>
    where
        T: Send + Unpin,
        Kept<T>: for<'r> FromRow<'r, PgRow>,
    {
        let rows: Vec<Kept<T>> =
            sqlx::query_as(sql).bind(of).fetch_all(&self.readers).await.map_err(away)?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }
}

/// The tables allow an address once, and that is the only rule of theirs that people can break.
/// Undoes only itself: otherwise the server would refuse the rest of the transaction as well.
async fn unless_taken(
    on: &mut PgConnection,
    write: Query<'_, sqlx::Postgres, PgArguments>,
) -> Result<Result<(), PeopleError>, sqlx::Error> {
    sqlx::query("SAVEPOINT address").execute(&mut *on).await?;
    match write.execute(&mut *on).await {
        Ok(_) => sqlx::query("RELEASE address").execute(on).await.map(|_| Ok(())),
        Err(error) if is_unique_violation(&error) => {
            sqlx::query("ROLLBACK TO address").execute(on).await?;
            Ok(Err(PeopleError::EmailTaken))
        }
        Err(error) => Err(error),
    }
}

kept::read!(PgRow);
