//! The store, as one node reaches it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    at::At,
    blob::Blob,
    ids::CommandId,
    ports::{Append, AppendError, Blobs, EventStore, Row, RowQuery, Shards, Snapshot, Unavailable},
    rows::Topic,
    stream::{Head, Recorded, Stream},
};
use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::{Link, unavailable};
use crate::{
    check::Wrote,
    world::{Plant, World},
};

/// How long a call hangs at most whose answer is lost, in ms.
const HANG: i64 = 2_000;
/// How long the store takes at most when it is slow, in ms.
const SLOW: i64 = 3_000;

/// See the module.
pub(crate) struct Store(pub(crate) Link);

impl Store {
    /// Before anything is carried out.
    pub(super) async fn reach(&self) -> Result<&World, Unavailable> {
        let weather = self.0.weather();
        if self.0.state().no_store || weather.store_fails >= 1_000 {
            self.0.hang(HANG).await;
            return Err(unavailable("the store cannot be reached"));
        }
        if self.0.world.chance(weather.store_fails) {
            return Err(unavailable("the store fails"));
        }
        if self.0.world.chance(weather.store_slow) {
            self.0.hang(SLOW / 10).await;
        }
        Ok(&self.0.world)
    }

    /// After it was carried out.
    pub(super) async fn answer<T>(&self, answer: T) -> Result<T, Unavailable> {
        if self.0.state().no_store || self.0.world.chance(self.0.weather().store_answers_lost) {
            self.0.hang(HANG).await;
            return Err(unavailable("the store's answer was lost"));
        }
        Ok(answer)
    }
}

/// The store carries it out, and who wrote what is known.
fn write(world: &World, link: &Link, at: At, mut append: Append) -> Result<(), AppendError> {
    let (stream, epoch, from_seq) = (append.stream, append.epoch, append.expected_seq + 1);
    let to_seq = append.expected_seq + append.events.len() as u64;
    let kinds: Vec<_> = append.events.iter().map(|event| event.kind.clone()).collect();
    match world.plant {
        Plant::NoFence => append.epoch = epoch_of(world, stream),
        Plant::Forgetful if world.chance(20) => return Ok(()),
        Plant::Nothing | Plant::Forgetful => {}
    }
    let answer = world.memory.append(append).now_or_never().expect("memory does not wait");
    let said = match &answer {
        Ok(()) => "ok".to_owned(),
        Err(error) => error.to_string(),
    };
    let what = format!("{stream} {from_seq}..{to_seq} {kinds:?} epoch {epoch}: {said}");
    world.note(at, &format!("n{}", link.node), &what);
    if answer.is_ok() {
        world.lock().wrote.push(Wrote { stream, from_seq, to_seq, epoch, at });
    }
    answer
}

/// The epoch as the store has it.
fn epoch_of(world: &World, stream: Stream) -> u64 {
    let shards = world.memory.shards().now_or_never().and_then(Result::ok).unwrap_or_default();
    let shard = shards.into_iter().find(|shard| shard.id == stream.shard());
    shard.map_or(0, |shard| shard.epoch)
}

#[async_trait]
impl EventStore for Store {
    async fn append(&self, append: Append) -> Result<(), AppendError> {
        let world = Arc::clone(&self.0.world);
        self.reach().await?;
        let answer = if world.chance(self.0.weather().store_slow) {
            // It is on its way, whatever becomes of its sender.
            let (reply, answer) = oneshot::channel();
            let (link, at) = (self.0.clone(), self.0.time() + world.between(1, SLOW));
            let append = move |world: &Arc<World>| {
                drop(reply.send(write(world, &link, at, append)));
            };
            world.later(at, append);
            answer.await.map_err(|_| unavailable("it came to nothing"))?
        } else {
            write(&world, &self.0, self.0.time(), append)
        };
        self.answer(answer).await?
    }

    async fn head(&self, stream: Stream) -> Result<Head, AppendError> {
        self.reach().await?.memory.head(stream).await
    }

    async fn read(
        &self,
        stream: Stream,
        after_seq: u64,
        limit: usize,
    ) -> Result<Vec<Recorded>, Unavailable> {
        self.reach().await?.memory.read(stream, after_seq, limit).await
    }

    async fn find(
        &self,
        stream: Stream,
        origin: &str,
        command_id: CommandId,
    ) -> Result<Option<u64>, Unavailable> {
        self.reach().await?.memory.find(stream, origin, command_id).await
    }

    async fn snapshot(&self, stream: Stream, schema: u32) -> Result<Option<Snapshot>, Unavailable> {
        self.reach().await?.memory.snapshot(stream, schema).await
    }

    async fn save_snapshot(&self, stream: Stream, snapshot: Snapshot) -> Result<(), Unavailable> {
        self.reach().await?.memory.save_snapshot(stream, snapshot).await
    }

    async fn told(
        &self,
        stream: Stream,
        epoch: u64,
        untold: Option<u64>,
    ) -> Result<(), AppendError> {
        let told = self.reach().await?.memory.told(stream, epoch, untold).await;
        self.answer(told).await?
    }

    async fn due(
        &self,
        until: At,
        shards: Option<&[u16]>,
        limit: usize,
    ) -> Result<Vec<(Stream, Head)>, Unavailable> {
        self.reach().await?.memory.due(until, shards, limit).await
    }

    async fn rows(&self, query: RowQuery) -> Result<Vec<Row>, Unavailable> {
        self.reach().await?.memory.rows(query).await
    }

    async fn row(&self, topic: Topic, key: &str) -> Result<Option<Row>, Unavailable> {
        self.reach().await?.memory.row(topic, key).await
    }

    async fn compact(&self, stream: Stream, epoch: u64) -> Result<(), AppendError> {
        self.reach().await?.memory.compact(stream, epoch).await
    }

    async fn erase(&self, stream: Stream, at: At) -> Result<(), Unavailable> {
        self.reach().await?.memory.erase(stream, at).await
    }
}

#[async_trait]
impl Blobs for Store {
    async fn put(&self, bytes: Bytes) -> Result<Blob, Unavailable> {
        self.reach().await?.memory.put(bytes).await
    }

    async fn get(&self, sha256: &str) -> Result<Option<Bytes>, Unavailable> {
        self.reach().await?.memory.get(sha256).await
    }
}
