//! Campaigns: made, configured, paused, archived.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use domain::{
    at::{At, Ms},
    campaign::{CampaignRow, Command, Gifted, InvitedRow, Settings},
    command::AnyCommand,
    content::Content,
    ids::{CampaignId, PersonId, SessionId, TestId},
    people::{Contact, Link, Opens, Role},
    plan::{Plan, QuestionPlan, Test},
    rows::Topic,
    session::CandidateRow,
    stream::{Origin, Stream},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::documents;
use crate::{
    app::{App, Shared},
    caller::Caller,
    error::Refusal,
};

/// One candidate, as the campaign's creator sees them.
#[derive(Clone, Serialize)]
pub(crate) struct CandidateView {
    pub(crate) session: SessionId,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) alias: String,
    pub(crate) tags: Vec<String>,
    pub(crate) link: Option<LinkView>,
    pub(crate) row: Option<CandidateRow>,
}

/// A candidate's link.
#[derive(Clone, Serialize)]
pub(crate) struct LinkView {
    code: String,
    expires_at: Option<At>,
    revoked: bool,
}

impl LinkView {
    pub(crate) fn of(link: &Link) -> Self {
        let revoked = link.revoked_at.is_some();
        Self { code: link.code.clone(), expires_at: link.expires_at, revoked }
    }
}

/// Which test a campaign puts before people; its latest version unless one is named.
#[derive(Deserialize)]
pub(crate) struct TestPin {
    id: TestId,
    version: Option<u32>,
}

#[derive(Deserialize)]
pub(crate) struct NewCampaign {
    settings: Settings,
    test: TestPin,
}

/// Whose campaign it is.
pub(crate) async fn owner(app: &App, campaign: CampaignId) -> Result<Option<PersonId>, Refusal> {
    Ok(row(app, campaign).await?.map(|row| row.owner))
}

/// The campaign's row.
pub(crate) async fn row(app: &App, campaign: CampaignId) -> Result<Option<CampaignRow>, Refusal> {
    app.row(Topic::Of(Stream::Campaign(campaign)), "campaign").await
}

/// The campaign's row and who asks, if it is theirs.
pub(crate) async fn theirs(
    app: &App,
    caller: &Caller,
    campaign: CampaignId,
) -> Result<(CampaignRow, PersonId), Refusal> {
    caller.person()?;
    let row = row(app, campaign).await?.ok_or_else(Refusal::not_found)?;
    let person = caller.maker(row.owner)?;
    Ok((row, person))
}

pub(crate) async fn list(
    State(app): State<Shared>,
    caller: Caller,
) -> Result<Json<Value>, Refusal> {
    let person = caller.person()?;
    let rows = app.rows(Topic::Campaigns).await?;
    let rows = rows.iter().filter_map(|(_, row)| serde_json::from_slice::<CampaignRow>(row).ok());
    let mut rows: Vec<CampaignRow> =
        rows.filter(|row| person.role == Role::Administrator || row.owner == person.id).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.settings.opens_at));
    Ok(Json(json!({ "campaigns": rows })))
}

pub(crate) async fn create(
    State(app): State<Shared>,
    caller: Caller,
    Json(asked): Json<NewCampaign>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let person = caller.person()?.id;
    let plan = frozen_plan(&app, &caller, &asked.test).await?;
    let id = create_as(&app, person, asked.settings, plan).await?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id }))))
}

/// Makes a campaign of `person`.
pub(crate) async fn create_as(
    app: &App,
    person: PersonId,
    settings: Settings,
    plan: Plan,
) -> Result<CampaignId, Refusal> {
    let id = CampaignId::random();
    ask(app, person, id, Command::Create { owner: person, settings }).await?;
    ask(app, person, id, Command::Pin { plan: Arc::new(plan) }).await?;
    Ok(id)
}

/// Puts a test's version and its contents' versions in use, and makes the plan of them.
pub(crate) async fn frozen_plan(
    app: &App,
    caller: &Caller,
    which: &TestPin,
) -> Result<Plan, Refusal> {
    let test = Stream::Test(which.id);
    let row = documents::version_row::<Test>(app, test, which.version).await?;
    let person = caller.maker(row.owner)?;
    let frozen = plan_of(app, which.id, row.version, &row.document).await?;
    for question in &row.document.questions {
        let content = Stream::Content(question.content);
        documents::freeze::<Content>(app, person, content, question.version).await?;
    }
    documents::freeze::<Test>(app, person, test, row.version).await?;
    Ok(frozen)
}

/// The plan of a test. Fails when one of its contents is not ready.
pub(crate) async fn plan_of(
    app: &App,
    test: TestId,
    version: u32,
    document: &Test,
) -> Result<Plan, Refusal> {
    if document.questions.is_empty() {
        return Err(Refusal::invalid("no_questions", "a test needs at least one question"));
    }
    let mut questions = vec![];
    for question in &document.questions {
        let content = Stream::Content(question.content);
        let row = documents::version_row::<Content>(app, content, Some(question.version)).await?;
        let is_ready = row.document.repairs.is_empty() && row.document.missing().is_empty();
        if !is_ready {
            let why = format!("“{}” still has to be repaired", row.document.title);
            return Err(Refusal::invalid("not_ready", &why));
        }
        questions.push(QuestionPlan::new(question, &row.document));
    }
    Ok(Plan { test: Some(test), version, title: document.title.clone(), questions })
}

