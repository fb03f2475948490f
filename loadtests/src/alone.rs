//! What a node needs that is alone in its process.

use std::sync::Arc;

use actors::deps::Deps;
use domain::ports::{Blobs, Bus, EventStore, People, Shards};
use runner::FakeSandbox;
use storage::{
    SystemClock,
    local::{LocalLeases, LocalWire},
};

/// On a store of its own, with programs that are not run.
pub(crate) fn deps<S>(store: &Arc<S>, bus: Arc<dyn Bus>) -> Deps
where
    S: EventStore + Shards + Blobs + People + 'static,
{
    Deps {
        store: Arc::clone(store) as _,
        shards: Arc::clone(store) as _,
        blobs: Arc::clone(store) as _,
        people: Arc::clone(store) as _,
        bus,
        clock: Arc::new(SystemClock),
        sandbox: Arc::new(FakeSandbox::new()),
        heads: Arc::default(),
        wire: Arc::new(LocalWire::default()),
        leases: Arc::new(LocalLeases::default()),
    }
}
