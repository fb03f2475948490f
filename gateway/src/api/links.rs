//! Links: a candidate's, and a wall's. Reading one changes nothing, since mail scanners read links.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header::HeaderName},
};
use domain::{
    at::{At, Ms},
    command::AnyCommand,
    ids::{CampaignId, CommandId, SessionId},
    people::{Link, Opens, Who},
    points::Points,
    rows::Topic,
    session,
    status::Status,
    stream::{Origin, Stream},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    campaigns::{self, theirs},
    candidates,
};
use crate::{
    app::{App, Shared},
    caller::{self, Caller, is_over},
    error::Refusal,
    limits,
};

/// How long a link that is opened waits for its session to be invited, and how long in between.
const INVITED: Ms = Ms(5_000);
const AGAIN: std::time::Duration = std::time::Duration::from_millis(20);

/// Until when a link opens that is issued now: as `asked`, else as the campaign has it.
pub(crate) async fn expiry(
    app: &App,
    campaign: CampaignId,
    asked: Option<At>,
) -> Result<At, Refusal> {
    let row = campaigns::row(app, campaign).await?;
    let of_all = row.and_then(|row| row.settings.links_expire_at);
    Ok(Link::lasts_until(asked, of_all, app.now())?)
}

/// Makes a candidate's link.
pub(crate) async fn issue(
    app: &App,
    campaign: CampaignId,
    session: SessionId,
    expires_at: At,
) -> Result<Link, Refusal> {
    make(app, campaign, Opens::Session(session), expires_at).await
}

async fn make(
    app: &App,
    campaign: CampaignId,
    opens: Opens,
    expires_at: At,
) -> Result<Link, Refusal> {
    let code = CommandId::random().to_string();
    let (created_at, expires_at) = (app.now(), Some(expires_at));
    let link = Link { code, campaign, opens, created_at, expires_at, revoked_at: None };
    app.node.deps.people.save_link(link.clone()).await?;
    Ok(link)
}

/// Ends all links of a campaign that open `opens`.
async fn end(app: &App, campaign: CampaignId, opens: Opens) -> Result<(), Refusal> {
    let links = app.node.deps.people.links(campaign).await?;
    let live = |link: &Link| link.opens == opens && link.revoked_at.is_none();
    for mut link in links.into_iter().filter(live) {
        link.revoked_at = Some(app.now());
        app.node.deps.people.save_link(link).await?;
    }
    // Whoever came in by it is put out, on every device.
    let who = match opens {
        Opens::Session(session) => Who::Candidate(session),
        Opens::Wall => Who::Viewer(campaign),
    };
    put_out(app, who).await
}

/// Puts somebody out, on every device.
pub(super) async fn put_out(app: &App, who: Who) -> Result<(), Refusal> {
    app.node.deps.people.sign_out_everywhere(who).await?;
    app.live.end(app, &who.into());
    Ok(())
}

/// What is asked of a new link.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Renew {
    #[serde(default)]
    expires_at: Option<At>,
}

pub(crate) async fn renew(
    State(app): State<Shared>,
    caller: Caller,
    Path((id, session)): Path<(CampaignId, SessionId)>,
    body: Option<Json<Renew>>,
) -> Result<Json<Value>, Refusal> {
    candidates::contact(&app, &caller, id, session).await?;
    let Json(Renew { expires_at }) = body.unwrap_or_default();
    // Before the old one ends: who is refused a new one keeps it.
    let expires_at = expiry(&app, id, expires_at).await?;
    end(&app, id, Opens::Session(session)).await?;
    let code = issue(&app, id, session, expires_at).await?.code;
    Ok(Json(json!({ "code": code, "expires_at": expires_at })))
}

