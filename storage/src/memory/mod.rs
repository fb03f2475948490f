//! A store in memory, with the real rules: conflicts, fences, duplicates, erased streams. It
//! forgets everything when it is dropped.

mod blobs;
mod people;
mod shards;
mod streams;

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use domain::{
    at::At,
    ids::CommandId,
    ports::{Append, AppendError, EventStore, Row, RowQuery, Snapshot, Unavailable},
    rows::Topic,
    stream::{Head, Recorded, Stream},
};

use blobs::Blobs;
use people::People;
pub(crate) use streams::Streams;

/// All the ports of storage, in memory.
#[derive(Debug, Default)]
pub struct Memory {
    streams: Mutex<Streams>,
    blobs: Mutex<Blobs>,
    people: Mutex<People>,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        lock(&self.streams)
    }
}

/// Every change of these states is one call that checks before it writes, so a panic elsewhere
/// leaves them whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Panics if `append` is not what the port asks for, which is its writer's bug.
pub(crate) fn assert_whole(append: &Append) {
    assert!(!append.events.is_empty(), "an append has at least one event");
    let seqs = append.events.iter().map(|event| event.seq);
    let places = append.expected_seq + 1..=append.expected_seq + append.events.len() as u64;
    assert!(seqs.eq(places), "its events follow each other without gaps");
    let part = |event: &Recorded| (event.origin.clone(), event.command_id, event.n);
    let parts: HashSet<_> = append.events.iter().map(part).collect();
    assert!(parts.len() == append.events.len(), "each is another part of its command");
}

#[async_trait]
impl EventStore for Memory {
    async fn append(&self, append: Append) -> Result<(), AppendError> {
        assert_whole(&append);
        self.streams().append(&append)
    }

    async fn head(&self, stream: Stream) -> Result<Head, AppendError> {
        self.streams().head(stream)
    }

    async fn read(
        &self,
        stream: Stream,
        after_seq: u64,
        limit: usize,
    ) -> Result<Vec<Recorded>, Unavailable> {
        Ok(self.streams().read(stream, after_seq, limit))
    }

    async fn find(
        &self,
        stream: Stream,
        origin: &str,
        command_id: CommandId,
    ) -> Result<Option<u64>, Unavailable> {
        Ok(self.streams().find(stream, origin, command_id))
    }

    async fn snapshot(&self, stream: Stream, schema: u32) -> Result<Option<Snapshot>, Unavailable> {
        Ok(self.streams().snapshot(stream, schema))
    }

    async fn save_snapshot(&self, stream: Stream, snapshot: Snapshot) -> Result<(), Unavailable> {
        self.streams().save_snapshot(stream, snapshot);
        Ok(())
    }

    async fn told(
        &self,
        stream: Stream,
        epoch: u64,
        untold: Option<u64>,
    ) -> Result<(), AppendError> {
        self.streams().told(stream, epoch, untold)
    }

    async fn due(
        &self,
        until: At,
        shards: Option<&[u16]>,
        limit: usize,
    ) -> Result<Vec<(Stream, Head)>, Unavailable> {
        Ok(self.streams().due(until, shards, limit))
    }

    async fn rows(&self, query: RowQuery) -> Result<Vec<Row>, Unavailable> {
        Ok(self.streams().rows(&query))
    }

    async fn row(&self, topic: Topic, key: &str) -> Result<Option<Row>, Unavailable> {
        Ok(self.streams().row(topic, key))
    }

    async fn compact(&self, stream: Stream, epoch: u64) -> Result<(), AppendError> {
        self.streams().compact(stream, epoch)
    }

    async fn erase(&self, stream: Stream, at: At) -> Result<(), Unavailable> {
        self.streams().erase(stream, at);
        Ok(())
    }
}
