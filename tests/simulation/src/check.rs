//! The checker: holds what a cluster did against what it promises. A pure function of its logs and of
//! what people saw, for simulations and for real processes alike.

mod clocks;
mod frames;
mod log;
mod sessions;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use domain::{
    aggregate::Outage,
    at::{At, Ms},
    command::Answer,
    ids::{CommandId, SessionId},
    session::FileKey,
    stream::{Origin, Recorded, Stream},
};

/// Everything that is known of a run. What is not known is left empty, and not checked.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The logs as they are in the end.
    pub streams: BTreeMap<Stream, Vec<Recorded>>,
    /// Who wrote what. Without a look into the store: from the answers to commands that were sent
    /// only once, since those are their writer's.
    pub wrote: Vec<Wrote>,
    /// Each answer that somebody got.
    pub asked: Vec<Asked>,
    pub pages: Vec<Watched>,
    /// What candidates believe to be kept.
    pub typed: BTreeMap<SessionId, Typed>,
    /// What each shard's table says.
    pub outages: BTreeMap<u16, Vec<Outage>>,
    /// When something was wrong for somebody, by the true time.
    pub troubles: Vec<(At, At)>,
    /// Everything came to rest: what is still missing is lost.
    pub is_over: bool,
}

/// Events that were written together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrote {
    pub stream: Stream,
    pub from_seq: u64,
    pub to_seq: u64,
    pub epoch: u64,
    /// The true time.
    pub at: At,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Asked {
    pub to: Stream,
    pub origin: Origin,
    pub command_id: CommandId,
    pub answer: Answer,
}

/// Rows that came to a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub seq: u64,
    /// What it follows; `None` after a reset.
    pub prev: Option<u64>,
    pub rows: Vec<(String, Option<Bytes>)>,
}

/// What one page got of a stream's topic, and what the store has in the end.
#[derive(Clone, Debug)]
pub struct Watched {
    pub stream: Stream,
    pub frames: Vec<Frame>,
    /// What the page shows in the end.
    pub shows: BTreeMap<String, Bytes>,
    pub stored: BTreeMap<String, Bytes>,
}

/// What a candidate believes to be kept of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    pub file: FileKey,
    pub text: String,
    /// How many edits they were told came too late, and are kept apart.
    pub lates: usize,
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub rule: Rule,
    /// Of which stream.
    pub stream: Stream,
    pub what: String,
}

/// The promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Places follow each other without gaps, and time does not go back.
    LogIsWhole,
    /// An acknowledged command is in the log, once, where its answer says.
    AcknowledgedOnce,
    /// Asked again, it is answered alike.
    AnsweredAlike,
    /// What was refused did not happen.
    RefusedIsNothing,
    /// Epochs never go down along a stream, and no place was written twice.
    OneWriter,
    /// Frames follow each other, or everything is sent anew.
    FramesFollow,
    /// A page shows in the end what is stored.
    PagesConverge,
    /// Each run has one verdict.
    JudgedOnce,
    /// Nobody's time is up early.
    NeverEarly,
    /// Nor late, but by an outage.
    NotLate,
    /// Credits are for outages, and each moment of one is given back once.
    CreditsAreOutages,
    /// Each outage is given back.
    OutagesAreCredited,
    /// What was acknowledged of what somebody typed is stored.
    NothingTypedLost,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}: {}", self.rule, self.stream, self.what)
    }
}

/// Collects findings.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, rule: Rule, stream: Stream, what: String) {
        self.0.push(Finding { rule, stream, what });
    }
}

/// The most by which an end may be late without anything wrong, and around an outage.
const LATE_MAX: Ms = Ms(150);
const LATE_MAX_IN_TROUBLE: Ms = Ms(6_000);

/// Everything that was promised and not kept.
pub fn check(history: &History) -> Vec<Finding> {
    let mut findings = Findings::default();
    log::check(history, &mut findings);
    frames::check(history, &mut findings);
    sessions::check(history, &mut findings);
    findings.0
}
