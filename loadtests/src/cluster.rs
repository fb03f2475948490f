//! A cluster of one's own on this machine: PostgreSQL, NATS and Redis, some nodes, a way from each
//! node to each server that can be cut alone, and one address in front of all nodes.

use std::path::Path;

use anyhow::Context;
use storage::scratch::{
    Scratch,
    server::{Program, Server as Service},
};
use tempfile::TempDir;
use tokio::time::{Duration, Instant, sleep};

use crate::{
    creator::Creator,
    http::Http,
    proxy::{Fault, Proxy, Weather, upstream},
    server::{EMAIL, Launch, PASSWORD, Server, create_admin_by},
};

/// How long it may take until every shard has an owner.
const WHOLE: Duration = Duration::from_mins(1);

/// See the module. Dropping it ends everything.
pub struct Cluster {
    pub nodes: Vec<Node>,
    pub postgres: Scratch,
    pub nats: Service,
    pub redis: Option<Service>,
    /// Of what nodes keep besides, and of their logs; it goes with them.
    dir: TempDir,
}

/// One node and its own ways to what it shares with others.
pub struct Node {
    pub name: String,
    pub server: Server,
    pub to_nats: Proxy,
    pub to_postgres: Proxy,
}

impl Node {
    /// Cuts a way for so long; nothing is told to the other end of a silent one.
    pub fn cut(way: &Proxy, length: Duration) {
        way.be_down_until(Instant::now() + length);
        way.strike(Fault::Cut);
    }
}

impl Cluster {
    /// Starts a node of `binary` for each of `nodes`, which are more arguments of `serve`, and an
    /// administrator. The first one serves pages.
    pub async fn start(binary: &Path, nodes: &[Vec<String>]) -> anyhow::Result<Self> {
        let postgres = Scratch::start().await?.context("PostgreSQL is not installed")?;
        let nats = Service::start(Program::Nats, &[]).await?.context("NATS is not installed")?;
        let redis = Service::start(Program::Redis, &[]).await?;
        let dir = tempfile::tempdir()?;
        let database = postgres.url();
        let admin = Launch::new(binary, false).knowing("POLYCODE_DATABASE", &database);
        create_admin_by(&admin, &dir.path().join("admin")).await?;
        let mut cluster = Self { nodes: vec![], postgres, nats, redis, dir };
        let started = (1..).zip(nodes).map(|(n, more)| cluster.node(binary, n, more));
        let started = futures_util::future::join_all(started).await;
        cluster.nodes = started.into_iter().collect::<anyhow::Result<_>>()?;
        cluster.whole().await?;
        Ok(cluster)
    }

    async fn node(&self, binary: &Path, n: usize, more: &[String]) -> anyhow::Result<Node> {
        let way = |to: String| Proxy::start(vec![to], Weather::default(), n as u64);
        let to_nats = way(format!("127.0.0.1:{}", self.nats.port())).await?;
        let to_postgres = way(format!("127.0.0.1:{}", self.postgres.port())).await?;
        let port = |proxy: &Proxy| upstream(&proxy.url());
        let database = self
            .postgres
            .url()
            .replace(&format!("127.0.0.1:{}", self.postgres.port()), &port(&to_postgres)?);
        let name = format!("n{n}");
        let mut launch = Launch::new(binary, false)
            .knowing("POLYCODE_DATABASE", &database)
            .with("--nats")
            .with(&format!("nats://{}", port(&to_nats)?))
            .with("--node")
            .with(&name)
            // Whatever becomes of us, it ends with us.
            .behind(["setpriv", "--pdeathsig", "KILL"].map(str::to_owned).to_vec());
        if let Some(redis) = &self.redis {
            launch = launch.knowing("POLYCODE_REDIS", &redis.url());
        }
        for argument in more {
            launch = launch.with(argument);
        }
        let server = Server::launch(launch, &self.dir.path().join(&name)).await?;
        Ok(Node { name, server, to_nats, to_postgres })
    }

    /// The addresses of all nodes.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.server.url.clone()).collect()
    }

    pub async fn creator(&self) -> anyhow::Result<Creator> {
        let node = self.nodes.first().context("there are nodes")?;
        Creator::sign_in(&Http::new(&node.server.url), EMAIL, PASSWORD).await
    }

    /// Waits until every shard has an owner that gives signs of life.
    pub async fn whole(&self) -> anyhow::Result<()> {
        let mut creator = self.creator().await?;
        let until = Instant::now() + WHOLE;
        while Instant::now() < until {
            if is_whole(&mut creator.browser).await {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("not every shard has an owner")
    }
}

/// Whether the node behind `browser` sees an owner of every shard.
pub async fn is_whole(browser: &mut Http) -> bool {
    let Ok(reply) = browser.get("/api/v1/status").await else { return false };
    reply.status.is_success() && reply.json()["free"] == serde_json::json!(0)
}
