//! The rows of a session, as they go to the page.

use serde::{Deserialize, Serialize};

use super::{Announcement, Best, Credit, Gift, Mark, Pause, RunKind, RunResult, Stage};
use crate::{
    at::{At, Ms},
    content::Language,
    ids::{CampaignId, SeatId, SessionId, SubmissionId},
    points::Points,
    run::Verdict,
    status::Status,
};

/// Row `session` of the topic `session.<id>`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct SessionRow {
    pub status: Status,
    /// The candidate said that they take part.
    pub accepted: bool,
    pub campaign_title: String,
    pub test_title: String,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub opens_at: Option<At>,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub closes_at: Option<At>,
    pub zone: String,
    #[cfg_attr(test, ts(type = "number"))]
    pub time_allowed_ms: Ms,
    /// What the creator gave before the start besides, in ms.
    #[cfg_attr(test, ts(type = "number"))]
    pub extra_ms: Ms,
    /// By how much credits, pauses and gifts moved the end, in ms.
    #[cfg_attr(test, ts(type = "number"))]
    pub shift_ms: Ms,
    /// Questions come one after the other.
    pub linear: bool,
    pub questions: usize,
    #[cfg_attr(test, ts(type = "number"))]
    pub points: Points,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub started_at: Option<At>,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub ends_at: Option<At>,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub time_up_at: Option<At>,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub sealed_at: Option<At>,
    pub handed_in: bool,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub paused_at: Option<At>,
    /// The campaign is paused: nobody starts.
    pub held: bool,
    /// Why it is paused, or held, in the creator's words.
    pub pause_reason: Option<String>,
    /// The last time that the creator gave.
    pub gift: Option<Gift>,
    pub current: u16,
    #[cfg_attr(test, ts(type = "string | null"))]
    pub seat: Option<SeatId>,
    pub credits: Vec<Credit>,
    pub allow_small_screen: bool,
    /// The campaign on whose wall they are told their place: the topic `place.<campaign>`.
    #[cfg_attr(test, ts(type = "string | null"))]
    pub place: Option<CampaignId>,
    pub announcement: Option<Announcement>,
    pub preview: bool,
    pub edits: u32,
}

/// Row `question.<n>` of the topic `session.<id>`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct QuestionRow {
    pub n: u16,
    /// `null` until its time has come.
    pub title: Option<String>,
    #[cfg_attr(test, ts(type = "number"))]
    pub points: Points,
    pub kind: QuestionKind,
    pub tags: Vec<String>,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub limit_ms: Option<Ms>,
    pub state: Stage,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub ends_at: Option<At>,
    /// Something was typed or picked.
    pub answered: bool,
    pub runs: u32,
    pub best: Option<Best>,
    /// The text is another than the one that was last judged.
    pub changed_since_run: bool,
    pub language: Option<Language>,
    pub choices: Vec<u16>,
}

/// What kind of question it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum QuestionKind {
    Code,
    Quiz,
}

/// Row `run.<submission>` of the topic `session.<id>`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct RunRow {
    #[cfg_attr(test, ts(type = "string"))]
    pub submission: SubmissionId,
    pub question: u16,
    pub kind: RunKind,
    pub language: Language,
    pub revision: u32,
    #[cfg_attr(test, ts(type = "number"))]
    pub at: At,
    pub state: RunState,
    /// Of the validators that it is for; `null` until it is judged.
    pub passed: Option<u32>,
    pub total: u32,
    /// `null` until it is judged.
    pub compiled: Option<bool>,
    pub compiler_output: String,
    pub results: Vec<RunResult>,
}

/// Where a run stands, as it is stored. That it runs is told by the topic `output.<submission>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Queued,
    Judged,
}

/// Row `late.<n>` of the topic `session.<id>`: an edit that came too late.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct LateRow {
    pub late: u32,
    pub question: u16,
    pub name: String,
    /// How many characters it brings.
    pub text_chars: usize,
    /// When it was received.
    #[cfg_attr(test, ts(type = "number"))]
    pub at: At,
    pub accepted: bool,
}

/// One candidate, for the monitor, the results and the wall.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct CandidateRow {
    #[cfg_attr(test, ts(type = "string"))]
    pub session: SessionId,
    pub status: Status,
    pub decline_reason: Option<String>,
    pub current: u16,
    #[cfg_attr(test, ts(type = "number"))]
    pub time_allowed_ms: Ms,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub started_at: Option<At>,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub ends_at: Option<At>,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub time_up_at: Option<At>,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub sealed_at: Option<At>,
    pub handed_in: bool,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub paused_at: Option<At>,
    #[cfg_attr(test, ts(type = "number"))]
    pub shift_ms: Ms,
    pub credits: Vec<Credit>,
    #[serde(default)]
    pub pauses: Vec<Pause>,
    /// Validators passed, and all of them, over all questions of code.
    pub passed: u32,
    pub total: u32,
    #[cfg_attr(test, ts(type = "number"))]
    pub score: Points,
    pub questions: Vec<QuestionScore>,
    pub last_verdict: Option<LastVerdict>,
    /// When it asked for each run that waits, oldest first.
    #[cfg_attr(test, ts(type = "number[]"))]
    pub waiting: Vec<At>,
    pub edits: u32,
    /// Edits in each minute since the start.
    pub minutes: Vec<u16>,
    pub seats: usize,
    pub lates: usize,
    pub late_accepted: usize,
}

/// How one question stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct QuestionScore {
    #[cfg_attr(test, ts(type = "number"))]
    pub score: Points,
    #[cfg_attr(test, ts(type = "number"))]
    pub points: Points,
    pub passed: u32,
    pub total: u32,
    pub answered: bool,
    pub runs: u32,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub best_at: Option<At>,
    /// What it was worth when, oldest first.
    #[serde(default)]
    pub marks: Vec<Mark>,
}

/// The last run's verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct LastVerdict {
    pub verdict: Verdict,
    pub cpu_ms: u32,
    #[cfg_attr(test, ts(type = "number"))]
    pub at: At,
}

/// Row `typing.<session>` of the topic `candidates.<campaign>`, which is never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypingRow {
    /// When the last edit was committed.
    pub at: At,
    /// Edits since the start.
    pub edits: u32,
}
