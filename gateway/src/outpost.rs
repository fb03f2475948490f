//! A runner by itself: it has no database and no pages, and reaches nothing but NATS.

use std::{path::Path, sync::Arc};

use actors::outpost::{Outpost, Ports};
use storage::{
    SystemClock,
    nats::{bus::NatsBus, wire::NatsWire},
};

use crate::{cluster, config, serve};

/// Runs what waits until it is told to stop.
pub(crate) async fn run(data: &Path, config: &config::Outpost) -> anyhow::Result<()> {
    let found = serve::walls(&config.runs).await?;
    let needs = "a runner by itself takes its runs from a cluster: give --nats";
    let nats = cluster::connect(&config.cluster).await?;
    let nats = nats.ok_or_else(|| cluster::wrong(needs.to_owned()))?;
    let (sandbox, _) = serve::sandbox(found, data, &config.runs)?;
    let ports = Ports {
        wire: Arc::new(NatsWire::new(&nats)),
        bus: Arc::new(NatsBus::new(&nats)),
        clock: Arc::new(SystemClock),
        sandbox,
    };
    let workers = serve::workers(&config.runs);
    let name = config.cluster.node.as_deref().unwrap_or("runner");
    let outpost = Outpost::start(ports, name, workers, config.data_mib << 20);
    tracing::info!(workers, cluster = config.cluster.name, "running what waits");
    serve::told_to_stop().await;
    tracing::info!("stopping: runs that go on are awaited");
    outpost.finish(serve::RUNS_FINISH).await;
    Ok(())
}
