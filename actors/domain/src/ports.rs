//! What the program needs from the world: signatures only. Each port has a real implementation and
//! one in memory, and one contract suite holds both to their word.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    aggregate::Outage,
    at::At,
    blob::Blob,
    frame::RowsFrame,
    ids::CommandId,
    people::{Contact, HttpSession, Link, Person, Who},
    rows::{RowChange, Topic},
    run::{Job, Outcome, Progress, Typed},
    session::Sitting,
    stream::{Head, Recorded, Stream},
};

/// Tells the time. The one place it comes from.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> At;
}

/// The store did not answer, or answered that it cannot: gone, full, locked. Nobody's fault here;
/// try again later.
#[derive(Debug, thiserror::Error)]
#[error("the store is unavailable: {0:#}")]
pub struct Unavailable(#[from] pub anyhow::Error);

/// Why a store is [`Unavailable`] until somebody makes room; until then, reading goes on.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the disk is full")]
pub struct DiskFull;

impl Unavailable {
    /// Whether the disk is full: nothing of the write is there, and asking again soon is no use.
    pub fn is_disk_full(&self) -> bool {
        self.0.is::<DiskFull>()
    }
}

/// One command's events, with all that is written in their transaction.
#[derive(Clone, Debug)]
pub struct Append {
    pub stream: Stream,
    /// The epoch under which its writer owns the stream's shard: the fence.
    pub epoch: u64,
    /// The seq of the stream's last event, as its writer knows it.
    pub expected_seq: u64,
    /// At least one; `seq` goes on from `expected_seq` without gaps. May come from several commands.
    pub events: Vec<Recorded>,
    pub wake_at: Option<At>,
    pub untold: Option<u64>,
    /// Applied in order; a later change of the same row wins.
    pub rows: Vec<RowChange>,
}

/// Why an append did not happen. Each append of a batch is answered alone.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error("the stream is not at the expected event")]
    Conflict,
    #[error("the shard belongs to another epoch")]
    Fenced,
    /// One of its commands is stored already; `seq` is that of its last event.
    #[error("the command was carried out before, as event {seq}")]
    Duplicate { command_id: CommandId, seq: u64 },
    #[error("the stream was erased")]
    Gone,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A state as of `seq`: a cache of the events until there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub seq: u64,
    /// [`Aggregate::SCHEMA`](crate::aggregate::Aggregate::SCHEMA) of its writer.
    pub schema: u32,
    pub body: Bytes,
}

/// What an owner reads of a stream to go on with it, as of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    pub head: Head,
    pub snapshot: Option<Snapshot>,
    /// The events behind the snapshot, as many as were asked for.
    pub events: Vec<Recorded>,
}

/// One row of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub key: String,
    /// The seq of the event that changed it last, in the stream that wrote it.
    pub seq: u64,
    /// JSON; `None` is a tombstone.
    pub value: Option<Bytes>,
}

/// Which rows of a topic to read; in order of key.
#[derive(Clone, Debug)]
pub struct RowQuery {
    pub topic: Topic,
    /// Only keys behind this one: the last of the page before.
    pub after_key: Option<String>,
    /// Only rows changed by a later event than this. With `Some`, tombstones are among them; with
    /// `None` they are not.
    pub changed_after: Option<u64>,
    /// How many at most.
    pub limit: usize,
}

/// Append-only streams of events with one writer each, and the rows that follow from them.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Appends all or nothing, durably: when it answers `Ok`, a power cut takes nothing back.
    async fn append(&self, append: Append) -> Result<(), AppendError>;

    /// Where `stream` stands; all zero for one that nobody wrote to. Fails with
    /// [`AppendError::Gone`] when it was erased.
    async fn head(&self, stream: Stream) -> Result<Head, AppendError>;

    /// Reads up to `limit` events with `seq > after_seq`, in order, whether they are single events
    /// or in a segment.
    async fn read(
        &self,
        stream: Stream,
        after_seq: u64,
        limit: usize,
    ) -> Result<Vec<Recorded>, Unavailable>;

    /// The seq of the last event of a command, if it is stored.
    async fn find(
        &self,
        stream: Stream,
        origin: &str,
        command_id: CommandId,
    ) -> Result<Option<u64>, Unavailable>;

    /// The latest snapshot, if its schema is `schema`.
    async fn snapshot(&self, stream: Stream, schema: u32) -> Result<Option<Snapshot>, Unavailable>;

    /// [`Self::head`], [`Self::snapshot`] and up to `limit` events behind it, at once.
    async fn load(&self, stream: Stream, schema: u32, limit: usize) -> Result<Loaded, AppendError> {
        let head = self.head(stream).await?;
        let snapshot = self.snapshot(stream, schema).await?;
        let after = snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
        let events = self.read(stream, after, limit).await?;
        Ok(Loaded { head, snapshot, events })
    }

    /// Keeps `snapshot`, unless there is one of a higher seq with the same schema.
    async fn save_snapshot(&self, stream: Stream, snapshot: Snapshot) -> Result<(), Unavailable>;

    /// Moves the mark of what is not yet told on to `untold`, if the shard's epoch is still `epoch`.
    async fn told(
        &self,
        stream: Stream,
        epoch: u64,
        untold: Option<u64>,
    ) -> Result<(), AppendError>;

    /// Up to `limit` streams of `shards` (`None`: of all) whose `wake_at` is not later than `until`
    /// or with something untold: first the untold, then the earliest.
    async fn due(
        &self,
        until: At,
        shards: Option<&[u16]>,
        limit: usize,
    ) -> Result<Vec<(Stream, Head)>, Unavailable>;

    /// Reads rows.
    async fn rows(&self, query: RowQuery) -> Result<Vec<Row>, Unavailable>;

    /// Reads one row; `None` for a tombstone too.
    async fn row(&self, topic: Topic, key: &str) -> Result<Option<Row>, Unavailable>;

    /// Turns the single events of a finished stream into one compressed segment and drops its
    /// snapshot. Reading it stays the same. `find` goes on to know its commands.
    async fn compact(&self, stream: Stream, epoch: u64) -> Result<(), AppendError>;

    /// Deletes everything that `stream` left: events, segments, snapshots, its own topic's rows,
    /// its place in the queue.
    /// Every later append is [`AppendError::Gone`].
    async fn erase(&self, stream: Stream, at: At) -> Result<(), Unavailable>;
}

