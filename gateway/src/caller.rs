//! Who sends a request: cookies become people, on the server's word only.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::{
    at::{At, Ms},
    blob::sha256_hex,
    ids::{PersonId, SessionId},
    people::{HttpSession, Person, Role, Who},
    ports::Unavailable,
    rows::Topic,
    stream::{Origin, Stream},
};

use crate::{
    access::Relation,
    app::{App, Shared},
    error::Refusal,
    live::Key,
    secret,
};

/// An account is signed out after so long without a request…
const IDLE: Ms = Ms(7 * 24 * 3_600_000);
/// …and after so long in any case. A link's own end is checked with the link.
const ABSOLUTE: Ms = Ms(60 * 24 * 3_600_000);
/// How exactly `seen_at` is kept.
const SEEN: Ms = Ms(60_000);

/// Everybody that one browser is, at once: a creator may preview a test in another tab.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    pub(crate) person: Option<Person>,
    pub(crate) candidate: Option<SessionId>,
    pub(crate) viewer: Option<domain::ids::CampaignId>,
    /// SHA-256 of each cookie by which that is known, as [`COOKIES`] has them.
    tokens: [Option<String>; 3],
}

/// Which cookie is whose.
const PERSON: &str = "polycode";
const CANDIDATE: &str = "polycode_sit";
const VIEWER: &str = "polycode_wall";
const COOKIES: [&str; 3] = [PERSON, CANDIDATE, VIEWER];

impl FromRequestParts<Shared> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Infallible> {
        Ok(Self::read(app, &parts.headers).await)
    }
}

impl Caller {
    /// Who sends these headers. When the store is away, nobody.
    pub(crate) async fn read(app: &App, headers: &HeaderMap) -> Self {
        Self::look_up(app, headers).await.unwrap_or_default()
    }

    /// Who sends these headers.
    pub(crate) async fn look_up(app: &App, headers: &HeaderMap) -> Result<Self, Unavailable> {
        let token = |name| cookie(headers, name).map(|token| sha256_hex(token.as_bytes()));
        Self::by(app, COOKIES.map(token)).await
    }

    /// Who it is by now.
    pub(crate) async fn again(&self, app: &App) -> Result<Self, Unavailable> {
        Self::by(app, self.tokens.clone()).await
    }

    /// By which cookies it is known.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = String> {
        self.tokens.iter().flatten().cloned()
    }

    async fn by(app: &App, tokens: [Option<String>; 3]) -> Result<Self, Unavailable> {
        let mut caller = Self::default();
        for (name, token) in COOKIES.into_iter().zip(&tokens) {
            let Some(token) = token else { continue };
            match known(app, token).await? {
                Some(Who::Person(id, _)) if name == PERSON => {
                    let person = app.node.deps.people.person(id).await?;
                    caller.person = person.filter(|person| person.disabled_at.is_none());
                }
                Some(Who::Candidate(session)) if name == CANDIDATE => {
                    caller.candidate = Some(session);
                }
                Some(Who::Viewer(campaign)) if name == VIEWER => caller.viewer = Some(campaign),
                _ => {}
            }
        }
        Ok(Self { tokens, ..caller })
    }

    /// The account, or a refusal.
    pub(crate) fn person(&self) -> Result<&Person, Refusal> {
        self.person.as_ref().ok_or_else(Refusal::not_signed_in)
    }

    /// The account's id, if it may see or change what belongs to `owner`.
    pub(crate) fn maker(&self, owner: PersonId) -> Result<PersonId, Refusal> {
        let person = self.person()?;
        let is_theirs = person.role == Role::Administrator || person.id == owner;
        if is_theirs { Ok(person.id) } else { Err(Refusal::not_found()) }
    }

    /// All that this caller is.
    pub(crate) fn all(&self) -> Vec<Who> {
        let person = self.person.as_ref().map(|person| Who::Person(person.id, person.role));
        let candidate = self.candidate.map(Who::Candidate);
        [person, candidate, self.viewer.map(Who::Viewer)].into_iter().flatten().collect()
    }
}

/// In whose name commands are sent.
pub(crate) fn origin(who: Who) -> Option<Origin> {
    match who {
        Who::Person(id, _) => Some(Origin::Person(id)),
        Who::Candidate(session) => Some(Origin::Candidate(session)),
        Who::Viewer(_) => None,
    }
}

