//! What can be asked of a session, and why it may be refused.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{FileKey, RunKind, RunResult, Terms};
use crate::{
    aggregate::{Outage, Refuses},
    at::Ms,
    content::Language,
    ids::{CampaignId, SeatId, SessionId, SubmissionId},
    plan::Plan,
    text::Changes,
};

/// What is asked of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command {
    /// By the campaign, or by a creator who previews a test.
    Invite {
        session: SessionId,
        campaign: Option<CampaignId>,
        terms: Terms,
        plan: Arc<Plan>,
    },
    ChangeTerms {
        terms: Terms,
    },
    Repin {
        plan: Arc<Plan>,
    },
    GiveTime {
        by: Ms,
        #[serde(default)]
        reason: Option<String>,
    },
    Pause {
        #[serde(default)]
        reason: Option<String>,
    },
    Resume,
    Announce {
        text: String,
    },
    Cancel,
    /// By the creator: the link was copied or marked as sent.
    MarkSent,
    /// By the creator: a late edit counts after all.
    AcceptLate {
        late: u32,
    },
    /// By the candidate, before the test.
    Accept,
    Decline {
        reason: Option<String>,
    },
    Open,
    Start {
        seat: SeatId,
    },
    /// By the candidate, during the test.
    TakeSeat {
        seat: SeatId,
    },
    Edit {
        seat: SeatId,
        file: FileKey,
        base_rev: u32,
        changes: Changes,
        caret: u32,
    },
    AddFile {
        seat: SeatId,
        file: FileKey,
    },
    DeleteFile {
        seat: SeatId,
        file: FileKey,
    },
    ChooseLanguage {
        seat: SeatId,
        question: u16,
        language: Language,
    },
    Answer {
        seat: SeatId,
        question: u16,
        choices: Vec<u16>,
    },
    Caret {
        seat: SeatId,
        file: FileKey,
        caret: u32,
    },
    GoTo {
        seat: SeatId,
        question: u16,
    },
    Run {
        seat: SeatId,
        question: u16,
        kind: RunKind,
        stdin: Option<String>,
    },
    NextQuestion {
        seat: SeatId,
    },
    HandIn {
        seat: SeatId,
    },
    /// By a submission.
    RecordVerdict {
        submission: SubmissionId,
        compiled: bool,
        compiler_output: String,
        results: Vec<RunResult>,
    },
    /// By the node: the time may be up.
    Expire,
    /// By the node: it could not commit.
    Credit {
        outage: Outage,
    },
}

/// Why something was refused. Shown to the person who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no such invitation")]
    NotInvited,
    #[error("this invitation was made already")]
    AlreadyInvited,
    #[error("this is not possible at this stage of the test")]
    WrongStage,
    #[error("the campaign has not opened yet")]
    NotOpenYet,
    #[error("the campaign is closed")]
    Closed,
    #[error("the test has no questions yet")]
    NoQuestions,
    #[error("the test is not running")]
    NotRunning,
    #[error("the time is up")]
    TimeIsUp,
    #[error("the clocks are paused")]
    Paused,
    #[error("this test goes on on another device")]
    SeatTaken,
    #[error("there is no such question")]
    NoSuchQuestion,
    #[error("this question is not open")]
    QuestionNotOpen,
    #[error("this is the last question; hand in instead")]
    LastQuestion,
    #[error("there is no such file")]
    NoSuchFile,
    #[error("a file of this name exists already")]
    FileExists,
    #[error("a file name has letters, digits, dots, dashes and underscores, 64 at most")]
    BadFileName,
    #[error("there are as many files as there may be")]
    TooManyFiles,
    #[error("the file has grown too long")]
    TooLong,
    #[error("the edit does not fit the text; reload the file")]
    DoesNotFit,
    #[error("this language is not allowed here")]
    LanguageNotAllowed,
    #[error("there is no such choice")]
    NoSuchChoice,
    #[error("wait until your earlier runs are judged")]
    TooManyRuns,
    #[error("there is no such run")]
    NoSuchRun,
    #[error("there is no such edit")]
    NoSuchEdit,
}

impl Refuses for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NotInvited => "not_invited",
            Self::AlreadyInvited => "already_invited",
            Self::WrongStage => "wrong_stage",
            Self::NotOpenYet => "not_open_yet",
            Self::Closed => "closed",
            Self::NoQuestions => "no_questions",
            Self::NotRunning => "not_running",
            Self::TimeIsUp => "time_is_up",
            Self::Paused => "paused",
            Self::SeatTaken => "seat_taken",
            Self::NoSuchQuestion => "no_such_question",
            Self::QuestionNotOpen => "question_not_open",
            Self::LastQuestion => "last_question",
            Self::NoSuchFile => "no_such_file",
            Self::FileExists => "file_exists",
            Self::BadFileName => "bad_file_name",
            Self::TooManyFiles => "too_many_files",
            Self::TooLong => "too_long",
            Self::DoesNotFit => "does_not_fit",
            Self::LanguageNotAllowed => "language_not_allowed",
            Self::NoSuchChoice => "no_such_choice",
            Self::TooManyRuns => "too_many_runs",
            Self::NoSuchRun => "no_such_run",
            Self::NoSuchEdit => "no_such_edit",
        }
    }
}
