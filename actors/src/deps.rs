//! What actors are given to work with.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    cluster::{Leases, Wire},
    ports::{Blobs, Bus, Clock, EventStore, People, Sandbox, Shards},
    rows::Topic,
};

/// The ports.
#[derive(Clone)]
pub struct Deps {
    pub store: Arc<dyn EventStore>,
    pub shards: Arc<dyn Shards>,
    pub blobs: Arc<dyn Blobs>,
    pub people: Arc<dyn People>,
    pub bus: Arc<dyn Bus>,
    pub clock: Arc<dyn Clock>,
    pub sandbox: Arc<dyn Sandbox>,
    pub wire: Arc<dyn Wire>,
    pub leases: Arc<dyn Leases>,
    /// The last frame of each topic that is written here.
    pub heads: Arc<Heads>,
}

/// The last `(epoch, seq)` published for each topic by this node's actors, for gateways to compare
/// with what they got.
#[derive(Default)]
pub struct Heads(Mutex<HashMap<Topic, (u64, u64)>>);

impl Heads {
    /// The head of `topic`, if its writer is awake here.
    pub fn get(&self, topic: Topic) -> Option<(u64, u64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&topic).copied()
    }

    /// The writer of `topic` is no longer awake here; another one, of another epoch, may be.
    pub(crate) fn forget(&self, topic: Topic, epoch: u64) {
        let mut heads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heads.get(&topic).is_some_and(|(of, _)| *of == epoch) {
            heads.remove(&topic);
        }
    }

    pub(crate) fn set(&self, topic: Topic, epoch: u64, seq: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(topic, (epoch, seq));
    }
}
