//! A submission: one answer handed in, or one trial run, from the queue to the verdicts.

use serde::{Deserialize, Serialize};

use crate::{
    aggregate::{Aggregate, Reaction, Refuses, Times},
    at::At,
    content::{Language, SourceFile},
    ids::{CampaignId, ContentId, SessionId},
    rows::{RowChange, Topic},
    run::{Outcome, ValidatorResult, Verdict},
    session::{self, RunKind, RunResult},
    stream::Stream,
};

/// How many characters of an output a candidate's row carries.
const SHOWN_CHARS: usize = 4_096;

/// What is to be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    pub session: SessionId,
    /// `None` for a creator's preview.
    pub campaign: Option<CampaignId>,
    pub question: u16,
    pub content: ContentId,
    pub version: u32,
    pub kind: RunKind,
    pub language: Language,
    pub files: Vec<SourceFile>,
    /// For a free run.
    pub stdin: Option<String>,
}

/// Names and visibility of a content's validators, as the result needs them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    pub name: String,
    pub shown: bool,
}

/// What is asked of a submission.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command {
    /// By its session.
    Submit(Box<Submitted>),
    /// By the queue: a runner's answer. The first one counts.
    Judge { outcome: Box<Outcome>, validators: Vec<Shown>, attempts: u32 },
}

/// What happened. The stored form: never edit a variant, add one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Submitted(Box<Submitted>),
    Judged { outcome: Box<Outcome>, validators: Vec<Shown>, attempts: u32 },
}

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this was submitted already")]
    AlreadySubmitted,
    #[error("there is no such submission")]
    NotSubmitted,
}

impl Refuses for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadySubmitted => "already_submitted",
            Self::NotSubmitted => "not_submitted",
        }
    }
}

/// The state, folded from events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Submission {
    #[default]
    Absent,
    Queued(Box<Submitted>),
    Judged(Box<Submitted>),
}

/// A row of the topic `queue`: what a runner may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRow {
    pub submitted: Submitted,
    pub at: At,
}

impl Aggregate for Submission {
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    const SCHEMA: u32 = 1;
    const IS_BRIEF: bool = true;

    fn decide(&self, command: Command, _times: Times) -> Result<Vec<Event>, Refusal> {
        match (self, command) {
            (Self::Absent, Command::Submit(submitted)) => Ok(vec![Event::Submitted(submitted)]),
            (_, Command::Submit(_)) => Err(Refusal::AlreadySubmitted),
            (Self::Absent, Command::Judge { .. }) => Err(Refusal::NotSubmitted),
            (Self::Queued(_), Command::Judge { outcome, validators, attempts }) => {
                Ok(vec![Event::Judged { outcome, validators, attempts }])
            }
            // A result is counted once, whoever sends it, however often.
            (Self::Judged(_), Command::Judge { .. }) => Ok(vec![]),
        }
    }

    fn evolve(&mut self, event: &Event, _at: At) {
        match (&mut *self, event) {
            (_, Event::Submitted(submitted)) => *self = Self::Queued(submitted.clone()),
            (Self::Queued(submitted), Event::Judged { .. }) => {
                *self = Self::Judged(submitted.clone());
            }
            (Self::Absent | Self::Judged(_), Event::Judged { .. }) => {}
        }
    }

    fn wake_at(&self) -> Option<At> {
        None
    }

    fn rows(&self, stream: Stream, events: &[(At, Event)]) -> Vec<RowChange> {
        let Stream::Submission(id) = stream else { return vec![] };
        let row = |(at, event): &(At, Event)| match event {
            Event::Submitted(submitted) => {
                let row = QueueRow { submitted: (**submitted).clone(), at: *at };
                vec![RowChange::put(Topic::Queue, id.to_string(), &row)]
            }
            Event::Judged { outcome, .. } => vec![
                RowChange::remove(Topic::Queue, id.to_string()),
                RowChange::put(Topic::Of(stream), "outcome", outcome),
            ],
        };
        events.iter().flat_map(row).collect()
    }

    fn reactions(&self, stream: Stream, event: &Event, cursor: usize) -> Vec<Reaction> {
        let (Self::Judged(submitted) | Self::Queued(submitted)) = self else { return vec![] };
        let Event::Judged { outcome, validators, .. } = event else { return vec![] };
        if cursor > 0 {
            return vec![];
        }
        let Stream::Submission(submission) = stream else { return vec![] };
        let command = session::Command::RecordVerdict {
            submission,
            compiled: outcome.compiled,
            compiler_output: outcome.compiler_output.clone(),
            results: results(submitted.kind, outcome, validators),
        };
        vec![Reaction {
            name: "verdict",
            to: Stream::Session(submitted.session),
            command: serde_json::to_value(command).expect("commands are plain data"),
            may_be_refused: false,
        }]
    }
}

/// The results as the candidate may know them.
fn results(kind: RunKind, outcome: &Outcome, validators: &[Shown]) -> Vec<RunResult> {
    if !outcome.compiled {
        return vec![RunResult::of_compiler()];
    }
    let free = Shown { name: String::new(), shown: true };
    let result = |result: &ValidatorResult| {
        let known = match kind {
            RunKind::Free => Some(&free),
            RunKind::All | RunKind::Examples | RunKind::Final => {
                validators.get(usize::from(result.validator))
            }
        };
        RunResult::of(result, known.unwrap_or(&Shown { name: String::new(), shown: false }))
    };
    outcome.results.iter().map(result).collect()
}

impl RunResult {
    /// Of a hidden validator nothing is told but whether it passed.
    pub fn of(result: &ValidatorResult, known: &Shown) -> Self {
        let text = |text: &str| {
            let characters = if known.shown { SHOWN_CHARS } else { 0 };
            text.chars().take(characters).collect::<String>()
        };
        Self {
            validator: result.validator,
            name: known.name.clone(),
            shown: known.shown,
            verdict: hidden(result.verdict, known.shown),
            cpu_ms: result.cpu_ms,
            wall_ms: result.wall_ms,
            memory_bytes: result.memory_bytes,
            detail: text(&result.detail),
            stdout: text(&result.stdout),
            stderr: text(&result.stderr),
            share: result.share,
        }
    }

    /// Nothing was run.
    fn of_compiler() -> Self {
        Self {
            validator: 0,
            name: String::new(),
            shown: true,
            verdict: Verdict::CompileError,
            cpu_ms: 0,
            wall_ms: 0,
            memory_bytes: 0,
            detail: String::new(),
            stdout: String::new(),
            stderr: String::new(),
            share: None,
        }
    }
}

fn hidden(verdict: Verdict, shown: bool) -> Verdict {
    // A fault of ours is said as such.
    let is_plain = shown || matches!(verdict, Verdict::Accepted | Verdict::InternalError);
    if is_plain { verdict } else { Verdict::Rejected }
}
