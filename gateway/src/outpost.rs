//! A runner by itself: it has no database and no pages, and reaches nothing but NATS.

use std::{path::Path, sync::Arc};

use actors::outpost::{Outpost, Ports};
use anyhow::Context;
use storage::{
    SystemClock,
    nats::{Nats, Options, Tls, bus::NatsBus, wire::NatsWire},
};

use crate::{config, serve};

/// Runs what waits until it is told to stop.
pub(crate) async fn run(data: &Path, config: &config::Outpost) -> anyhow::Result<()> {
    let found = serve::walls(&config.runs).await?;
    let nats = Nats::connect(options(config)?).await?;
    let (sandbox, _) = serve::sandbox(found, data, &config.runs)?;
    let ports = Ports {
        wire: Arc::new(NatsWire::new(&nats)),
        bus: Arc::new(NatsBus::new(&nats)),
        clock: Arc::new(SystemClock),
        sandbox,
    };
    let workers = serve::workers(&config.runs);
    let outpost = Outpost::start(ports, &config.name, workers, config.data_mib << 20);
    tracing::info!(workers, cluster = config.cluster, "running what waits");
    serve::told_to_stop().await;
    tracing::info!("stopping: runs that go on are awaited");
    outpost.finish(serve::RUNS_FINISH).await;
    Ok(())
}

fn options(config: &config::Outpost) -> anyhow::Result<Options> {
    let credentials = config.nats_credentials.as_deref().map(|path| {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        text.parse().map_err(|error: &str| anyhow::anyhow!("{}: {error}", path.display()))
    });
    Ok(Options {
        urls: config.nats.clone(),
        cluster: config.cluster.parse()?,
        credentials: credentials.transpose()?,
        tls: config.nats_ca.clone().map(|ca| Tls { ca, client: None }),
    })
}
