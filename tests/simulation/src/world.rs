//! What all nodes of a simulation share: the true time, the dice, the network, the store.

use std::{
    collections::BTreeMap,
    fmt::Display,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{
    at::{At, Ms},
    stream::Stream,
};
use storage::memory::Memory;

use crate::{
    faults::{State, Weather},
    ports::{leases::Held, wire::Served},
};

/// When every simulation begins.
pub const NOON: At = At(1_000_000_000);

/// Something that happens later: a message arrives, the store carries something out.
type Later = Box<dyn FnOnce(&Arc<World>) + Send>;

/// See the module.
pub struct World {
    pub memory: Memory,
    inner: Mutex<Inner>,
    prints: bool,
}

/// What changes.
pub(crate) struct Inner {
    pub(crate) now: At,
    pub(crate) dice: fastrand::Rng,
    pub(crate) weather: Weather,
    pub(crate) nodes: Vec<State>,
    pub(crate) served: Vec<Served>,
    pub(crate) heard: Vec<crate::ports::wire::Heard>,
    pub(crate) subscribed: Vec<crate::ports::bus::Subscribed>,
    pub(crate) held: Held,
    /// Counts everything that needs a name of its own.
    pub(crate) count: u64,
    pub(crate) wrote: Vec<crate::check::Wrote>,
    /// How people reach each node that runs.
    pub(crate) doors: Vec<Option<tokio::sync::mpsc::Sender<crate::host::Request>>>,
    later: BTreeMap<(At, u64), Later>,
    hash: DefaultHasher,
}

impl World {
    pub(crate) fn new(seed: u64, nodes: usize, prints: bool) -> Arc<Self> {
        let inner = Inner {
            now: NOON,
            dice: fastrand::Rng::with_seed(seed),
            weather: Weather::default(),
            nodes: vec![State::default(); nodes],
            served: vec![],
            heard: vec![],
            subscribed: vec![],
            held: Held::default(),
            count: 0,
            wrote: vec![],
            doors: (0..nodes).map(|_| None).collect(),
            later: BTreeMap::new(),
            hash: DefaultHasher::new(),
        };
        Arc::new(Self { memory: Memory::new(), inner: Mutex::new(inner), prints })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes into the log of what happened, and into its hash.
    pub(crate) fn note(&self, at: At, who: &dyn Display, what: &dyn Display) {
        let text = format!("{:>6} {who:<4} {what}", (at - NOON).0);
        text.hash(&mut self.lock().hash);
        if self.prints {
            tracing::info!(target: "simulation", "{text}");
        }
    }

    /// The hash of everything that was noted.
    pub(crate) fn hash(&self) -> u64 {
        self.lock().hash.finish()
    }

    pub(crate) fn later(&self, at: At, what: impl FnOnce(&Arc<Self>) + Send + 'static) {
        let mut inner = self.lock();
        inner.count += 1;
        let count = inner.count;
        inner.later.insert((at, count), Box::new(what));
    }

    /// It is `now`: what was to happen until then does.
    pub(crate) fn arrive(self: &Arc<Self>, now: At) {
        self.lock().now = now;
        loop {
            let mut inner = self.lock();
            let Some(first) = inner.later.first_entry().filter(|first| first.key().0 <= now) else {
                return;
            };
            let what = first.remove();
            drop(inner);
            what(self);
        }
    }

    /// Takes a chance of `per_mille` in a thousand.
    pub(crate) fn chance(&self, per_mille: u32) -> bool {
        per_mille > 0 && self.lock().dice.u32(0..1_000) < per_mille
    }

    pub(crate) fn between(&self, from: i64, to: i64) -> Ms {
        Ms(self.lock().dice.i64(from..=to))
    }

    pub(crate) fn id(&self) -> u128 {
        self.lock().dice.u128(..)
    }

    /// The log of `stream`.
    pub fn log(&self, stream: Stream) -> Vec<domain::stream::Recorded> {
        use domain::ports::EventStore;
        use futures_util::FutureExt;
        let read = self.memory.read(stream, 0, usize::MAX).now_or_never();
        read.expect("memory does not wait").expect("memory is there")
    }
}
