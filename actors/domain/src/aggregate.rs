//! The shape shared by everything that is kept as a stream of events.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    at::At,
    ids::CommandId,
    rows::RowChange,
    stream::{Origin, Stream},
};

/// The two moments of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When the gateway read it off the wire, less the measured way there; kept by retries.
    /// Decides only whether something came in time.
    pub received_at: At,
    /// When it is decided; never less than the stream's last `at`.
    pub now: At,
}

/// A state machine folded from events.
pub trait Aggregate:
    Clone + Default + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// What can be asked.
    type Command: DeserializeOwned + Serialize + Clone + Send + Sync + 'static;
    /// What can happen. The stored form: never edit a variant, add one.
    type Event: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// Why it may be refused.
    type Refusal: Refuses;

    /// Grows when a snapshot of before can no longer be read.
    const SCHEMA: u32;

    /// Whether it is asked only once or twice in its life: its owner does not wait for more.
    const IS_BRIEF: bool = false;

    /// Decides what `command` makes happen. Pure: no clock, no I/O, no change of state.
    fn decide(
        &self,
        command: Self::Command,
        times: Times,
    ) -> Result<Vec<Self::Event>, Self::Refusal>;

    /// Whether `origin` may ask anything of it at all.
    fn listens_to(&self, _origin: Origin) -> bool {
        true
    }

    /// Applies one event that was decided at `at`. Total: whatever was stored can be applied.
    fn evolve(&mut self, event: &Self::Event, at: At);

    /// When the stream must look at the clock again; then it is sent [`Self::expire`].
    fn wake_at(&self) -> Option<At>;

    /// When it may be filed, once it is over: its owner stays for that, and sends [`Self::expire`].
    fn files_at(&self) -> Option<At> {
        None
    }

    /// Whether its events are to be kept as one segment from now on.
    fn is_filed(&self) -> bool {
        false
    }

    /// The command that the clock sends. Idempotent, and harmless when too early.
    fn expire() -> Option<Self::Command> {
        None
    }

    /// The command that gives back an outage, for streams with a clock that people race.
    fn credit(_outage: Outage) -> Option<Self::Command> {
        None
    }

    /// What `events` change in the read tables, given the state after them.
    fn rows(&self, stream: Stream, events: &[(At, Self::Event)]) -> Vec<RowChange>;

    /// What `events` let others see for the moment, without keeping it: somebody types.
    fn passing(&self, _stream: Stream, _events: &[(At, Self::Event)]) -> Vec<RowChange> {
        vec![]
    }

    /// What `event` means to other streams, from `cursor` on, at most [`REACTIONS_PAGE`] of them.
    /// An empty page ends it.
    fn reactions(&self, _stream: Stream, _event: &Self::Event, _cursor: usize) -> Vec<Reaction> {
        vec![]
    }

    /// What the sender is told besides "done": the revision of an edit, for one.
    fn answer(&self, _events: &[Self::Event]) -> Option<serde_json::Value> {
        None
    }
}

/// How many reactions one page holds.
pub const REACTIONS_PAGE: usize = 100;

/// A refusal: an answer, shown to the person who asked.
pub trait Refuses: std::error::Error + Send + Sync + 'static {
    /// A stable word for the machine; [`Display`](std::fmt::Display) is for people.
    fn code(&self) -> &'static str;
}

/// Something that one stream has to tell another.
#[derive(Clone, Debug, PartialEq)]
pub struct Reaction {
    /// Part of the command's id, so that telling twice is telling once.
    pub name: &'static str,
    pub to: Stream,
    /// The target's command, as JSON.
    pub command: serde_json::Value,
    /// A refusal is expected now and then, and no bug.
    pub may_be_refused: bool,
}

impl Reaction {
    /// The id under which it is sent, however often.
    pub fn command_id(&self, from: Stream, seq: u64) -> CommandId {
        CommandId::derived(&format!("{from}/{seq}/{}/{}", self.name, self.to))
    }

    /// Who sends it.
    pub fn origin(from: Stream) -> Origin {
        Origin::Stream(from)
    }
}

/// A stretch of time in which a shard's owner could not commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Outage {
    pub from: At,
    pub to: At,
}
