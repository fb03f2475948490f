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

/// So often a submission is given to a runner; then it gets an honest verdict on us.
pub const ATTEMPTS_MAX: u32 = 3;
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
    /// By a runner, before it runs it: should that take the server down with it, it is known.
    Take,
    /// By a runner that stops in good order: its attempt does not count.
    GiveBack { attempt: u32 },
    /// By a runner: its answer. The first one counts, even of one that was given up for lost.
    Judge { outcome: Box<Outcome>, validators: Vec<Shown>, attempts: u32 },
}

/// What happened. The stored form: never edit a variant, add one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Submitted(Box<Submitted>),
    Judged { outcome: Box<Outcome>, validators: Vec<Shown>, attempts: u32 },
    Taken { attempt: u32 },
    GivenBack { attempt: u32 },
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
    Queued {
        submitted: Box<Submitted>,
        /// How often a runner has taken it.
        attempts: u32,
    },
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

    const SCHEMA: u32 = 2;
    const IS_BRIEF: bool = true;

    fn decide(&self, command: Command, _times: Times) -> Result<Vec<Event>, Refusal> {
        match (self, command) {
            (Self::Absent, Command::Submit(submitted)) => Ok(vec![Event::Submitted(submitted)]),
            (_, Command::Submit(_)) => Err(Refusal::AlreadySubmitted),
            (Self::Absent, Command::Judge { .. } | Command::Take | Command::GiveBack { .. }) => {
                Err(Refusal::NotSubmitted)
            }
            (Self::Queued { .. }, Command::Judge { outcome, validators, attempts }) => {
                Ok(vec![Event::Judged { outcome, validators, attempts }])
            }
            (Self::Queued { attempts, .. }, Command::Take) if ATTEMPTS_MAX <= *attempts => {
                Ok(vec![given_up(*attempts)])
            }
            (Self::Queued { attempts, .. }, Command::Take) => {
                Ok(vec![Event::Taken { attempt: attempts + 1 }])
            }
            (Self::Queued { attempts, .. }, Command::GiveBack { attempt })
                if *attempts == attempt && attempt > 0 =>
            {
                Ok(vec![Event::GivenBack { attempt }])
            }
            // A result is counted once, whoever sends it, however often.
            (Self::Queued { .. }, Command::GiveBack { .. })
            | (Self::Judged(_), Command::Judge { .. } | Command::Take | Command::GiveBack { .. }) => {
                Ok(vec![])
            }
        }
    }

    fn evolve(&mut self, event: &Event, _at: At) {
        match (&mut *self, event) {
            (_, Event::Submitted(submitted)) => {
                *self = Self::Queued { submitted: submitted.clone(), attempts: 0 };
            }
            (Self::Queued { submitted, .. }, Event::Judged { .. }) => {
                *self = Self::Judged(submitted.clone());
            }
            (Self::Queued { attempts, .. }, Event::Taken { attempt }) => *attempts = *attempt,
            (Self::Queued { attempts, .. }, Event::GivenBack { attempt }) => {
                *attempts = attempt.saturating_sub(1);
            }
            (
                Self::Absent | Self::Judged(_),
                Event::Judged { .. } | Event::Taken { .. } | Event::GivenBack { .. },
            ) => {}
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
            Event::Taken { .. } | Event::GivenBack { .. } => vec![],
        };
        events.iter().flat_map(row).collect()
    }

    fn reactions(&self, stream: Stream, event: &Event, cursor: usize) -> Vec<Reaction> {
        let (Self::Judged(submitted) | Self::Queued { submitted, .. }) = self else {
            return vec![];
        };
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

    /// To a runner that took it: which attempt this is. Nothing: there is nothing to be run.
    fn answer(&self, events: &[Event]) -> Option<serde_json::Value> {
        events.iter().find_map(|event| match event {
            Event::Taken { attempt } => Some(serde_json::json!({ "attempt": attempt })),
            Event::Submitted(_) | Event::Judged { .. } | Event::GivenBack { .. } => None,
        })
    }
}

/// It cost us a runner each time; it is not to do so for ever.
fn given_up(attempts: u32) -> Event {
    let (outcome, validators) = out_of_order("this could not be run on our side, three times");
    Event::Judged { outcome: Box::new(outcome), validators, attempts }
}

/// A verdict on us, in words that the candidate sees.
pub fn out_of_order(why: &str) -> (Outcome, Vec<Shown>) {
    let result = ValidatorResult::unmeasured(0, Verdict::InternalError, why.to_owned());
    let (compiler_output, isolation) = (String::new(), String::new());
    let outcome = Outcome { compiled: true, compiler_output, results: vec![result], isolation };
    (outcome, vec![Shown { name: String::new(), shown: true }])
}

/// The results as the candidate may know them.
fn results(kind: RunKind, outcome: &Outcome, validators: &[Shown]) -> Vec<RunResult> {
    if !outcome.compiled {
        return vec![RunResult::of_compiler()];
    }
    let free = Shown { name: String::new(), shown: true };
    let result = |result: &ValidatorResult| {
        let known = match kind {
            RunKind::Free | RunKind::Interactive => Some(&free),
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

#[cfg(test)]
mod tests;