pub(crate) async fn read(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<CampaignId>,
) -> Result<Json<Value>, Refusal> {
    let (campaign, _) = theirs(&app, &caller, id).await?;
    let links = app.node.deps.people.links(id).await?;
    let is_wall = |link: &&Link| link.opens == Opens::Wall && link.revoked_at.is_none();
    let wall = links.iter().rev().find(is_wall).map(|link| json!({ "code": link.code }));
    let candidates = candidates(&app, id, &links).await?;
    let now = app.now();
    Ok(Json(json!({ "campaign": campaign, "candidates": candidates, "wall": wall, "now": now })))
}

/// All candidates of a campaign, by name.
pub(crate) async fn candidates(
    app: &App,
    campaign: CampaignId,
    links: &[Link],
) -> Result<Vec<CandidateView>, Refusal> {
    let rows = app.rows(Topic::Candidates(campaign)).await?;
    let rows = rows
        .iter()
        .filter_map(|(key, row)| Some((key.parse().ok()?, serde_json::from_slice(row).ok()?)));
    let mut rows: HashMap<SessionId, CandidateRow> = rows.collect();
    let invited = app.rows(Topic::Of(Stream::Campaign(campaign))).await?;
    let invited = invited.iter().filter(|(key, _)| key.starts_with("candidate."));
    let invited = invited.filter_map(|(_, row)| serde_json::from_slice::<InvitedRow>(row).ok());
    let tags: HashMap<SessionId, Vec<String>> =
        invited.map(|row| (row.session, row.tags)).collect();
    // The last link of each is the one that counts.
    let mut by_session = HashMap::new();
    for link in links {
        if let Opens::Session(session) = link.opens {
            by_session.insert(session, LinkView::of(link));
        }
    }
    let contacts = app.node.deps.people.contacts(campaign).await?;
    let view = |contact: Contact| {
        let tags = tags.get(&contact.session)?.clone();
        let link = by_session.remove(&contact.session);
        let row = rows.remove(&contact.session);
        let Contact { session, email, name, alias, .. } = contact;
        Some(CandidateView { session, name, email, alias, tags, link, row })
    };
    Ok(contacts.into_iter().filter_map(view).collect())
}

#[derive(Deserialize)]
pub(crate) struct Configure {
    settings: Settings,
}

pub(crate) async fn configure(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<CampaignId>,
    Json(Configure { settings }): Json<Configure>,
) -> Result<StatusCode, Refusal> {
    command(&app, &caller, id, Command::Configure { settings }).await
}

pub(crate) async fn pin(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<CampaignId>,
    Json(test): Json<TestPin>,
) -> Result<StatusCode, Refusal> {
    theirs(&app, &caller, id).await?;
    let plan = Arc::new(frozen_plan(&app, &caller, &test).await?);
    command(&app, &caller, id, Command::Pin { plan }).await
}

#[derive(Deserialize)]
pub(crate) struct Announce {
    text: String,
}

pub(crate) async fn announce(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<CampaignId>,
    Json(Announce { text }): Json<Announce>,
) -> Result<StatusCode, Refusal> {
    command(&app, &caller, id, Command::Announce { text }).await
}

#[derive(Deserialize)]
pub(crate) struct GiveTime {
    session: Option<SessionId>,
    #[serde(default)]
    tag: Option<String>,
    by_ms: Ms,
    #[serde(default)]
    reason: Option<String>,
}

/// Why something is done, in words; a body without any is taken, too.
#[derive(Default, Deserialize)]
pub(crate) struct Reason {
    #[serde(default)]
    reason: Option<String>,
}

pub(crate) async fn give_time(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<CampaignId>,
    Json(GiveTime { session, tag, by_ms: by, reason }): Json<GiveTime>,
) -> Result<StatusCode, Refusal> {
    let to = match (session, tag) {
        (Some(session), _) => Gifted::One(session),
        (None, Some(tag)) => Gifted::Tag(tag),
        (None, None) => Gifted::All,
    };
    command(&app, &caller, id, Command::GiveTime { to, by, reason }).await
}

pub(crate) async fn archive(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<CampaignId>,
) -> Result<StatusCode, Refusal> {
    command(&app, &caller, id, Command::Archive).await
}

pub(crate) async fn restore(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<CampaignId>,
) -> Result<StatusCode, Refusal> {
    command(&app, &caller, id, Command::Restore).await
}

pub(crate) async fn pause(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<CampaignId>,
    body: Option<Json<Reason>>,
) -> Result<StatusCode, Refusal> {
    let Json(Reason { reason }) = body.unwrap_or_default();
    command(&app, &caller, id, Command::Pause { reason }).await
}

pub(crate) async fn resume(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<CampaignId>,
) -> Result<StatusCode, Refusal> {
    command(&app, &caller, id, Command::Resume).await
}

/// Asks something of a campaign that is the caller's.
pub(crate) async fn command(
    app: &App,
    caller: &Caller,
    id: CampaignId,
    command: Command,
) -> Result<StatusCode, Refusal> {
    let (_, person) = theirs(app, caller, id).await?;
    ask(app, person, id, command).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks something of a campaign, in somebody's name.
pub(crate) async fn ask(
    app: &App,
    person: PersonId,
    id: CampaignId,
    command: Command,
) -> Result<u64, Refusal> {
    let command = AnyCommand::Campaign(command);
    app.ask(Origin::Person(person), Stream::Campaign(id), command).await
}
