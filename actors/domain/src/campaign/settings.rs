//! What a creator sets for a campaign, and its rows.

use serde::{Deserialize, Serialize};

use super::{Refusal, TIME_ALLOWED_MAX};
use crate::{
    at::{At, Ms},
    ids::{CampaignId, PersonId, SessionId, TestId},
};

/// What a creator sets for all candidates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Settings {
    pub title: String,
    /// IANA name of the zone in which dates are shown, such as `Europe/Paris`.
    pub zone: String,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub opens_at: Option<At>,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub closes_at: Option<At>,
    /// In ms.
    #[cfg_attr(test, ts(type = "number"))]
    pub time_allowed: Ms,
    /// May be sat on a screen under 600 pixels.
    pub allow_small_screen: bool,
    pub wall: WallNames,
    /// Until when links open that are issued from now on; without it, for 90 days.
    #[serde(default)]
    #[cfg_attr(test, ts(type = "number | null"))]
    pub links_expire_at: Option<At>,
    /// From then on the wall tells only that somebody tried; `None` shows, or reveals, everything.
    #[serde(default)]
    #[cfg_attr(test, ts(type = "number | null"))]
    pub wall_frozen_at: Option<At>,
    /// By what the wall orders people.
    #[serde(default)]
    pub wall_rules: WallRules,
    /// Candidates see on their own page where they stand on the wall, if there is one.
    #[serde(default)]
    pub shows_place: bool,
}

impl Settings {
    /// Whether candidates are told where they stand.
    pub fn tells_places(&self) -> bool {
        self.shows_place && self.wall != WallNames::Off
    }

    /// The same, unless something about it cannot be.
    pub(super) fn checked(self) -> Result<Self, Refusal> {
        let length = self.title.trim().chars().count();
        if !(1..=200).contains(&length) || 64 < self.zone.len() {
            return Err(Refusal::BadTitle);
        }
        if !(Ms(1_000)..=TIME_ALLOWED_MAX).contains(&self.time_allowed) {
            return Err(Refusal::BadTimeAllowed);
        }
        match (self.opens_at, self.closes_at) {
            (Some(opens_at), Some(closes_at)) if closes_at <= opens_at => {
                Err(Refusal::DeadlineBeforeStart)
            }
            _ => Ok(self),
        }
    }
}

/// By what the wall orders people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum WallRules {
    /// Points, the more the better; then minutes to each question's best, together.
    #[default]
    Points,
    /// Questions solved; then minutes until each was, with [`PENALTY_MIN`] for each run rejected
    /// before (the rules of the ICPC).
    ///
    /// [`PENALTY_MIN`]: crate::session::PENALTY_MIN
    Icpc,
}

/// What the wall calls people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum WallNames {
    /// There is no wall.
    #[default]
    Off,
    Names,
    Initials,
    Aliases,
}

/// Row `campaign` of `campaign.<id>`, and the campaign's row in the list of all.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct CampaignRow {
    #[cfg_attr(test, ts(type = "string"))]
    pub campaign: CampaignId,
    #[cfg_attr(test, ts(type = "string"))]
    pub owner: PersonId,
    pub settings: Settings,
    #[cfg_attr(test, ts(type = "string | null"))]
    pub test: Option<TestId>,
    pub test_version: u32,
    pub test_title: String,
    pub questions: Vec<QuestionHead>,
    pub candidates: usize,
    pub is_paused: bool,
    #[serde(default)]
    pub pause_reason: Option<String>,
    pub is_archived: bool,
    pub edition: u32,
}

/// A question, as results are headed by it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct QuestionHead {
    pub title: String,
    #[cfg_attr(test, ts(type = "number"))]
    pub points: crate::points::Points,
    pub tags: Vec<String>,
}

/// Row `candidate.<session>` of `campaign.<id>`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InvitedRow {
    pub session: SessionId,
    pub tags: Vec<String>,
}
