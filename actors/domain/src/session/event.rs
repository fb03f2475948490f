//! What happens to a session: the stored form, for ever.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{FileKey, RunKind, RunResult, Terms};
use crate::{
    aggregate::Outage,
    at::{At, Ms},
    content::{Language, SourceFile},
    ids::{CampaignId, SeatId, SessionId, SubmissionId},
    plan::Plan,
    text::Changes,
};

/// What happened to a session. The stored form: never edit a variant, add one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Invited {
        session: SessionId,
        campaign: Option<CampaignId>,
        terms: Terms,
        plan: Arc<Plan>,
    },
    InvitedAgain,
    TermsChanged {
        terms: Terms,
    },
    Repinned {
        plan: Arc<Plan>,
    },
    Accepted,
    Declined {
        reason: Option<String>,
    },
    Sent,
    Opened,
    Cancelled,
    Started {
        ends_at: At,
        seat: SeatId,
    },
    /// A question with a limit of its own begins.
    QuestionOpened {
        question: u16,
        ends_at: At,
    },
    QuestionTimeUp {
        question: u16,
    },
    QuestionSealed {
        question: u16,
    },
    SeatTaken {
        seat: SeatId,
    },
    Edited {
        file: FileKey,
        rev: u32,
        changes: Changes,
        caret: u32,
    },
    FileAdded {
        file: FileKey,
    },
    FileDeleted {
        file: FileKey,
    },
    LanguageChosen {
        question: u16,
        language: Language,
    },
    Answered {
        question: u16,
        choices: Vec<u16>,
    },
    CaretMoved {
        file: FileKey,
        caret: u32,
    },
    WentTo {
        question: u16,
    },
    RunAsked {
        submission: SubmissionId,
        question: u16,
        kind: RunKind,
        language: Language,
        revision: u32,
        files: Vec<SourceFile>,
        stdin: Option<String>,
    },
    Judged {
        submission: SubmissionId,
        compiled: bool,
        compiler_output: String,
        results: Vec<RunResult>,
    },
    TimeUp,
    HandedIn,
    Sealed,
    /// An outage of ours was given back.
    Credited {
        outage: Outage,
        by: Ms,
        ends_at: At,
    },
    /// The creator gave time to this candidate.
    TimeGiven {
        by: Ms,
        ends_at: Option<At>,
        #[serde(default)]
        reason: Option<String>,
    },
    /// The creator moved the deadline or the time allowed.
    Extended {
        ends_at: At,
    },
    Paused {
        #[serde(default)]
        reason: Option<String>,
    },
    Resumed {
        by: Ms,
        ends_at: At,
    },
    /// The campaign is paused before this candidate has started.
    Held {
        #[serde(default)]
        reason: Option<String>,
    },
    /// The campaign goes on, and this candidate may start.
    Released,
    Announced {
        text: String,
    },
    /// Received too late to count; see [`Event::LateAccepted`].
    EditKeptApart {
        late: u32,
        file: FileKey,
        base_rev: u32,
        changes: Changes,
        received_at: At,
    },
    /// Nothing more is expected: its events become one segment.
    Filed,
    LateAccepted {
        late: u32,
        rev: u32,
        changes: Changes,
    },
}
