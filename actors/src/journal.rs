//! An aggregate and its stream: decide, store, apply, publish; in that order.

mod batch;

use std::{collections::VecDeque, sync::Arc};

use domain::{
    aggregate::Aggregate,
    at::At,
    ports::{AppendError, Loaded, Snapshot, Unavailable},
    rows::Topic,
    stream::{Recorded, Stream},
};

use crate::{answered::Answered, deps::Deps, placement::Hold};

/// How many events one read of the store returns at most.
const READ_LIMIT: usize = 1_000;
/// How often it is loaded again because somebody wrote meanwhile.
const LOADS_MAX: usize = 5;
/// A snapshot is taken after so many events.
const SNAPSHOT_EVERY: u64 = 200;
/// Fewer than these are as quickly read as a snapshot.
const SNAPSHOT_WORTH: u64 = 8;
/// The epoch of a stream's own topic, which resumes across owners.
pub const STREAM_EPOCH: u64 = 1;

/// Why a journal can go on no more: its owner stops, and whoever asks again loads another.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Not the owner's fault: somebody else writes, or the store is away.
    #[error("{0}")]
    Lost(#[from] AppendError),
    /// An event that cannot be read: a bug, or damage.
    #[error("event {seq} of {stream} cannot be read: {why}")]
    Undecodable { stream: Stream, seq: u64, why: serde_json::Error },
}

impl From<Unavailable> for Failure {
    fn from(unavailable: Unavailable) -> Self {
        Self::Lost(AppendError::Unavailable(unavailable))
    }
}

/// The state of `A` as of event `seq` of its stream. An actor owns one and nobody else does.
pub struct Journal<A: Aggregate> {
    deps: Deps,
    stream: Stream,
    epoch: u64,
    /// While it is good, what was decided without an append is answered.
    hold: Option<Hold>,
    seq: u64,
    rows_seq: u64,
    last_at: At,
    snapshot_seq: u64,
    /// Shared with who tells others of it.
    state: Arc<A>,
    answered: Answered,
    /// Events with something to tell to other streams, oldest first.
    untold: VecDeque<(u64, Arc<A::Event>)>,
}

impl<A: Aggregate> Journal<A> {
    /// Reads the stream: its snapshot, then the events after it.
    pub async fn load(stream: Stream, epoch: u64, deps: Deps) -> Result<Self, Failure> {
        for _ in 0..LOADS_MAX {
            let loaded = deps.store.load(stream, A::SCHEMA, READ_LIMIT).await?;
            let seq = loaded.head.seq;
            let journal = Self::read_to(stream, loaded, epoch, deps.clone()).await?;
            // Otherwise the owner before wrote meanwhile, and what it has to tell is not in the head.
            if journal.seq == seq {
                if journal.rows_seq > 0 {
                    journal.deps.heads.set(Topic::Of(stream), STREAM_EPOCH, journal.rows_seq);
                }
                return Ok(journal);
            }
        }
        Err(AppendError::Conflict.into())
    }

    /// Answers refusals, and what it remembers, only while `hold` is good: somebody else may have
    /// decided otherwise since.
    pub(crate) fn answering_while(mut self, hold: Hold) -> Self {
        self.hold = Some(hold);
        self
    }

    /// The state as it is stored, to look at only.
    pub(crate) async fn read(stream: Stream, deps: Deps) -> Result<Arc<A>, Failure> {
        let loaded = deps.store.load(stream, A::SCHEMA, READ_LIMIT).await?;
        Ok(Self::read_to(stream, loaded, 0, deps).await?.state)
    }

    async fn read_to(
        stream: Stream,
        loaded: Loaded,
        epoch: u64,
        deps: Deps,
    ) -> Result<Self, Failure> {
        let Loaded { head, snapshot, events } = loaded;
        let read = |snapshot: &Snapshot| serde_json::from_slice::<(A, At)>(&snapshot.body).ok();
        let start = snapshot.as_ref().and_then(|found| Some((found.seq, read(found)?)));
        let (seq, (state, last_at)) = start.unwrap_or_default();
        let answered = Answered::since(deps.clock.now());
        let mut journal = Self {
            deps,
            stream,
            epoch,
            hold: None,
            seq,
            rows_seq: head.rows_seq,
            last_at,
            snapshot_seq: seq,
            state: Arc::new(state),
            answered,
            untold: VecDeque::new(),
        };
        if let Some(untold) = head.untold.filter(|untold| *untold <= seq) {
            journal.find_untold(untold, seq).await?;
        }
        // Those behind a snapshot that cannot be read are of no use.
        if snapshot.is_none_or(|found| found.seq == seq) {
            journal.replay(events, head.untold)?;
        }
        while journal.seq < head.seq {
            let page = journal.deps.store.read(stream, journal.seq, READ_LIMIT).await?;
            if page.is_empty() {
                break;
            }
            journal.replay(page, head.untold)?;
        }
        Ok(journal)
    }

