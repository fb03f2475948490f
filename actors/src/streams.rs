//! The owners of streams of one kind, by stream.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use domain::{aggregate::Aggregate, rows::Topic, stream::Stream};
use ractor::{ActorCell, ActorId, ActorRef};

use crate::{deps::Heads, inbox, journal::STREAM_EPOCH, owner::Msg};

/// The owners of streams of one kind.
pub(crate) struct Streams<A: Aggregate>(Mutex<HashMap<Stream, Arc<Entry<A>>>>);

/// One owner: the way to it, and once it has started, itself.
pub(crate) struct Entry<A: Aggregate> {
    pub(crate) inbox: inbox::Sender<A::Command>,
    pub(crate) actor: OnceLock<ActorRef<Msg<A>>>,
}

impl<A: Aggregate> Default for Streams<A> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<A: Aggregate> Streams<A> {
    /// The entry of `stream`; with the owner's end if it is new, for the owner to be started with.
    pub(crate) fn get_or_insert(
        &self,
        stream: Stream,
    ) -> (Arc<Entry<A>>, Option<inbox::Receiver<A::Command>>) {
        let mut entries = self.lock();
        if let Some(entry) = entries.get(&stream) {
            return (Arc::clone(entry), None);
        }
        let (sender, receiver) = inbox::inbox();
        let entry = Arc::new(Entry { inbox: sender, actor: OnceLock::new() });
        entries.insert(stream, Arc::clone(&entry));
        (entry, Some(receiver))
    }

    pub(crate) fn remove(&self, stream: Stream, id: ActorId, heads: &Heads) {
        let mut entries = self.lock();
        let is_it =
            |entry: &Arc<Entry<A>>| entry.actor.get().is_some_and(|actor| actor.get_id() == id);
        if entries.get(&stream).is_some_and(is_it) {
            entries.remove(&stream);
            heads.forget(Topic::Of(stream), STREAM_EPOCH);
        }
    }

    /// All owners that have started.
    pub(crate) fn all(&self) -> Vec<ActorRef<Msg<A>>> {
        self.lock().values().filter_map(|entry| entry.actor.get().cloned()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Stream, Arc<Entry<A>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, shard: u16) -> Vec<ActorRef<Msg<A>>> {
        let entries = self.lock();
        let here = entries.iter().filter(|(stream, _)| stream.shard() == shard);
        here.filter_map(|(_, entry)| entry.actor.get().cloned()).collect()
    }

    pub(crate) fn owners(&self, shard: u16) -> Vec<ActorCell> {
        self.of(shard).iter().map(ActorRef::get_cell).collect()
    }

    pub(crate) fn retire(&self, shard: u16) {
        for owner in self.of(shard) {
            owner.cast(Msg::Retire).ok();
        }
    }

    /// Removes `entry`, whose owner does not answer.
    pub(crate) fn remove_dead(&self, stream: Stream, dead: &Arc<Entry<A>>) {
        let mut entries = self.lock();
        if entries.get(&stream).is_some_and(|entry| Arc::ptr_eq(entry, dead)) {
            entries.remove(&stream);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }
}

/// An entry whose owner is being started. Dropped before that is done, be it because whoever asked
/// has left, the entry goes with it, and the next one starts another.
pub(crate) struct Starting<'a, A: Aggregate> {
    pub(crate) streams: &'a Streams<A>,
    pub(crate) stream: Stream,
    pub(crate) entry: &'a Arc<Entry<A>>,
}

impl<A: Aggregate> Drop for Starting<'_, A> {
    fn drop(&mut self) {
        if self.entry.actor.get().is_none() {
            self.streams.remove_dead(self.stream, self.entry);
        }
    }
}

impl<A: Aggregate> Entry<A> {
    /// Waits until whoever inserted it has started its owner: microseconds.
    pub(crate) async fn started(self: Arc<Self>) -> Option<Arc<Self>> {
        for _ in 0..1_000 {
            if self.actor.get().is_some() {
                return Some(self);
            }
            tokio::task::yield_now().await;
        }
        None
    }
}
