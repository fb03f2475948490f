//! Other people's accounts, for administrators; and the one-time link with which a password is chosen.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use domain::{
    at::{At, Ms},
    blob::sha256_hex,
    ids::PersonId,
    people::{Person, Role, Welcome, Who},
};
use serde::{Deserialize, Serialize};

use super::account::{self, SignedIn};
use crate::{
    access::{self, AccountAct, Relation},
    app::{App, Shared},
    caller::Caller,
    error::Refusal,
    limits, secret,
};

/// How long a link is good for with which a password is chosen.
const WELCOME: Ms = Ms(7 * 24 * 3_600_000);

/// An account, as administrators see it.
#[derive(Serialize)]
pub(crate) struct AccountRow {
    id: PersonId,
    name: String,
    email: String,
    role: Role,
    state: Standing,
    /// Until when a link is good with which a password is chosen.
    link_until: Option<At>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    Active,
    /// No password was chosen yet.
    Invited,
    Disabled,
}

impl AccountRow {
    fn of(person: Person, now: At) -> Self {
        let state = match &person {
            Person { disabled_at: Some(_), .. } => Standing::Disabled,
            Person { password_hash, .. } if password_hash.is_empty() => Standing::Invited,
            Person { .. } => Standing::Active,
        };
        let link_until = person.welcome.map(|welcome| welcome.until).filter(|until| now < *until);
        let Person { id, name, email, role, .. } = person;
        Self { id, name, email, role, state, link_until }
    }
}

#[derive(Serialize)]
pub(crate) struct Accounts {
    accounts: Vec<AccountRow>,
}

/// A new link. It is told once: only its hash is kept.
#[derive(Serialize)]
pub(crate) struct Invited {
    account: AccountRow,
    token: String,
}

pub(crate) async fn list(
    State(app): State<Shared>,
    caller: Caller,
) -> Result<Json<Accounts>, Refusal> {
    allowed(&caller, None, AccountAct::List)?;
    let now = app.now();
    let people = app.node.deps.people.persons().await?;
    let accounts = people.into_iter().map(|person| AccountRow::of(person, now)).collect();
    Ok(Json(Accounts { accounts }))
}

#[derive(Deserialize)]
pub(crate) struct Added {
    name: String,
    email: String,
    role: Role,
}

pub(crate) async fn add(
    State(app): State<Shared>,
    caller: Caller,
    Json(asked): Json<Added>,
) -> Result<Json<Invited>, Refusal> {
    allowed(&caller, None, AccountAct::Add)?;
    let (name, email) = (asked.name.trim().to_owned(), asked.email.trim().to_owned());
    account::check(&name, &email)?;
    let (token, welcome) = welcome(app.now());
    let person = Person {
        id: PersonId::random(),
        email,
        name,
        role: asked.role,
        password_hash: String::new(),
        welcome: Some(welcome),
        disabled_at: None,
    };
    app.node.deps.people.add_person(person.clone()).await?;
    Ok(Json(Invited { account: AccountRow::of(person, app.now()), token }))
}

/// A new link; the one before ends, the password stays until another one is chosen.
pub(crate) async fn renew(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<PersonId>,
) -> Result<Json<Invited>, Refusal> {
    allowed(&caller, Some(id), AccountAct::Renew)?;
    let mut person = read(&app, id).await?;
    let (token, welcome) = welcome(app.now());
    person.welcome = Some(welcome);
    app.node.deps.people.save_person(person.clone()).await?;
    Ok(Json(Invited { account: AccountRow::of(person, app.now()), token }))
}

/// Signs somebody out everywhere, for good. What they made stays.
pub(crate) async fn disable(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<PersonId>,
) -> Result<StatusCode, Refusal> {
    allowed(&caller, Some(id), AccountAct::Disable)?;
    let mut person = read(&app, id).await?;
    (person.disabled_at, person.welcome) = (Some(app.now()), None);
    app.node.deps.people.save_person(person.clone()).await?;
    sign_out(&app, &person).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn enable(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<PersonId>,
) -> Result<StatusCode, Refusal> {
    allowed(&caller, Some(id), AccountAct::Enable)?;
    let mut person = read(&app, id).await?;
    person.disabled_at = None;
    app.node.deps.people.save_person(person).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
pub(crate) struct Opened {
    token: String,
}

/// Whose link this is. Changes nothing.
pub(crate) async fn look(
    State(app): State<Shared>,
    Path(id): Path<PersonId>,
    Json(asked): Json<Opened>,
) -> Result<Json<AccountRow>, Refusal> {
    let person = welcomed(&app, id, &asked.token).await?;
    Ok(Json(AccountRow::of(person, app.now())))
}

#[derive(Deserialize)]
pub(crate) struct Chosen {
    token: String,
    password: String,
}

/// Chooses the password. The link ends, and every browser but this one is signed out.
pub(crate) async fn choose(
    State(app): State<Shared>,
    Path(id): Path<PersonId>,
    Json(asked): Json<Chosen>,
) -> Result<SignedIn, Refusal> {
    welcomed(&app, id, &asked.token).await?;
    let password_hash = account::hashed(asked.password).await?;
    // Hashing takes a while: the link may have been used, or the account disabled, meanwhile.
    let person = welcomed(&app, id, &asked.token).await?;
    let person = Person { password_hash, welcome: None, ..person };
    app.node.deps.people.save_person(person.clone()).await?;
    sign_out(&app, &person).await?;
    account::signed_in(&app, &person).await
}

fn allowed(caller: &Caller, whose: Option<PersonId>, act: AccountAct) -> Result<(), Refusal> {
    let person = caller.person()?;
    let relation = if whose == Some(person.id) { Relation::Own } else { Relation::Other };
    match access::may_manage(Who::Person(person.id, person.role), relation, act) {
        true => Ok(()),
        false if person.role == Role::Administrator => {
            let text = "you cannot shut yourself out; ask another administrator";
            Err(Refusal::invalid("own_account", text))
        }
        false => Err(Refusal::not_found()),
    }
}

async fn read(app: &App, id: PersonId) -> Result<Person, Refusal> {
    app.node.deps.people.person(id).await?.ok_or_else(Refusal::not_found)
}

fn welcome(now: At) -> (String, Welcome) {
    let token = secret::token();
    let token_sha256 = sha256_hex(token.as_bytes());
    (token, Welcome { token_sha256, until: now + WELCOME })
}

async fn welcomed(app: &App, id: PersonId, token: &str) -> Result<Person, Refusal> {
    if !app.allow(&format!("welcome {id}"), limits::SIGN_IN).await {
        return Err(Refusal::slow_down());
    }
    let person = app.node.deps.people.person(id).await?;
    let is_theirs = |person: &Person| {
        // Hashes are compared, so that the time it takes tells nothing of the token.
        person.disabled_at.is_none()
            && person.welcome.as_ref().is_some_and(|welcome| {
                app.now() < welcome.until && welcome.token_sha256 == sha256_hex(token.as_bytes())
            })
    };
    person.filter(is_theirs).ok_or_else(|| {
        let text = "this link was used, or has ended; ask an administrator for another one";
        Refusal::new(StatusCode::FORBIDDEN, "welcome_ended", text)
    })
}

async fn sign_out(app: &App, person: &Person) -> Result<(), Refusal> {
    let who = Who::Person(person.id, person.role);
    app.node.deps.people.sign_out_everywhere(who).await?;
    app.live.end(app, &who.into());
    Ok(())
}
