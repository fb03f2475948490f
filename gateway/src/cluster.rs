//! What connects this program with others like it: NATS, or nothing.

use std::{path::Path, sync::Arc, time::Duration};

use domain::{
    cluster::{Cache, Leases, Wire},
    ports::Bus,
};
use storage::{
    bus::LocalBus,
    local::{LocalLeases, LocalWire},
    nats::{
        Credentials, Nats, Options, Tls,
        bus::NatsBus,
        leases::{ClaimError, NatsLeases, Shape},
        wire::NatsWire,
    },
    redis::{self, RedisCache},
};

use crate::config;

/// After how long without a renewal a shard is free.
const LEASE: Duration = Duration::from_secs(6);

/// The cluster was set wrongly, and nothing was started: one line for whoever started it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongCluster(String);

/// The ports between nodes.
pub(crate) struct Links {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) wire: Arc<dyn Wire>,
    pub(crate) leases: Arc<dyn Leases>,
}

/// What all gateways remember together, if they do.
pub(crate) fn cache(config: &config::Cluster) -> anyhow::Result<Option<Arc<dyn Cache>>> {
    let Some(url) = config.redis.clone() else { return Ok(None) };
    let options = redis::Options {
        url,
        cluster: config.name.parse().map_err(|error| wrong(format!("--cluster: {error}")))?,
        credentials: config.redis_credentials.as_deref().map(credentials).transpose()?,
        ca: None,
        answer_max: redis::ANSWER_MAX,
    };
    let cache = RedisCache::open(&options).map_err(|error| wrong(error.to_string()))?;
    Ok(Some(Arc::new(cache)))
}

impl Links {
    /// Within this process.
    pub(crate) fn alone() -> Self {
        Self {
            bus: Arc::new(LocalBus::default()),
            wire: Arc::new(LocalWire::default()),
            leases: Arc::new(LocalLeases::default()),
        }
    }

    /// Between the nodes of a cluster that write to `database`.
    pub(crate) async fn of(nats: &Nats, database: String, replicas: usize) -> anyhow::Result<Self> {
        let shape = Shape { database, ttl: LEASE, replicas };
        let leases = NatsLeases::claim(nats, shape).await.map_err(|error| match error {
            ClaimError::Taken(taken) => anyhow::Error::new(WrongCluster(taken.to_string())),
            ClaimError::Unavailable(error) => {
                WrongCluster(format!("NATS has no leases to give (JetStream is needed): {error}"))
                    .into()
            }
        })?;
        Ok(Self {
            bus: Arc::new(NatsBus::new(nats)),
            wire: Arc::new(NatsWire::new(nats)),
            leases: Arc::new(leases),
        })
    }
}

/// Connects to NATS, if there is to be a cluster.
pub(crate) async fn connect(config: &config::Cluster) -> anyhow::Result<Option<Nats>> {
    if config.nats.is_empty() {
        return Ok(None);
    }
    let options = Options {
        urls: config.nats.clone(),
        cluster: config.name.parse().map_err(|error| wrong(format!("--cluster: {error}")))?,
        credentials: config.nats_credentials.as_deref().map(credentials).transpose()?,
        tls: config.nats_ca.clone().map(|ca| Tls {
            ca,
            client: config.nats_certificate.clone().zip(config.nats_key.clone()),
        }),
    };
    Nats::connect(options).await.map(Some).map_err(|error| wrong(error.to_string()))
}

fn credentials(file: &Path) -> anyhow::Result<Credentials> {
    let says = |why: String| wrong(format!("{}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| says(error.to_string()))?;
    text.parse().map_err(|why: &str| says(why.to_owned()))
}

pub(crate) fn wrong(what: String) -> anyhow::Error {
    WrongCluster(what).into()
}
