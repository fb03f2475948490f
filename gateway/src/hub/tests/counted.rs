//! A store that counts who reads rows of streams, and lets them wait.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use domain::{
    at::At,
    ids::CommandId,
    ports::{Append, AppendError, EventStore, Row, RowQuery, Snapshot, Unavailable},
    rows::Topic,
    stream::{Head, Recorded, Stream},
};
use storage::memory::Memory;
use tokio::sync::watch;

/// See the module.
pub(super) struct Counted {
    inner: Arc<Memory>,
    reads: AtomicUsize,
    waiting: AtomicUsize,
    topics: Mutex<HashSet<Topic>>,
    holds: watch::Sender<bool>,
}

impl Counted {
    pub(super) fn new(inner: Arc<Memory>) -> Self {
        let (reads, waiting) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { inner, reads, waiting, topics: Mutex::default(), holds: watch::Sender::new(false) }
    }

    pub(super) fn inner(&self) -> &Arc<Memory> {
        &self.inner
    }

    /// How often rows were read.
    pub(super) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    /// How many wait for rows now.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    pub(super) fn has_read(&self, topic: Topic) -> bool {
        self.topics.lock().unwrap().contains(&topic)
    }

    /// From now on whoever reads rows waits, or nobody does any more.
    pub(super) fn hold(&self, holds: bool) {
        self.holds.send_replace(holds);
    }
}

#[async_trait::async_trait]
impl EventStore for Counted {
    async fn append(&self, append: Append) -> Result<(), AppendError> {
        self.inner.append(append).await
    }

    async fn head(&self, stream: Stream) -> Result<Head, AppendError> {
        self.inner.head(stream).await
    }

    async fn read(
        &self,
        stream: Stream,
        after_seq: u64,
        limit: usize,
    ) -> Result<Vec<Recorded>, Unavailable> {
        self.inner.read(stream, after_seq, limit).await
    }

    async fn find(
        &self,
        stream: Stream,
        origin: &str,
        command_id: CommandId,
    ) -> Result<Option<u64>, Unavailable> {
        self.inner.find(stream, origin, command_id).await
    }

    async fn snapshot(&self, stream: Stream, schema: u32) -> Result<Option<Snapshot>, Unavailable> {
        self.inner.snapshot(stream, schema).await
    }

    async fn save_snapshot(&self, stream: Stream, snapshot: Snapshot) -> Result<(), Unavailable> {
        self.inner.save_snapshot(stream, snapshot).await
    }

    async fn told(
        &self,
        stream: Stream,
        epoch: u64,
        untold: Option<u64>,
    ) -> Result<(), AppendError> {
        self.inner.told(stream, epoch, untold).await
    }

    async fn due(
        &self,
        until: At,
        shards: Option<&[u16]>,
        limit: usize,
    ) -> Result<Vec<(Stream, Head)>, Unavailable> {
        self.inner.due(until, shards, limit).await
    }

    async fn rows(&self, query: RowQuery) -> Result<Vec<Row>, Unavailable> {
        // The node's own readings are its own.
        if !matches!(query.topic, Topic::Of(_)) {
            return self.inner.rows(query).await;
        }
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.topics.lock().unwrap().insert(query.topic);
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.holds.subscribe().wait_for(|holds| !holds).await.unwrap();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        self.inner.rows(query).await
    }

    async fn row(&self, topic: Topic, key: &str) -> Result<Option<Row>, Unavailable> {
        self.inner.row(topic, key).await
    }

    async fn compact(&self, stream: Stream, epoch: u64) -> Result<(), AppendError> {
        self.inner.compact(stream, epoch).await
    }

    async fn erase(&self, stream: Stream, at: At) -> Result<(), Unavailable> {
        self.inner.erase(stream, at).await
    }
}