    /// Applies what is stored after `self.seq`.
    fn replay(&mut self, events: Vec<Recorded>, untold: Option<u64>) -> Result<(), Failure> {
        for recorded in events {
            assert_eq!(recorded.seq, self.seq + 1, "{} has a gap", self.stream);
            let event = self.decode(&recorded)?;
            Arc::make_mut(&mut self.state).evolve(&event, recorded.at);
            self.seq = recorded.seq;
            self.last_at = recorded.at;
            if untold.is_some_and(|untold| untold <= recorded.seq) {
                self.untold.push_back((recorded.seq, Arc::new(event)));
            }
        }
        Ok(())
    }

    /// Events from before the snapshot that were not told to the end.
    async fn find_untold(&mut self, from: u64, to: u64) -> Result<(), Failure> {
        let mut after = from - 1;
        while after < to {
            let page = self.deps.store.read(self.stream, after, READ_LIMIT).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.seq;
            for recorded in page.iter().filter(|recorded| recorded.seq <= to) {
                self.untold.push_back((recorded.seq, Arc::new(self.decode(recorded)?)));
            }
        }
        Ok(())
    }

    fn decode(&self, recorded: &Recorded) -> Result<A::Event, Failure> {
        let (stream, seq) = (self.stream, recorded.seq);
        serde_json::from_slice(&recorded.body).map_err(|why| Failure::Undecodable {
            stream,
            seq,
            why,
        })
    }

    /// Keeps what is needed to go on later: a snapshot, or of what is filed one segment.
    pub(crate) async fn put_away(&mut self) {
        if !self.state.is_filed() {
            if SNAPSHOT_WORTH <= self.seq - self.snapshot_seq {
                self.snapshot().await;
            }
            return;
        }
        if let Err(error) = self.deps.store.compact(self.stream, self.epoch).await {
            tracing::warn!(stream = %self.stream, %error, "a finished stream was not compacted");
        }
    }

    /// Keeps the state, to load faster. It is a cache: failing to is no failure.
    pub(crate) async fn snapshot(&mut self) {
        if self.seq == self.snapshot_seq {
            return;
        }
        let body = serde_json::to_vec(&(&*self.state, self.last_at)).expect("state is plain data");
        let snapshot = Snapshot { seq: self.seq, schema: A::SCHEMA, body: body.into() };
        if let Err(error) = self.deps.store.save_snapshot(self.stream, snapshot).await {
            tracing::warn!(stream = %self.stream, %error, "no snapshot was kept");
        }
        self.snapshot_seq = self.seq;
    }

    /// The oldest event that other streams have to be told.
    pub(crate) fn untold(&self) -> Option<(u64, Arc<A::Event>)> {
        self.untold.front().map(|(seq, event)| (*seq, Arc::clone(event)))
    }

    /// Everything up to `seq` was told.
    pub(crate) async fn told(&mut self, seq: u64) -> Result<(), Failure> {
        while self.untold.front().is_some_and(|(untold, _)| *untold <= seq) {
            self.untold.pop_front();
        }
        let untold = self.untold.front().map(|(seq, _)| *seq);
        Ok(self.deps.store.told(self.stream, self.epoch, untold).await?)
    }

    /// The time, as this journal's commands see it.
    pub fn now(&self) -> At {
        self.deps.clock.now()
    }

    /// The state, to read elsewhere.
    pub(crate) fn shared(&self) -> Arc<A> {
        Arc::clone(&self.state)
    }

    /// The state, to read.
    pub fn state(&self) -> &A {
        &self.state
    }

    /// The last event's place.
    pub fn seq(&self) -> u64 {
        self.seq
    }
}
