//! An outpost: a program that runs code and does nothing else. It has no store, and reaches nothing
//! but the wire.

use std::{sync::Arc, time::Duration};

use domain::{
    cluster::Wire,
    ids::NodeId,
    ports::{Bus, Clock, Sandbox},
};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    crew,
    desk::far::Far,
    epochs::Epochs,
    output::Outputs,
    queue::counter::AtCounter,
    worker::{Stopping, Worker},
};

/// What an outpost is given to work with.
pub struct Ports {
    pub wire: Arc<dyn Wire>,
    pub bus: Arc<dyn Bus>,
    pub clock: Arc<dyn Clock>,
    pub sandbox: Arc<dyn Sandbox>,
}

/// See the module. Dropping it ends everything at once.
pub struct Outpost {
    stopping: watch::Sender<Stopping>,
    _tasks: JoinSet<()>,
}

impl Outpost {
    /// Takes and runs what waits, `workers` at once; keeps at most so many bytes of validators' data
    /// for the next time. `name` is how people call it.
    pub fn start(ports: Ports, name: &str, workers: usize, kept_bytes_max: usize) -> Self {
        let Ports { wire, bus, clock, sandbox } = ports;
        let stopping = watch::Sender::new(Stopping::Not);
        let counter = AtCounter { wire: Arc::clone(&wire), name: name.to_owned() };
        let epochs = Arc::new(Epochs::new(NodeId::random()));
        let worker = Worker {
            desk: Arc::new(Far::new(counter, kept_bytes_max)),
            sandbox,
            outputs: Arc::new(Outputs::new(bus, epochs, clock)),
            consoles: Arc::default(),
            wire,
            stopping: stopping.subscribe(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(crew::work(worker, workers, Arc::new(|_| {})));
        Self { stopping, _tasks: tasks }
    }

    /// Takes no more runs, waits for those that go on for at most `within`, and gives back the
    /// others.
    pub async fn finish(&self, within: Duration) {
        crew::finish(&self.stopping, within).await;
    }
}
