//! People: accounts, candidates' contacts, links. All of it is personal, so none of it is ever in
//! an event, a log line or a subject.

use serde::{Deserialize, Serialize};

use crate::{
    aggregate::Refuses,
    at::{At, Ms},
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

const DAY: Ms = Ms(24 * 3_600_000);
/// How long a link opens when nobody says until when.
const LINK_LASTS: Ms = Ms(90 * DAY.0);
/// How long at most.
const LINK_LASTS_MAX: Ms = Ms(2 * 366 * DAY.0);

impl Link {
    /// Until when a link opens that is issued `now`: as its creator asks, else as the campaign has
    /// it for all links, else for 90 days.
    pub fn lasts_until(asked: Option<At>, of_all: Option<At>, now: At) -> Result<At, LinkRefusal> {
        let until = asked.or(of_all).unwrap_or(now + LINK_LASTS);
        let fits = now < until && until <= now + LINK_LASTS_MAX;
        fits.then_some(until).ok_or(LinkRefusal::BadExpiry)
    }
}

/// Why no link was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkRefusal {
    #[error("a link expires at a moment that is still to come, within two years")]
    BadExpiry,
}

impl Refuses for LinkRefusal {
    fn code(&self) -> &'static str {
        match self {
            Self::BadExpiry => "bad_expiry",
        }
    }
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpSession {
    /// SHA-256 of the cookie, hexadecimal: a stolen database lets nobody in.
    pub token_sha256: String,
    pub who: Who,
    pub created_at: At,
    /// Last used, to within a minute.
    pub seen_at: At,
}

/// Who sends something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Who {
    Person(PersonId, Role),
    /// Somebody who opened a candidate's link.
    Candidate(SessionId),
    /// Somebody who opened a wall's link.
    Viewer(CampaignId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_lasts_as_asked_else_as_the_campaign_says_else_ninety_days() {
        let now = At(1_000);
        let until = |asked: Option<i64>, of_all: Option<i64>| {
            Link::lasts_until(asked.map(At), of_all.map(At), now)
        };
        assert_eq!(until(Some(5_000), Some(7_000)), Ok(At(5_000)));
        assert_eq!(until(None, Some(7_000)), Ok(At(7_000)));
        assert_eq!(until(None, None), Ok(now + LINK_LASTS));
        assert_eq!(until(Some(1_000), None), Err(LinkRefusal::BadExpiry));
        assert_eq!(until(None, Some(999)), Err(LinkRefusal::BadExpiry));
        assert_eq!(until(Some(now.0 + LINK_LASTS_MAX.0 + 1), None), Err(LinkRefusal::BadExpiry));
    }
}
