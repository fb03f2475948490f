//! A campaign's candidates: added, changed, removed, looked at.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use domain::{
    campaign::Command,
    command::AnyCommand,
    ids::{CampaignId, PersonId, SessionId},
    people::Contact,
    ports::PeopleError,
    rows::Topic,
    session,
    stream::{Origin, Stream},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    account::is_email,
    campaigns::{self, CandidateView, theirs},
    links,
};
use crate::{
    app::{App, Shared},
    caller::Caller,
    error::Refusal,
};

/// How many are added at once.
const ADD_MAX: usize = 2_000;

/// Somebody to invite.
#[derive(Clone, Deserialize)]
pub(crate) struct Invited {
    name: String,
    email: String,
    #[serde(default)]
    tags: Vec<String>,
    alias: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Add {
    candidates: Vec<Invited>,
}

/// Why one line was not taken.
#[derive(Serialize)]
struct RefusedLine {
    /// From 1.
    line: usize,
    code: String,
    text: String,
}

pub(crate) async fn add(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<CampaignId>,
    Json(Add { candidates }): Json<Add>,
) -> Result<Json<Value>, Refusal> {
    let (_, person) = theirs(&app, &caller, id).await?;
    if ADD_MAX < candidates.len() {
        return Err(Refusal::invalid("too_many", "add 2,000 people at once at most"));
    }
    let (mut added, mut refused) = (vec![], vec![]);
    for (invited, line) in candidates.into_iter().zip(1..) {
        match add_one(&app, person, id, invited).await {
            Ok(view) => added.push(view),
            Err(refusal) => {
                let (code, text) = (refusal.why().code.clone(), refusal.why().text.clone());
                refused.push(RefusedLine { line, code, text });
            }
        }
    }
    Ok(Json(json!({ "added": added, "refused": refused })))
}

/// Invites one person: their contact, their link, then the campaign's event.
pub(crate) async fn add_one(
    app: &App,
    person: PersonId,
    campaign: CampaignId,
    invited: Invited,
) -> Result<CandidateView, Refusal> {
    let session = SessionId::random();
    let contact = contact_of(session, campaign, invited.clone())?;
    let expires_at = links::expiry(app, campaign, None).await?;
    match app.node.deps.people.save_contact(contact.clone()).await {
        Ok(()) => {}
        Err(PeopleError::EmailTaken) => {
            let text = format!("{} is in this campaign already", contact.email);
            return Err(Refusal::new(StatusCode::CONFLICT, "email_taken", &text));
        }
        Err(error) => return Err(error.into()),
    }
    let tags = invited.tags;
    let command = Command::Add { session, tags: tags.clone() };
    if let Err(refusal) = campaigns::ask(app, person, campaign, command).await {
        app.node.deps.people.erase_contact(session).await?;
        return Err(refusal);
    }
    let link = links::issue(app, campaign, session, expires_at).await?;
    let Contact { session, email, name, alias, .. } = contact;
    let link = Some(campaigns::LinkView::of(&link));
    Ok(CandidateView { session, name, email, alias, tags, link, row: None })
}

fn contact_of(
    session: SessionId,
    campaign: CampaignId,
    invited: Invited,
) -> Result<Contact, Refusal> {
    let (name, email) = (invited.name.trim().to_owned(), invited.email.trim().to_owned());
    if !(1..=200).contains(&name.chars().count()) {
        return Err(Refusal::invalid("bad_name", "a name has between 1 and 200 characters"));
    }
    if !is_email(&email) {
        let text = format!("“{email}” is not a whole email address");
        return Err(Refusal::invalid("bad_email", &text));
    }
    let number = session.uuid().as_u128() % 10_000;
    let alias = invited.alias.map(|alias| alias.trim().chars().take(50).collect::<String>());
    let alias = alias.filter(|alias| !alias.is_empty());
    let alias = alias.unwrap_or_else(|| format!("Candidate {number:04}"));
    Ok(Contact { session, campaign, email, name, alias })
}

/// The candidate's contact, if the campaign is the caller's.
pub(crate) async fn contact(
    app: &App,
    caller: &Caller,
    campaign: CampaignId,
    session: SessionId,
) -> Result<(Contact, PersonId), Refusal> {
    let (_, person) = theirs(app, caller, campaign).await?;
    let contact = app.node.deps.people.contact(session).await?;
    let contact = contact.filter(|contact| contact.campaign == campaign);
    Ok((contact.ok_or_else(Refusal::not_found)?, person))
}

pub(crate) async fn save(
    State(app): State<Shared>,
    caller: Caller,
    Path((id, session)): Path<(CampaignId, SessionId)>,
    Json(invited): Json<Invited>,
) -> Result<StatusCode, Refusal> {
    let (_, person) = contact(&app, &caller, id, session).await?;
    let tags = invited.tags.clone();
    app.node.deps.people.save_contact(contact_of(session, id, invited)?).await?;
    // Also tells the monitor that something about this candidate is new.
    campaigns::ask(&app, person, id, Command::Tag { session, tags }).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
pub(crate) struct Remove {
    confirm: Option<String>,
}

pub(crate) async fn remove(
    State(app): State<Shared>,
    caller: Caller,
    Path((id, session)): Path<(CampaignId, SessionId)>,
    body: Option<Json<Remove>>,
) -> Result<StatusCode, Refusal> {
    let (mut contact, _) = contact(&app, &caller, id, session).await?;
    let row: Option<session::CandidateRow> =
        app.row(Topic::Candidates(id), &session.to_string()).await?;
    let has_started = row.is_some_and(|row| row.started_at.is_some());
    let confirmed = body.and_then(|Json(body)| body.confirm);
    if has_started && confirmed.as_deref().map(str::trim) != Some(contact.name.as_str()) {
        let text = "this candidate has started; type their name to remove them all the same";
        return Err(Refusal::new(StatusCode::CONFLICT, "confirm_name", text));
    }
    let removed = campaigns::command(&app, &caller, id, Command::Remove { session }).await?;
    if !has_started {
        // The address can be invited anew; who opens the old link reads that it was cancelled.
        contact.email = format!("{session}@removed.invalid");
        app.node.deps.people.save_contact(contact).await?;
    }
    Ok(removed)
}

pub(crate) async fn sent(
    State(app): State<Shared>,
    caller: Caller,
    Path((id, session)): Path<(CampaignId, SessionId)>,
) -> Result<StatusCode, Refusal> {
    ask_session(&app, &caller, (id, session), session::Command::MarkSent).await
}

pub(crate) async fn invite_again(
    State(app): State<Shared>,
    caller: Caller,
    Path((id, session)): Path<(CampaignId, SessionId)>,
) -> Result<StatusCode, Refusal> {
    // Whoever was invited once has their terms already; this takes back a refusal.
    let again = session::Command::Invite {
        session,
        campaign: Some(id),
        terms: session::Terms::default(),
        plan: std::sync::Arc::default(),
    };
    ask_session(&app, &caller, (id, session), again).await
}

pub(crate) async fn accept_late(
    State(app): State<Shared>,
    caller: Caller,
    Path((id, session, late)): Path<(CampaignId, SessionId, u32)>,
) -> Result<StatusCode, Refusal> {
    ask_session(&app, &caller, (id, session), session::Command::AcceptLate { late }).await
}

async fn ask_session(
    app: &App,
    caller: &Caller,
    (id, session): (CampaignId, SessionId),
    command: session::Command,
) -> Result<StatusCode, Refusal> {
    let (_, person) = contact(app, caller, id, session).await?;
    let command = AnyCommand::Session(Box::new(command));
    app.ask(Origin::Person(person), Stream::Session(session), command).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Everything that there is to see of one candidate.
pub(crate) async fn read(
    State(app): State<Shared>,
    caller: Caller,
    Path((id, session)): Path<(CampaignId, SessionId)>,
) -> Result<Json<Value>, Refusal> {
    contact(&app, &caller, id, session).await?;
    let links = app.node.deps.people.links(id).await?;
    let candidates = campaigns::candidates(&app, id, &links).await?;
    let candidate = candidates.into_iter().find(|candidate| candidate.session == session);
    let (mut about, mut questions, mut runs, mut lates) = (Value::Null, vec![], vec![], vec![]);
    for (key, row) in app.rows(Topic::Of(Stream::Session(session))).await? {
        let row: Value = serde_json::from_slice(&row).unwrap_or_default();
        match key.split('.').next() {
            Some("question") => questions.push(row),
            Some("run") => runs.push(row),
            Some("late") => lates.push(row),
            _ => about = row,
        }
    }
    let view = json!({
        "candidate": candidate.ok_or_else(Refusal::not_found)?,
        "session": about, "questions": questions, "runs": runs, "lates": lates,
        "files": super::sit::all_files(&app, session).await?,
    });
    Ok(Json(view))
}
