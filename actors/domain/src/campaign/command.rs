//! What can be asked of a campaign, what happens to it, and why something may be refused.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Settings;
use crate::{
    aggregate::Refuses,
    at::Ms,
    ids::{PersonId, SessionId},
    plan::Plan,
};

/// What is asked of a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command {
    Create {
        owner: PersonId,
        settings: Settings,
    },
    Configure {
        settings: Settings,
    },
    /// Pins a frozen version of a test.
    Pin {
        plan: Arc<Plan>,
    },
    Add {
        session: SessionId,
        tags: Vec<String>,
    },
    Tag {
        session: SessionId,
        tags: Vec<String>,
    },
    Remove {
        session: SessionId,
    },
    GiveTime {
        to: Gifted,
        by: Ms,
        reason: Option<String>,
    },
    Pause {
        reason: Option<String>,
    },
    Resume,
    Announce {
        text: String,
    },
    Archive,
    Restore,
}

/// Whom time is given to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gifted {
    /// Who is there now.
    All,
    /// Who has this tag now.
    Tag(String),
    One(SessionId),
}

/// What happened to a campaign. The stored form: never edit a variant, add one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Created {
        owner: PersonId,
        settings: Settings,
    },
    Configured {
        settings: Settings,
    },
    Pinned {
        plan: Arc<Plan>,
    },
    CandidateAdded {
        session: SessionId,
        tags: Vec<String>,
    },
    CandidateTagged {
        session: SessionId,
        tags: Vec<String>,
    },
    CandidateRemoved {
        session: SessionId,
    },
    /// Without a session: to all. Kept for what was stored before [`Event::TimeGivenToAll`].
    TimeGiven {
        session: Option<SessionId>,
        by: Ms,
        #[serde(default)]
        reason: Option<String>,
    },
    /// To the first `candidates` of the campaign, who were all at the time.
    TimeGivenToAll {
        by: Ms,
        candidates: usize,
        #[serde(default)]
        reason: Option<String>,
    },
    /// To those who had `tag` at the time.
    TimeGivenToSome {
        sessions: Vec<SessionId>,
        tag: String,
        by: Ms,
        reason: Option<String>,
    },
    Paused {
        #[serde(default)]
        reason: Option<String>,
    },
    Resumed,
    Announced {
        text: String,
    },
    Archived,
    Restored,
}

/// Why something was refused. Shown to the person who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no such campaign")]
    NoSuchCampaign,
    #[error("this campaign exists already")]
    AlreadyCreated,
    #[error("the campaign is archived; restore it first")]
    Archived,
    #[error("a campaign needs a title of at most 200 characters")]
    BadTitle,
    #[error("the deadline must be after the start")]
    DeadlineBeforeStart,
    #[error("the time allowed is between one second and seven days")]
    BadTimeAllowed,
    #[error("choose a test first")]
    NoTest,
    #[error("a test needs at least one question")]
    NoQuestions,
    #[error("there is no such candidate")]
    NoSuchCandidate,
    #[error("this candidate is in the campaign already")]
    AlreadyAdded,
    #[error("a campaign holds 20,000 candidates at most")]
    TooManyCandidates,
    #[error("a candidate has 20 tags of 50 characters at most")]
    BadTags,
    #[error("an announcement has between 1 and 1,000 characters")]
    BadAnnouncement,
    #[error("a reason has 200 characters at most")]
    BadReason,
    #[error("no candidate of this campaign has this tag")]
    NoSuchTag,
}

impl Refuses for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NoSuchCampaign => "no_such_campaign",
            Self::AlreadyCreated => "already_created",
            Self::Archived => "archived",
            Self::BadTitle => "bad_title",
            Self::DeadlineBeforeStart => "deadline_before_start",
            Self::BadTimeAllowed => "bad_time_allowed",
            Self::NoTest => "no_test",
            Self::NoQuestions => "no_questions",
            Self::NoSuchCandidate => "no_such_candidate",
            Self::AlreadyAdded => "already_added",
            Self::TooManyCandidates => "too_many_candidates",
            Self::BadTags => "bad_tags",
            Self::BadAnnouncement => "bad_announcement",
            Self::BadReason => "bad_reason",
            Self::NoSuchTag => "no_such_tag",
        }
    }
}
