//! The ports of one node, with what goes wrong between it and the others.

pub(crate) mod bus;
pub(crate) mod leases;
pub(crate) mod sandbox;
pub(crate) mod shards;
pub(crate) mod store;
pub(crate) mod wire;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actors::deps::Deps;
use domain::{
    at::{At, Ms},
    ports::{Clock, Unavailable},
};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    faults::{State, Weather},
    world::{NOON, World},
};

/// One start of one node, as the world sees it.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) world: Arc<World>,
    pub(crate) node: usize,
    /// The true time when its runtime began.
    pub(crate) start: At,
    pub(crate) began: Instant,
    /// What it serves; it ends with its runtime.
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Link {
    /// To be called within the node's runtime.
    pub(crate) fn new(world: Arc<World>, node: usize, start: At) -> Self {
        Self { world, node, start, began: Instant::now(), tasks: Arc::default() }
    }

    /// The true time.
    pub(crate) fn time(&self) -> At {
        self.start + Ms(i64::try_from(self.began.elapsed().as_millis()).unwrap_or(0))
    }

    pub(crate) fn state(&self) -> State {
        self.world.lock().nodes.get(self.node).copied().unwrap_or_default()
    }

    pub(crate) fn weather(&self) -> Weather {
        self.world.lock().weather
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    pub(crate) fn note(&self, what: &str) {
        self.world.note(self.time(), &format!("n{}", self.node), &what);
    }

    /// Waits up to `most`, as for an answer that does not come.
    async fn hang(&self, most: i64) {
        let wait = self.world.between(0, most);
        tokio::time::sleep(Duration::from_millis(wait.0.unsigned_abs())).await;
    }

    pub(crate) fn deps(&self) -> Deps {
        Deps {
            store: Arc::new(store::Store(self.clone())),
            shards: Arc::new(shards::Takes(self.clone())),
            blobs: Arc::new(store::Store(self.clone())),
            people: Arc::new(storage::memory::Memory::new()),
            bus: Arc::new(bus::Frames(self.clone())),
            clock: Arc::new(NodeClock(self.clone())),
            sandbox: Arc::new(sandbox::Fake(self.clone())),
            wire: Arc::new(wire::Calls(self.clone())),
            leases: Arc::new(leases::Kept(self.clone())),
            heads: Arc::default(),
        }
    }
}

fn unavailable(why: &'static str) -> Unavailable {
    Unavailable(anyhow::anyhow!(why))
}

/// The time of day, as this node's clock has it.
struct NodeClock(Link);

impl Clock for NodeClock {
    fn now(&self) -> At {
        // Never before the beginning, whatever the clock says.
        (self.0.time() + self.0.state().skew).max(NOON - Ms(100_000))
    }
}
