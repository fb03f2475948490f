//! What nodes need of each other: calls, leases on shards, and what all of them hear. Signatures
//! only, as in [`ports`](crate::ports).

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    at::Ms,
    ids::{NodeId, SubmissionId},
    ports::Unavailable,
};

/// Where something is asked or said. Printed, it is the subject that goes over the wire, behind the
/// name of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// Commands for the streams of one shard; its owner serves it, and nobody else.
    Commands(u16),
    /// The queue of runs; served where it is.
    Runs,
    /// One run that goes on; served by the runner that has it.
    Run(SubmissionId),
    /// What nodes say of themselves each second.
    Nodes,
    /// What is said to one node.
    Node(NodeId),
    /// What one node knows of itself; served by it.
    Status(NodeId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commands(shard) => write!(f, "cmd.{shard}"),
            Self::Runs => f.write_str("runs.queue"),
            Self::Run(id) => write!(f, "runs.of.{id}"),
            Self::Nodes => f.write_str("nodes"),
            Self::Node(id) => write!(f, "node.{id}"),
            Self::Status(id) => write!(f, "status.{id}"),
        }
    }
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Known at once: nothing was carried out.
    #[error("nobody serves it")]
    NobodyServes,
    /// Known at once: whoever serves it has too much to do, and carried out nothing.
    #[error("too much is going on there")]
    Busy,
    /// Known at once: it is more than goes over the wire, now or ever.
    #[error("it is too large")]
    TooLarge,
    /// It may have been carried out, or not.
    #[error("no answer came in time")]
    TimedOut,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Calls between nodes, and what is said to all of them. Bounded, and may lose anything.
#[async_trait]
pub trait Wire: Send + Sync {
    /// Asks whoever serves `to`, and waits for the answer for at most `within`.
    async fn call(&self, to: Subject, body: Bytes, within: Duration) -> Result<Bytes, CallError>;

    /// Answers calls of `subject` by `serve` until the answer is dropped; then nobody serves it,
    /// while calls that were taken are still answered. Calls are carried out side by side. Of several
    /// nodes that serve it one is asked; commands are put to each of them, and the first answer counts.
    async fn serve(
        &self,
        subject: Subject,
        serve: Arc<dyn Serve>,
    ) -> Result<Box<dyn Serving>, Unavailable>;

    /// Says `body` to all that hear `subject` now, this node included, without waiting for anybody.
    fn tell(&self, subject: Subject, body: Bytes);

    /// Everything that is said on `subject` from now on.
    async fn hear(&self, subject: Subject) -> Result<Box<dyn Hearing>, Unavailable>;
}

/// Answers calls.
#[async_trait]
pub trait Serve: Send + Sync {
    /// Always answers; what goes wrong is said in the answer.
    async fn answer(&self, body: Bytes) -> Bytes;
}

/// Calls are served until it is dropped.
pub trait Serving: Send + Sync {}

/// One listener's view of what is said.
#[async_trait]
pub trait Hearing: Send {
    /// The next thing said; `None` when the wire is gone. Cancelling it loses nothing.
    async fn next(&mut self) -> Option<Bytes>;
}

/// Who holds a shard, as of `revision`, which grows with each renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub owner: NodeId,
    pub revision: u64,
}

/// Why a lease could not be written.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// It is not, or no more, as whoever wrote believed.
    #[error("the lease is another's by now")]
    Changed,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Leases on shards, one each: hints of who owns what. The epoch is the proof.
#[async_trait]
pub trait Leases: Send + Sync {
    /// After how long without a renewal a lease is free.
    fn ttl(&self) -> Ms;

    /// All that are held. Those whose time is over may be among them for a while.
    async fn all(&self) -> Result<BTreeMap<u16, Lease>, Unavailable>;

    /// Takes or renews the lease of `shard` for `owner`, if it is as of revision `after` (`None`:
    /// nobody holds it). Answers the new revision.
    async fn put(&self, shard: u16, owner: NodeId, after: Option<u64>) -> Result<u64, LeaseError>;

    /// Gives the lease of `shard` back, if it is as of `revision`.
    async fn release(&self, shard: u16, revision: u64) -> Result<(), LeaseError>;
}

/// What all gateways remember together, for a while. It may be emptied at any moment, and be away:
/// then it knows nothing, and whoever asks does without.
#[async_trait]
pub trait Cache: Send + Sync {
    /// What was put under `key`, if it is known and its time is not over.
    async fn get(&self, key: &str) -> Option<Bytes>;

    /// Keeps `value` under `key` for so long.
    async fn put(&self, key: &str, value: Bytes, ttl: Ms);

    /// Forgets what is under `key`.
    async fn forget(&self, key: &str);

    /// Whether `name` may do something once more, at a rate of `burst` at once and one more after
    /// each `every` (the "generic cell rate algorithm"), by the cache's own clock. `None` when it
    /// is away.
    async fn allow(&self, name: &str, burst: i64, every: Ms) -> Option<bool>;
}
