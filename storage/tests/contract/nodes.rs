//! Two nodes: of one process, or at one NATS.

use std::{sync::Arc, time::Duration};

use domain::{
    at::Ms,
    cluster::{Cache, Leases, Wire},
    ports::Bus,
};
use storage::{
    bus::LocalBus,
    cache::LocalCache,
    local::{LocalLeases, LocalWire},
    nats::{
        Nats, Options,
        bus::NatsBus,
        leases::{NatsLeases, Shape},
        wire::NatsWire,
    },
    redis::RedisCache,
    scratch::server::{Program, Server},
};

/// How long leases last in tests.
pub(crate) const TTL: Duration = Duration::from_millis(700);

/// How long Redis may take to answer where nothing is to be proved by it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server of one's own; `None` where there cannot be one, which nobody may overlook.
pub(crate) async fn server(program: Program) -> Option<Server> {
    let server = Server::start(program, &[]).await.unwrap();
    if server.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{program:?} must be there");
        eprintln!("left out: {program:?} is not installed");
    }
    server
}

pub(crate) async fn connect(server: &Server) -> Nats {
    Nats::connect(Options::new(&server.url(), "test".parse().unwrap())).await.unwrap()
}

pub(crate) fn shape(database: &str) -> Shape {
    Shape { database: database.to_owned(), ttl: TTL, replicas: 1 }
}

/// Two nodes' view of a port.
pub(crate) trait Pair: Sized {
    fn here() -> Self;

    /// What there must be, for [`Self::at`].
    fn program() -> Program {
        Program::Nats
    }

    async fn at(server: &Server) -> Self;
}

impl Pair for [Arc<dyn Cache>; 2] {
    fn here() -> Self {
        let cache: Arc<dyn Cache> = Arc::new(LocalCache::default());
        [Arc::clone(&cache), cache]
    }

    fn program() -> Program {
        Program::Redis
    }

    async fn at(server: &Server) -> Self {
        let (url, cluster) = (server.url(), "test".parse().unwrap());
        let options = storage::redis::Options {
            url,
            cluster,
            credentials: None,
            ca: None,
            answer_max: PATIENCE,
        };
        let [a, b] = [(); 2].map(|()| RedisCache::open(&options).unwrap());
        for cache in [&a, &b] {
            while cache.allow("there", 1_000, Ms(1)).await.is_none() {
                tokio::task::yield_now().await;
            }
        }
        [Arc::new(a), Arc::new(b)]
    }
}

impl Pair for [Arc<dyn Wire>; 2] {
    fn here() -> Self {
        let wire: Arc<dyn Wire> = Arc::new(LocalWire::default());
        [Arc::clone(&wire), wire]
    }

    async fn at(server: &Server) -> Self {
        let (a, b) = (connect(server).await, connect(server).await);
        [Arc::new(NatsWire::new(&a)), Arc::new(NatsWire::new(&b))]
    }
}

impl Pair for [Arc<dyn Bus>; 2] {
    fn here() -> Self {
        let bus: Arc<dyn Bus> = Arc::new(LocalBus::default());
        [Arc::clone(&bus), bus]
    }

    async fn at(server: &Server) -> Self {
        let (a, b) = (connect(server).await, connect(server).await);
        [Arc::new(NatsBus::new(&a)), Arc::new(NatsBus::new(&b))]
    }
}

impl Pair for [Arc<dyn Leases>; 2] {
    fn here() -> Self {
        let ttl = Ms(i64::try_from(TTL.as_millis()).unwrap());
        let leases: Arc<dyn Leases> = Arc::new(LocalLeases::new(ttl));
        [Arc::clone(&leases), leases]
    }

    async fn at(server: &Server) -> Self {
        let claim = async |nats: Nats| NatsLeases::claim(&nats, shape("one")).await.unwrap();
        [Arc::new(claim(connect(server).await).await), Arc::new(claim(connect(server).await).await)]
    }
}
