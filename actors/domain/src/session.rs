//! A session: one candidate's run through one test, from the invitation to the result.

mod clock;
mod command;
mod decide;
mod edits;
mod event;
mod evolve;
mod finish;
mod history;
mod row;
mod rows;
mod sitting;
mod state;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::{
    command::{Command, Refusal},
    event::Event,
    history::History,
    row::{
        CandidateRow, LastVerdict, LateRow, QuestionKind, QuestionRow, QuestionScore, RunRow,
        RunState, SessionRow, TypingRow,
    },
    sitting::{PENALTY_MIN, Results, Shown, Sitting, minutes_between},
    state::{
        Announcement, Answering, Best, Credit, File, Gift, Late, Mark, Pause, Running, Session,
        Stage, Waiting,
    },
};
use crate::{
    aggregate::{Aggregate, Outage, Reaction, Times},
    at::{At, Ms},
    content::Language,
    points::Share,
    rows::RowChange,
    run::Verdict,
    stream::{Origin, Stream},
};

/// How long after the end edits are awaited that were received in time.
pub const GRACE: Ms = Ms(12_000);
/// How long after a session is sealed its events become one segment.
pub const FILED_AFTER: Ms = Ms(60 * 60_000);
/// How many earlier changes of a file an edit can be rebased over.
pub const REBASE_MAX: usize = 128;
/// How many judged runs a session remembers.
pub const JUDGED_MAX: usize = 64;
/// How many marks of a question are kept: a lane of the monitor has no room for more.
pub const MARKS_MAX: usize = 48;
/// How many runs of one session may wait or run at once.
pub const RUNS_WAITING_MAX: usize = 2;
/// How many edits are kept apart at most, and how many bytes each brings at most.
pub const LATE_MAX: usize = 32;
/// How many bytes the changes kept for rebasing bring in, of one file.
pub const REBASE_BYTES_MAX: usize = 512 * 1024;
/// The most time that is given at once.
pub const GIFT_MAX: Ms = Ms(7 * 24 * 3_600_000);
/// How many characters a reason or an announcement has at most.
pub const WORDS_MAX: usize = 1_000;

/// What the creator decides for one candidate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The campaign's title.
    pub title: String,
    pub opens_at: Option<At>,
    pub closes_at: Option<At>,
    pub time_allowed: Ms,
    /// IANA name of the campaign's time zone.
    pub zone: String,
    pub allow_small_screen: bool,
    /// They are told where they stand on the wall.
    #[serde(default)]
    pub shows_place: bool,
}

/// Names one file of an answer. Each language has its own, so that changing it loses nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileKey {
    pub question: u16,
    pub language: Language,
    pub name: String,
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// The shown validators; does not count.
    Examples,
    /// All validators; the best counts.
    All,
    /// One's own input; does not count.
    Free,
    /// What the person types while it runs; does not count.
    Interactive,
    /// The last text, at hand-in and at expiry; counts like [`RunKind::All`].
    Final,
}

impl RunKind {
    /// Whether the result can be the candidate's score.
    pub fn counts(self) -> bool {
        match self {
            Self::All | Self::Final => true,
            Self::Examples | Self::Free | Self::Interactive => false,
        }
    }
}

/// How one validator went, as the candidate may know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct RunResult {
    pub validator: u16,
    pub name: String,
    pub shown: bool,
    /// Of a hidden one only `accepted` or `rejected`.
    pub verdict: Verdict,
    pub cpu_ms: u32,
    pub wall_ms: u32,
    #[cfg_attr(test, ts(type = "number"))]
    pub memory_bytes: u64,
    pub detail: String,
    pub stdout: String,
    pub stderr: String,
    /// What part of the validator's weight was earned; without it all if `accepted`, else nothing.
    /// A candidate is told of those that are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional, type = "number"))]
    pub share: Option<Share>,
}

impl RunResult {
    /// What part of its validator's weight it earned.
    pub fn earned(&self) -> Share {
        let all_or_nothing =
            if self.verdict == Verdict::Accepted { Share::WHOLE } else { Share::NONE };
        self.share.unwrap_or(all_or_nothing)
    }

    /// This, as the candidate may see it.
    pub fn as_told(&self) -> Self {
        Self { share: self.share.filter(|_| self.shown), ..self.clone() }
    }
}

impl Aggregate for Session {
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    const SCHEMA: u32 = 2;

    fn decide(&self, command: Command, times: Times) -> Result<Vec<Event>, Refusal> {
        self.decide_on(command, times)
    }

    fn evolve(&mut self, event: &Event, at: At) {
        self.apply(event, at);
    }

    /// Another campaign than its own has nothing to say to it.
    fn listens_to(&self, origin: Origin) -> bool {
        match origin {
            Origin::Stream(Stream::Campaign(id)) => self.id.is_none() || self.campaign == Some(id),
            Origin::Stream(_) | Origin::Person(_) | Origin::Candidate(_) | Origin::Node => true,
        }
    }

    fn wake_at(&self) -> Option<At> {
        self.next_deadline()
    }

    fn files_at(&self) -> Option<At> {
        let run = self.run.as_ref().filter(|run| !run.is_filed)?;
        run.sealed_at.map(|sealed_at| sealed_at + FILED_AFTER)
    }

    fn is_filed(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.is_filed)
    }

    fn expire() -> Option<Command> {
        Some(Command::Expire)
    }

    fn credit(outage: Outage) -> Option<Command> {
        Some(Command::Credit { outage })
    }

    fn rows(&self, stream: Stream, events: &[(At, Event)]) -> Vec<RowChange> {
        self.rows_changed_by(stream, events)
    }

    fn passing(&self, _stream: Stream, events: &[(At, Event)]) -> Vec<RowChange> {
        self.typing(events).into_iter().collect()
    }

    fn reactions(&self, stream: Stream, event: &Event, cursor: usize) -> Vec<Reaction> {
        if cursor == 0 { self.submit(stream, event).into_iter().collect() } else { vec![] }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "few events answer anything")]
    fn answer(&self, events: &[Event]) -> Option<serde_json::Value> {
        events.iter().find_map(|event| match event {
            Event::Edited { rev, .. } => Some(serde_json::json!({ "rev": rev })),
            Event::EditKeptApart { late, .. } => Some(serde_json::json!({ "late": late })),
            Event::RunAsked { submission, kind, .. } if *kind != RunKind::Final => {
                Some(serde_json::json!({ "submission": submission }))
            }
            _ => None,
        })
    }
}