/// How `who` stands to a topic or stream.
pub(crate) async fn relation(app: &App, who: Who, topic: Topic) -> Result<Relation, Refusal> {
    let is_own = match (who, topic) {
        (Who::Candidate(session), Topic::Of(Stream::Session(of))) => session == of,
        (Who::Candidate(session), Topic::Output(submission)) => {
            let own = Topic::Of(Stream::Session(session));
            app.node.deps.store.row(own, &format!("run.{submission}")).await?.is_some()
        }
        (Who::Candidate(session), Topic::Place(of)) => {
            let contact = app.node.deps.people.contact(session).await?;
            contact.is_some_and(|contact| contact.campaign == of)
        }
        (Who::Viewer(campaign), Topic::Wall(of)) => campaign == of,
        (Who::Person(id, _), Topic::Monitor(of) | Topic::Wall(of)) => {
            crate::api::campaigns::owner(app, of).await? == Some(id)
        }
        (Who::Person(id, _), Topic::Of(Stream::Session(session))) => {
            match app.node.deps.people.contact(session).await? {
                Some(contact) => {
                    crate::api::campaigns::owner(app, contact.campaign).await? == Some(id)
                }
                None => false,
            }
        }
        _ => false,
    };
    Ok(if is_own { Relation::Own } else { Relation::Other })
}

async fn known(app: &App, token_sha256: &str) -> Result<Option<Who>, Unavailable> {
    let people = &app.node.deps.people;
    let Some(mut session) = people.http_session(token_sha256).await? else { return Ok(None) };
    let now = app.now();
    let is_person = matches!(session.who, Who::Person(..));
    if ABSOLUTE < now - session.created_at || (is_person && IDLE < now - session.seen_at) {
        people.end_http_session(&session.token_sha256).await.ok();
        return Ok(None);
    }
    if SEEN < now - session.seen_at {
        session.seen_at = now;
        people.save_http_session(session.clone()).await.ok();
    }
    Ok(Some(session.who))
}

/// Signs `who` in on this browser: the header with its cookie.
pub(crate) async fn sign_in(
    app: &App,
    who: Who,
) -> Result<(header::HeaderName, HeaderValue), Refusal> {
    let token = secret::token();
    let now = app.now();
    let token_sha256 = sha256_hex(token.as_bytes());
    let session = HttpSession { token_sha256, who, created_at: now, seen_at: now };
    app.node.deps.people.save_http_session(session).await?;
    let name = match who {
        Who::Person(..) => PERSON,
        Who::Candidate(_) => CANDIDATE,
        Who::Viewer(_) => VIEWER,
    };
    Ok((header::SET_COOKIE, set_cookie(app, name, &token, ABSOLUTE)))
}

/// Signs the account of this browser out.
pub(crate) async fn sign_out(
    app: &App,
    headers: &HeaderMap,
) -> Result<(header::HeaderName, HeaderValue), Refusal> {
    if let Some(token) = cookie(headers, PERSON) {
        let token_sha256 = sha256_hex(token.as_bytes());
        app.node.deps.people.end_http_session(&token_sha256).await?;
        app.live.end(app, &Key::Token(token_sha256));
    }
    Ok((header::SET_COOKIE, set_cookie(app, PERSON, "", Ms(0))))
}

fn set_cookie(app: &App, name: &str, token: &str, valid: Ms) -> HeaderValue {
    let secure = if app.url.starts_with("https:") { "; Secure" } else { "" };
    let seconds = valid.0 / 1_000;
    let cookie =
        format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&cookie).expect("a token is plain text")
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|one| one.to_str().ok());
    let mut pairs =
        cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

/// Refuses what another site's page sends with our cookies: a request that changes something, or a
/// socket, comes from our own pages or from no page at all.
pub(crate) async fn same_origin(State(_): State<Shared>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let is_socket = headers.contains_key(header::UPGRADE);
    if (!reads || is_socket) && !is_same_origin(headers) {
        let text = "this request comes from another site";
        return Refusal::new(StatusCode::FORBIDDEN, "other_origin", text).into_response();
    }
    next.run(request).await
}

fn is_same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    matches!((origin, host), (Some((_, origin)), Some(host)) if origin == host)
}

/// When a moment lies in the past.
pub(crate) fn is_over(at: Option<At>, now: At) -> bool {
    at.is_some_and(|at| at <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_another_site_is_not_our_own() {
        let headers = |origin: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("exam.example:8080"));
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            headers
        };
        assert!(is_same_origin(&headers("https://exam.example:8080")));
        assert!(!is_same_origin(&headers("https://evil.example")));
        assert!(!is_same_origin(&headers("null")));
        assert!(is_same_origin(&HeaderMap::new()));
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("a=1; polycode_sit=x; polycode=y"));
        assert_eq!(cookie(&headers, PERSON), Some("y"));
        assert_eq!(cookie(&headers, CANDIDATE), Some("x"));
        assert_eq!(cookie(&headers, VIEWER), None);
    }
}