/// A shard as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    pub id: u16,
    pub epoch: u64,
    /// Who took it last.
    pub owner: Option<String>,
    /// The last sign of life of its owner.
    pub alive_at: Option<At>,
}

/// Who owns which shard, and since when.
#[async_trait]
pub trait Shards: Send + Sync {
    /// Takes `shard` for `owner`: its epoch grows by one, fencing all earlier owners. Records the
    /// outage from the last sign of life of the owner before until `now`, if there was one.
    /// Answers the new epoch.
    async fn take(&self, shard: u16, owner: &str, now: At) -> Result<u64, Unavailable>;

    /// As [`Self::take`], of each of `shards` that is still of the epoch given with it; whatever else
    /// was taken by somebody else meanwhile and is left alone. Answers those it took, by id, with
    /// their new epochs.
    async fn take_after(
        &self,
        shards: &[(u16, u64)],
        owner: &str,
        now: At,
    ) -> Result<Vec<(u16, u64)>, Unavailable>;

    /// All shards as they stand, by id.
    async fn shards(&self) -> Result<Vec<Shard>, Unavailable>;

    /// The time by the clock that all nodes of this store share; `None` where there is only the
    /// node's own. The answer is as old as the way back.
    async fn clock(&self) -> Result<Option<At>, Unavailable>;

    /// A sign of life: all of `shards` (with their epochs) could commit at `now`, and could not
    /// during their `outages`, which are kept with it or not at all. Answers those that are no
    /// longer of that epoch, of which nothing is kept.
    async fn alive(
        &self,
        shards: &[(u16, u64)],
        outages: &[(u16, Outage)],
        now: At,
    ) -> Result<Vec<u16>, Unavailable>;

    /// The outages of each of `shards` that ended after `since`, those of one shard in order.
    async fn outages_of(
        &self,
        shards: &[u16],
        since: At,
    ) -> Result<Vec<(u16, Outage)>, Unavailable> {
        let mut all = vec![];
        for shard in shards {
            let outages = self.outages(*shard, since).await?;
            all.extend(outages.into_iter().map(|outage| (*shard, outage)));
        }
        Ok(all)
    }

    /// The outages of `shard` that ended after `since`, in order.
    async fn outages(&self, shard: u16, since: At) -> Result<Vec<Outage>, Unavailable>;
}

/// Large bytes under the SHA-256 of what they are.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Keeps `bytes` and names them. Keeping them twice is keeping them once.
    async fn put(&self, bytes: Bytes) -> Result<Blob, Unavailable>;

    /// The bytes of that SHA-256 (64 hexadecimal characters).
    async fn get(&self, sha256: &str) -> Result<Option<Bytes>, Unavailable>;
}

/// Why a person could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    #[error("this email address is in use already")]
    EmailTaken,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Personal data, which is never in events: accounts, candidates' names and addresses, links, and
/// who is signed in.
#[async_trait]
pub trait People: Send + Sync {
    /// Adds an account. Emails are compared without case.
    async fn add_person(&self, person: Person) -> Result<(), PeopleError>;

    /// Overwrites the account of the same id.
    async fn save_person(&self, person: Person) -> Result<(), PeopleError>;

    async fn person(&self, id: crate::ids::PersonId) -> Result<Option<Person>, Unavailable>;

    async fn person_by_email(&self, email: &str) -> Result<Option<Person>, Unavailable>;

    /// All accounts, by name.
    async fn persons(&self) -> Result<Vec<Person>, Unavailable>;

    /// How many administrators there are that may sign in.
    async fn administrators(&self) -> Result<u64, Unavailable>;

