//! A store with faults, for tests: the n-th append fails, waits, or loses its answer, as a plan
//! says. What the plan does not name goes through untouched.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::{
    at::At,
    ids::CommandId,
    ports::{Append, AppendError, EventStore, Loaded, Row, RowQuery, Snapshot, Unavailable},
    rows::Topic,
    stream::{Head, Recorded, Stream},
};

/// What happens to an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not written, and unavailable is the answer.
    Fail,
    /// It is written, and unavailable is the answer.
    LoseAnswer,
    /// It is written after this long, on tokio's clock.
    Delay(Duration),
    /// It is written, and its answer comes after this long, on tokio's clock.
    DelayAnswer(Duration),
}

/// Which appends fail, by their number from 0 in the order in which they come.
pub type Plan = BTreeMap<u64, Fault>;

/// A store in front of another one, with faults.
#[derive(Debug)]
pub struct Flaky<S> {
    inner: Arc<S>,
    plan: Plan,
    appends: AtomicU64,
    away: AtomicBool,
}

impl<S> Flaky<S> {
    /// `inner`, with the faults of `plan`.
    pub fn new(inner: Arc<S>, plan: Plan) -> Self {
        Self { inner, plan, appends: AtomicU64::new(0), away: AtomicBool::new(false) }
    }

    /// The store behind, which has no faults.
    pub fn inner(&self) -> &Arc<S> {
        &self.inner
    }

    /// How many appends came so far.
    pub fn appends(&self) -> u64 {
        self.appends.load(Ordering::SeqCst)
    }

    /// From now on everything is unavailable, or nothing is any more. An append that came before
    /// goes on.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    fn here(&self) -> Result<&S, Unavailable> {
        if self.away.load(Ordering::SeqCst) { Err(away()) } else { Ok(&self.inner) }
    }
}

fn away() -> Unavailable {
    Unavailable(anyhow::anyhow!("a test planned this fault"))
}

#[async_trait]
impl<S: EventStore> EventStore for Flaky<S> {
    async fn append(&self, append: Append) -> Result<(), AppendError> {
        let inner = self.here()?;
        let fault = self.plan.get(&self.appends.fetch_add(1, Ordering::SeqCst));
        match fault {
            None => inner.append(append).await,
            Some(Fault::Fail) => Err(away().into()),
            Some(Fault::LoseAnswer) => {
                inner.append(append).await?;
                Err(away().into())
            }
            Some(Fault::Delay(length)) => {
                tokio::time::sleep(*length).await;
                inner.append(append).await
            }
            Some(Fault::DelayAnswer(length)) => {
                let answer = inner.append(append).await;
                tokio::time::sleep(*length).await;
                answer
            }
        }
    }

    async fn head(&self, stream: Stream) -> Result<Head, AppendError> {
        self.here()?.head(stream).await
    }

    async fn read(
        &self,
        stream: Stream,
        after_seq: u64,
        limit: usize,
    ) -> Result<Vec<Recorded>, Unavailable> {
        self.here()?.read(stream, after_seq, limit).await
    }

    async fn find(
        &self,
        stream: Stream,
        origin: &str,
        command_id: CommandId,
    ) -> Result<Option<u64>, Unavailable> {
        self.here()?.find(stream, origin, command_id).await
    }

    async fn snapshot(&self, stream: Stream, schema: u32) -> Result<Option<Snapshot>, Unavailable> {
        self.here()?.snapshot(stream, schema).await
    }

    async fn load(&self, stream: Stream, schema: u32, limit: usize) -> Result<Loaded, AppendError> {
        self.here()?.load(stream, schema, limit).await
    }

    async fn save_snapshot(&self, stream: Stream, snapshot: Snapshot) -> Result<(), Unavailable> {
        self.here()?.save_snapshot(stream, snapshot).await
    }

    async fn told(
        &self,
        stream: Stream,
        epoch: u64,
        untold: Option<u64>,
    ) -> Result<(), AppendError> {
        self.here()?.told(stream, epoch, untold).await
    }

    async fn due(
        &self,
        until: At,
        shards: Option<&[u16]>,
        limit: usize,
    ) -> Result<Vec<(Stream, Head)>, Unavailable> {
        self.here()?.due(until, shards, limit).await
    }

    async fn rows(&self, query: RowQuery) -> Result<Vec<Row>, Unavailable> {
        self.here()?.rows(query).await
    }

    async fn row(&self, topic: Topic, key: &str) -> Result<Option<Row>, Unavailable> {
        self.here()?.row(topic, key).await
    }

    async fn compact(&self, stream: Stream, epoch: u64) -> Result<(), AppendError> {
        self.here()?.compact(stream, epoch).await
    }

    async fn erase(&self, stream: Stream, at: At) -> Result<(), Unavailable> {
        self.here()?.erase(stream, at).await
    }
}
