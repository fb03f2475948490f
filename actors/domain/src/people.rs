//! People: accounts, candidates' contacts, links. All of it is personal, so none of it is ever in
//! an event, a log line or a subject.

use serde::{Deserialize, Serialize};

use crate::{
    at::At,
    ids::{CampaignId, PersonId, SessionId},
};

/// What somebody with an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Full rights on every resource.
    Administrator,
    /// Makes contents, tests and campaigns, and sees their own.
    Creator,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub id: PersonId,
    pub email: String,
    pub name: String,
    pub role: Role,
    /// A PHC string (argon2id), as <https://github.com/P-H-C/phc-string-format> has it; empty until
    /// a password was chosen, and then nobody signs in.
    pub password_hash: String,
    /// A link with which a password is chosen, once.
    pub welcome: Option<Welcome>,
    /// Since when nobody signs in.
    pub disabled_at: Option<At>,
}

/// A one-time link with which somebody chooses their password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// SHA-256 of its token, hexadecimal: a stolen database lets nobody in.
    pub token_sha256: String,
    pub until: At,
}

/// Who a candidate is, to their campaign's creator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    pub session: SessionId,
    pub campaign: CampaignId,
    pub email: String,
    pub name: String,
    /// What the wall shows when it shows aliases.
    pub alias: String,
}

/// A secret address that lets somebody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// A random UUID.
    pub code: String,
    pub campaign: CampaignId,
    pub opens: Opens,
    pub created_at: At,
    pub expires_at: Option<At>,
    pub revoked_at: Option<At>,
}

/// What a link opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opens {
    /// A candidate's session.
    Session(SessionId),
    /// A campaign's leaderboard.
    Wall,
}

/// Somebody who is signed in on one browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSession {
    /// SHA-256 of the cookie, hexadecimal: a stolen database lets nobody in.
    pub token_sha256: String,
    pub who: Who,
    pub created_at: At,
    /// Last used, to within a minute.
    pub seen_at: At,
}

/// Who sends something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    Person(PersonId, Role),
    /// Somebody who opened a candidate's link.
    Candidate(SessionId),
    /// Somebody who opened a wall's link.
    Viewer(CampaignId),
}