    /// Adds or overwrites a candidate's contact. Fails with [`PeopleError::EmailTaken`] when
    /// another candidate of the same campaign has that address.
    async fn save_contact(&self, contact: Contact) -> Result<(), PeopleError>;

    async fn contact(&self, session: crate::ids::SessionId)
    -> Result<Option<Contact>, Unavailable>;

    /// All contacts of a campaign, by name.
    async fn contacts(&self, campaign: crate::ids::CampaignId)
    -> Result<Vec<Contact>, Unavailable>;

    /// The contacts of these, in no order; who has none is left out.
    async fn contacts_of(
        &self,
        sessions: &[crate::ids::SessionId],
    ) -> Result<Vec<Contact>, Unavailable>;

    /// Adds or overwrites a link, by its code.
    async fn save_link(&self, link: Link) -> Result<(), Unavailable>;

    async fn link(&self, code: &str) -> Result<Option<Link>, Unavailable>;

    /// All links of a campaign, oldest first.
    async fn links(&self, campaign: crate::ids::CampaignId) -> Result<Vec<Link>, Unavailable>;

    /// Adds or overwrites an HTTP session, by the hash of its token.
    async fn save_http_session(&self, session: HttpSession) -> Result<(), Unavailable>;

    async fn http_session(&self, token_sha256: &str) -> Result<Option<HttpSession>, Unavailable>;

    async fn end_http_session(&self, token_sha256: &str) -> Result<(), Unavailable>;

    /// Ends all HTTP sessions of `who`, on every browser.
    async fn sign_out_everywhere(&self, who: Who) -> Result<(), Unavailable>;

    /// Erases a candidate's contact, links and HTTP sessions.
    async fn erase_contact(&self, session: crate::ids::SessionId) -> Result<(), Unavailable>;
}

/// Carries rows to whoever watches. Bounded, and may drop: every frame says which one it follows.
pub trait Bus: Send + Sync {
    /// Hands `frame` to all that watch its topic now, without waiting for any of them.
    fn publish(&self, frame: Arc<Published>);

    /// Everything published on `topic` from now on.
    fn subscribe(&self, topic: Topic) -> Box<dyn Subscription>;
}

/// A frame with its text, written once for all sockets.
#[derive(Debug)]
pub struct Published {
    pub frame: RowsFrame,
    /// [`RowsFrame::write`] of it; empty for topics that no page watches.
    pub text: Bytes,
    /// What a wall needs of the candidate's row in it. Only within the process that wrote the row:
    /// who hears it from another reads the row.
    pub sitting: Option<Arc<Sitting>>,
}

impl Published {
    pub fn new(frame: RowsFrame, text: Bytes) -> Self {
        Self { frame, text, sitting: None }
    }
}

/// One watcher's view of a topic.
#[async_trait]
pub trait Subscription: Send {
    /// What comes next; `None` when the bus is gone. Cancelling it loses nothing.
    async fn next(&mut self) -> Option<Heard>;

    /// The same with what else has come already, in order, up to `limit`: who hears much wakes up
    /// seldom. Empty when the bus is gone.
    async fn next_many(&mut self, limit: usize) -> Vec<Heard> {
        debug_assert!(limit > 0, "who wants nothing hears nothing");
        self.next().await.into_iter().collect()
    }
}

/// What a watcher of a topic hears.
#[derive(Clone, Debug)]
pub enum Heard {
    Frame(Arc<Published>),
    /// Something may have been lost before what comes next: read again.
    Gap,
}

impl Heard {
    /// The frame, unless it is a gap.
    pub fn frame(self) -> Option<Arc<Published>> {
        match self {
            Self::Frame(published) => Some(published),
            Self::Gap => None,
        }
    }
}

/// Runs code that nobody trusts.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// Which walls stand on this machine, in words ("namespaces, seccomp, landlock, rlimits").
    fn isolation(&self) -> String;

    /// Compiles `job` and runs it on each of its inputs, telling what happens meanwhile by `tell`,
    /// which must not block. Always answers: what goes wrong on our side is
    /// [`InternalError`](crate::run::Verdict::InternalError). Dropping the future kills the run.
    async fn run(&self, job: &Job, tell: &(dyn Fn(Progress) + Send + Sync)) -> Outcome;

    /// As [`Self::run`], of a person's own run, which they can stop and, if its
    /// [`Typing::is_open`], type into: standard input is then what they type. A sandbox that cannot
    /// be typed into runs it on the input that is there.
    async fn converse(
        &self,
        job: &Job,
        _typing: &mut dyn Typing,
        tell: &(dyn Fn(Progress) + Send + Sync),
    ) -> Outcome {
        self.run(job, tell).await
    }
}

/// What a person does with their own run while it goes on.
#[async_trait]
pub trait Typing: Send + Sync {
    /// Whether anything will be typed; otherwise the run has all its input from the beginning.
    fn is_open(&self) -> bool;

    /// The next thing; waits for ever when the person does nothing more. Cancelling it loses
    /// nothing.
    async fn next(&mut self) -> Typed;
}
