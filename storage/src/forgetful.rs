//! A store that keeps only what it synced, for tests of durability: [`Forgetful::crash`] forgets
//! everything whose `Ok` was not answered. A dishonest one answers `Ok` before it syncs, so that a
//! checker can show that it would notice.

use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use domain::{
    aggregate::Outage,
    at::At,
    ids::CommandId,
    ports::{Append, AppendError, EventStore, Row, RowQuery, Shard, Shards, Snapshot, Unavailable},
    rows::Topic,
    stream::{Head, Recorded, Stream},
};

use crate::memory::{Streams, assert_whole, lock};

/// How often a write lets others go before it syncs, so that several are in the air together.
const YIELDS: usize = 3;

type Change = Box<dyn Fn(&mut Streams) + Send>;

/// Streams and shards in memory, of which a crash leaves what was synced.
pub struct Forgetful {
    disk: Mutex<Disk>,
    honest: bool,
}

#[derive(Default)]
struct Disk {
    /// What readers see.
    seen: Streams,
    /// What a crash leaves.
    synced: Streams,
    /// What is in the one and not yet in the other.
    unsynced: Vec<Change>,
    crashes: u64,
}

impl Disk {
    fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change(&mut self.synced);
        }
    }
}

impl Forgetful {
    /// A store that keeps its word.
    pub fn honest() -> Self {
        Self { disk: Mutex::default(), honest: true }
    }

    /// A store that answers `Ok` and syncs only when [`Self::sync`] is called.
    pub fn dishonest() -> Self {
        Self { disk: Mutex::default(), honest: false }
    }

    /// Forgets what is not synced; the writes that wait for it are unavailable.
    pub fn crash(&self) {
        let mut disk = self.disk();
        disk.unsynced.clear();
        disk.seen = disk.synced.clone();
        disk.crashes += 1;
    }

    /// How many writes are not synced yet.
    pub fn unsynced(&self) -> usize {
        self.disk().unsynced.len()
    }

    /// Syncs what was written so far.
    pub fn sync(&self) {
        self.disk().sync();
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        lock(&self.disk)
    }

    /// Makes `change` seen at once and answers when it is synced.
    async fn write<T>(
        &self,
        change: impl Fn(&mut Streams) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (answer, crashes) = {
            let mut disk = self.disk();
            let answer = change(&mut disk.seen);
            disk.unsynced.push(Box::new(move |streams| drop(change(streams))));
            (answer, disk.crashes)
        };
        if self.honest {
            for _ in 0..YIELDS {
                tokio::task::yield_now().await;
            }
            let mut disk = self.disk();
            if disk.crashes != crashes {
                return Err(Unavailable(anyhow::anyhow!("the store crashed")));
            }
            disk.sync();
        }
        Ok(answer)
    }
}

#[async_trait]
impl EventStore for Forgetful {
    async fn append(&self, append: Append) -> Result<(), AppendError> {
        assert_whole(&append);
        self.write(move |streams| streams.append(&append)).await?
    }

    async fn head(&self, stream: Stream) -> Result<Head, AppendError> {
        self.disk().seen.head(stream)
    }

    async fn read(
        &self,
        stream: Stream,
        after_seq: u64,
        limit: usize,
    ) -> Result<Vec<Recorded>, Unavailable> {
        Ok(self.disk().seen.read(stream, after_seq, limit))
    }

    async fn find(
        &self,
        stream: Stream,
        origin: &str,
        command_id: CommandId,
    ) -> Result<Option<u64>, Unavailable> {
        Ok(self.disk().seen.find(stream, origin, command_id))
    }

    async fn snapshot(&self, stream: Stream, schema: u32) -> Result<Option<Snapshot>, Unavailable> {
        Ok(self.disk().seen.snapshot(stream, schema))
    }

    async fn save_snapshot(&self, stream: Stream, snapshot: Snapshot) -> Result<(), Unavailable> {
        self.write(move |streams| streams.save_snapshot(stream, snapshot.clone())).await
    }

    async fn told(
        &self,
        stream: Stream,
        epoch: u64,
        untold: Option<u64>,
    ) -> Result<(), AppendError> {
        self.write(move |streams| streams.told(stream, epoch, untold)).await?
    }

    async fn due(
        &self,
        until: At,
        shards: Option<&[u16]>,
        limit: usize,
    ) -> Result<Vec<(Stream, Head)>, Unavailable> {
        Ok(self.disk().seen.due(until, shards, limit))
    }

    async fn rows(&self, query: RowQuery) -> Result<Vec<Row>, Unavailable> {
        Ok(self.disk().seen.rows(&query))
    }

    async fn row(&self, topic: Topic, key: &str) -> Result<Option<Row>, Unavailable> {
        Ok(self.disk().seen.row(topic, key))
    }

    async fn compact(&self, stream: Stream, epoch: u64) -> Result<(), AppendError> {
        self.write(move |streams| streams.compact(stream, epoch)).await?
    }

    async fn erase(&self, stream: Stream, at: At) -> Result<(), Unavailable> {
        self.write(move |streams| streams.erase(stream, at)).await
    }
}

#[async_trait]
impl Shards for Forgetful {
    async fn take(&self, shard: u16, owner: &str, now: At) -> Result<u64, Unavailable> {
        let owner = owner.to_owned();
        self.write(move |streams| streams.take(shard, &owner, now)).await
    }

    async fn take_after(
        &self,
        shards: &[(u16, u64)],
        owner: &str,
        now: At,
    ) -> Result<Vec<(u16, u64)>, Unavailable> {
        let (shards, owner) = (shards.to_vec(), owner.to_owned());
        self.write(move |streams| streams.take_after(&shards, &owner, now)).await
    }

    async fn shards(&self) -> Result<Vec<Shard>, Unavailable> {
        Ok(self.disk().seen.all_shards())
    }

    async fn clock(&self) -> Result<Option<At>, Unavailable> {
        Ok(None)
    }

    async fn alive(
        &self,
        shards: &[(u16, u64)],
        outages: &[(u16, Outage)],
        now: At,
    ) -> Result<Vec<u16>, Unavailable> {
        let (shards, outages) = (shards.to_vec(), outages.to_vec());
        self.write(move |streams| streams.alive(&shards, &outages, now)).await
    }

    async fn outages(&self, shard: u16, since: At) -> Result<Vec<Outage>, Unavailable> {
        Ok(self.disk().seen.outages(shard, since))
    }
}
