//! Accounts: the first administrator, signing in and out.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header::HeaderName},
};
use domain::{
    ids::PersonId,
    people::{Person, Role, Who},
};
use serde::{Deserialize, Serialize};

use crate::{
    app::{App, Shared},
    caller::{self, Caller},
    error::Refusal,
    limits, secret,
};

/// An account, as its owner sees it.
#[derive(Serialize)]
pub(crate) struct PersonView {
    person: PersonRow,
}

#[derive(Serialize)]
struct PersonRow {
    id: PersonId,
    name: String,
    email: String,
    role: Role,
}

pub(crate) type SignedIn = ([(HeaderName, HeaderValue); 1], Json<PersonView>);

impl PersonView {
    fn of(person: &Person) -> Self {
        let (name, email) = (person.name.clone(), person.email.clone());
        Self { person: PersonRow { id: person.id, name, email, role: person.role } }
    }
}

#[derive(Serialize)]
pub(crate) struct SetupNeeded {
    needed: bool,
}

pub(crate) async fn setup_needed(State(app): State<Shared>) -> Result<Json<SetupNeeded>, Refusal> {
    Ok(Json(SetupNeeded { needed: app.node.deps.people.administrators().await? == 0 }))
}

#[derive(Deserialize)]
pub(crate) struct SetUp {
    token: String,
    name: String,
    email: String,
    password: String,
}

pub(crate) async fn set_up(
    State(app): State<Shared>,
    Json(asked): Json<SetUp>,
) -> Result<SignedIn, Refusal> {
    if app.node.deps.people.administrators().await? > 0
        || !app.setup.accepts(&asked.token, app.now())
    {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "link_ended",
            "this set-up link has ended; restart the server to get another one",
        ));
    }
    let person =
        new_person(&app, &asked.name, &asked.email, asked.password, Role::Administrator).await?;
    app.setup.done();
    signed_in(&app, &person).await
}

/// Adds an account.
pub(crate) async fn new_person(
    app: &App,
    name: &str,
    email: &str,
    password: String,
    role: Role,
) -> Result<Person, Refusal> {
    let person = make_person(name, email, password, role).await?;
    app.node.deps.people.add_person(person.clone()).await?;
    Ok(person)
}

/// An account, not yet kept.
pub(crate) async fn make_person(
    name: &str,
    email: &str,
    password: String,
    role: Role,
) -> Result<Person, Refusal> {
    let (name, email) = (name.trim().to_owned(), email.trim().to_owned());
    check(&name, &email)?;
    let password_hash = hashed(password).await?;
    let id = PersonId::random();
    Ok(Person { id, email, name, role, password_hash, welcome: None, disabled_at: None })
}

/// Refuses a name or an address that nobody has.
pub(crate) fn check(name: &str, email: &str) -> Result<(), Refusal> {
    if !(1..=200).contains(&name.chars().count()) {
        return Err(Refusal::invalid("bad_name", "a name has between 1 and 200 characters"));
    }
    if !is_email(email) {
        return Err(Refusal::invalid("bad_email", "this is not a whole email address"));
    }
    Ok(())
}

/// The hash to keep of a password that may be chosen.
pub(crate) async fn hashed(password: String) -> Result<String, Refusal> {
    if !secret::is_acceptable(&password) {
        let text = "a password has at least 9 characters, not all of them digits";
        return Err(Refusal::invalid("weak_password", text));
    }
    secret::hash(password).await.map_err(|error| {
        tracing::error!(%error, "a password could not be hashed");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", "this failed on our side")
    })
}

#[derive(Deserialize)]
pub(crate) struct SignIn {
    email: String,
    password: String,
}

pub(crate) async fn sign_in(
    State(app): State<Shared>,
    Json(asked): Json<SignIn>,
) -> Result<SignedIn, Refusal> {
    let name = format!("sign-in {}", asked.email.trim().to_lowercase());
    if !app.allow(&name, limits::SIGN_IN).await {
        return Err(Refusal::slow_down());
    }
    if secret::PASSWORD_MAX < asked.password.chars().count() {
        return Err(wrong_password());
    }
    let person = app.node.deps.people.person_by_email(asked.email.trim()).await?;
    let person = person.filter(|person| person.disabled_at.is_none());
    let hash = person.as_ref().map(|person| person.password_hash.clone());
    let is_right = secret::verify(asked.password, hash).await;
    match person.filter(|_| is_right) {
        Some(person) => signed_in(&app, &person).await,
        None => Err(wrong_password()),
    }
}

fn wrong_password() -> Refusal {
    let text = "this email and password do not belong together";
    Refusal::new(StatusCode::UNAUTHORIZED, "wrong_password", text)
}

pub(crate) async fn signed_in(app: &App, person: &Person) -> Result<SignedIn, Refusal> {
    let cookie = caller::sign_in(app, Who::Person(person.id, person.role)).await?;
    Ok(([cookie], Json(PersonView::of(person))))
}

pub(crate) async fn sign_out(
    State(app): State<Shared>,
    headers: HeaderMap,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 1]), Refusal> {
    Ok((StatusCode::NO_CONTENT, [caller::sign_out(&app, &headers).await?]))
}

pub(crate) async fn me(caller: Caller) -> Result<Json<PersonView>, Refusal> {
    Ok(Json(PersonView::of(caller.person()?)))
}

/// Whether `text` has the shape of an address: something, `@`, a domain with a dot, no spaces.
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control();
    text.len() <= 254
        && !local.is_empty()
        && text.chars().all(is_plain)
        && domain.contains('.')
        && domain.split('.').all(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_whole_or_refused() {
        assert!(is_email("aya.s@kallsvik.example"));
        assert!(!is_email("tomas@kallsvik"));
        assert!(!is_email("@kallsvik.example"));
        assert!(!is_email("a b@kallsvik.example"));
        assert!(!is_email("a@kallsvik..example"));
    }
}