pub(crate) async fn revoke(
    State(app): State<Shared>,
    caller: Caller,
    Path((id, session)): Path<(CampaignId, SessionId)>,
) -> Result<StatusCode, Refusal> {
    candidates::contact(&app, &caller, id, session).await?;
    end(&app, id, Opens::Session(session)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn new_wall(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<CampaignId>,
) -> Result<Json<Value>, Refusal> {
    theirs(&app, &caller, id).await?;
    let expires_at = Link::lasts_until(None, None, app.now())?;
    end(&app, id, Opens::Wall).await?;
    Ok(Json(json!({ "code": make(&app, id, Opens::Wall, expires_at).await?.code })))
}

pub(crate) async fn end_wall(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<CampaignId>,
) -> Result<StatusCode, Refusal> {
    theirs(&app, &caller, id).await?;
    end(&app, id, Opens::Wall).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What became of a link.
enum Found {
    Ready(Link),
    Unknown,
    Expired(Link),
    Revoked,
}

impl Found {
    fn ready(self) -> Result<Link, Refusal> {
        let ended = |code, text| Err(Refusal::new(StatusCode::GONE, code, text));
        match self {
            Self::Ready(link) => Ok(link),
            Self::Unknown => Err(Refusal::not_found()),
            Self::Expired(_) => {
                ended("link_expired", "this link has expired; ask for a new one, nothing is lost")
            }
            Self::Revoked => {
                ended("link_revoked", "this link was ended; look for a newer one, nothing is lost")
            }
        }
    }
}

async fn look_up(app: &App, code: &str) -> Result<Found, Refusal> {
    let Some(link) = app.node.deps.people.link(code).await? else {
        // Nobody guesses a UUID; somebody who tries is slowed down.
        if !app.allow("links", limits::BAD_LINKS).await {
            return Err(Refusal::slow_down());
        }
        return Ok(Found::Unknown);
    };
    Ok(match link {
        link if link.revoked_at.is_some() => Found::Revoked,
        link if is_over(link.expires_at, app.now()) => Found::Expired(link),
        link => Found::Ready(link),
    })
}

/// What an invitation says of the session that it is for.
#[derive(Default, Deserialize)]
struct InvitationRow {
    status: Status,
    test_title: String,
    opens_at: Option<At>,
    closes_at: Option<At>,
    time_allowed_ms: Ms,
    questions: usize,
    points: Points,
}

/// What the page behind a candidate's link says before anything is pressed.
pub(crate) async fn read(
    State(app): State<Shared>,
    Path(code): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let (link, session) = match look_up(&app, &code).await? {
        Found::Unknown => return Ok(Json(json!({ "state": "unknown" }))),
        Found::Expired(link) => return expired(&app, &link).await.map(Json),
        Found::Revoked => return Ok(Json(json!({ "state": "revoked" }))),
        Found::Ready(link) => match link.opens {
            Opens::Session(session) => (link, session),
            Opens::Wall => return Ok(Json(json!({ "state": "unknown" }))),
        },
    };
    let contact = app.node.deps.people.contact(session).await?;
    let campaign = campaigns::row(&app, link.campaign).await?.ok_or_else(Refusal::not_found)?;
    let topic = Topic::Of(Stream::Session(session));
    let row: Option<InvitationRow> = app.row(topic, "session").await?;
    let creator = app.node.deps.people.person(campaign.owner).await?;
    let row = row.unwrap_or_default();
    let is_cancelled = row.status == Status::Cancelled;
    Ok(Json(json!({
        "state": if is_cancelled { "cancelled" } else { "ready" },
        "session": session,
        "status": row.status,
        "campaign_title": campaign.settings.title,
        "candidate_name": contact.map(|contact| contact.name),
        "creator_name": creator.map(|person| person.name),
        "expires_at": link.expires_at,
        "test_title": row.test_title,
        "opens_at": row.opens_at,
        "closes_at": row.closes_at,
        "zone": campaign.settings.zone,
        "time_allowed_ms": row.time_allowed_ms,
        "questions": row.questions,
        "points": row.points,
    })))
}

/// What the page behind a link says that has expired: until when it was good, and who has more.
async fn expired(app: &App, link: &Link) -> Result<Value, Refusal> {
    let campaign = campaigns::row(app, link.campaign).await?.ok_or_else(Refusal::not_found)?;
    let creator = app.node.deps.people.person(campaign.owner).await?;
    Ok(json!({
        "state": "expired",
        "expires_at": link.expires_at,
        "zone": campaign.settings.zone,
        "campaign_title": campaign.settings.title,
        "creator_name": creator.map(|person| person.name),
    }))
}

type SignedIn = ([(HeaderName, HeaderValue); 1], Json<Value>);

/// The deliberate act: this browser is the candidate's from now on.
pub(crate) async fn open(
    State(app): State<Shared>,
    Path(code): Path<String>,
) -> Result<SignedIn, Refusal> {
    let Opens::Session(session) = look_up(&app, &code).await?.ready()?.opens else {
        return Err(Refusal::not_found());
    };
    mark_opened(&app, session).await?;
    let cookie = caller::sign_in(&app, Who::Candidate(session)).await?;
    Ok(([cookie], Json(json!({ "session": session }))))
}

/// The session may be a moment behind its link, which is handed out before its campaign has told it.
async fn mark_opened(app: &App, session: SessionId) -> Result<(), Refusal> {
    let until = app.now() + INVITED;
    loop {
        let state =
            super::sit::look(app, session, |session| (session.id.is_some(), session.has_accepted));
        match state.await? {
            (false, _) if app.now() < until => tokio::time::sleep(AGAIN).await,
            // Who has not said whether they take part is asked first.
            (_, false) => return Ok(()),
            (_, true) => {
                let command = AnyCommand::Session(Box::new(session::Command::Open));
                let (origin, to) = (Origin::Candidate(session), Stream::Session(session));
                return app.ask(origin, to, command).await.map(drop);
            }
        }
    }
}

/// A wall's link opens it at once: there is nothing to decide.
pub(crate) async fn wall(
    State(app): State<Shared>,
    Path(code): Path<String>,
) -> Result<SignedIn, Refusal> {
    let link = look_up(&app, &code).await?.ready()?;
    if link.opens != Opens::Wall {
        return Err(Refusal::not_found());
    }
    let row = campaigns::row(&app, link.campaign).await?.ok_or_else(Refusal::not_found)?;
    let cookie = caller::sign_in(&app, Who::Viewer(link.campaign)).await?;
    let questions = row.questions.iter();
    let questions: Vec<Value> = questions
        .map(|question| json!({ "title": question.title, "points": question.points }))
        .collect();
    let view = json!({
        "campaign": link.campaign,
        "title": row.settings.title,
        "zone": row.settings.zone,
        "names": row.settings.wall,
        "questions": questions,
        "opens_at": row.settings.opens_at,
        "closes_at": row.settings.closes_at,
        "frozen_at": row.settings.wall_frozen_at,
        "time_allowed_ms": row.settings.time_allowed,
    });
    Ok(([cookie], Json(view)))
}
