//! What goes wrong.

use fastrand::Rng;
use loadtests::cluster::{Cluster, Node};
use serde::Serialize;
use tokio::{
    process::Command,
    time::{Duration, sleep},
};

/// What kind of thing goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A node is gone as by a power cut, and comes back later.
    Kill,
    /// A node is told to stop, and comes back.
    Leave,
    /// A node stands still, and goes on as if nothing had been.
    Pause,
    NatsKilled,
    /// Killed, and everything that it kept is gone.
    NatsWiped,
    NatsPaused,
    PostgresRestarted,
    RedisFlushed,
    RedisKilled,
    /// A node reaches PostgreSQL, but not NATS.
    CutFromNats,
    /// A node reaches NATS, but not PostgreSQL.
    CutFromPostgres,
}

impl Kind {
    pub(crate) const ALL: [Self; 11] = [
        Self::Kill,
        Self::Leave,
        Self::Pause,
        Self::NatsKilled,
        Self::NatsWiped,
        Self::NatsPaused,
        Self::PostgresRestarted,
        Self::RedisFlushed,
        Self::RedisKilled,
        Self::CutFromNats,
        Self::CutFromPostgres,
    ];
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Fault {
    kind: Kind,
    node: usize,
    ms: u64,
}

impl Fault {
    /// The next one of these chances.
    pub(crate) fn draw(random: &mut Rng, nodes: usize, only: Option<Kind>) -> Self {
        let any = random.choice(Kind::ALL).unwrap_or(Kind::Kill);
        let kind = only.unwrap_or(any);
        let node = random.usize(..nodes);
        let ms = match kind {
            Kind::Pause => 10_000,
            Kind::CutFromNats | Kind::CutFromPostgres | Kind::NatsPaused => random.u64(500..9_000),
            Kind::Kill
            | Kind::Leave
            | Kind::NatsKilled
            | Kind::NatsWiped
            | Kind::PostgresRestarted
            | Kind::RedisFlushed
            | Kind::RedisKilled => random.u64(..3_000),
        };
        Self { kind, node, ms }
    }

    pub(crate) fn kind(self) -> Kind {
        self.kind
    }

    /// Lets it happen, and takes it back again.
    pub(crate) async fn play(self, cluster: &mut Cluster) -> anyhow::Result<()> {
        let length = Duration::from_millis(self.ms);
        match self.kind {
            Kind::Kill | Kind::Leave | Kind::Pause | Kind::CutFromNats | Kind::CutFromPostgres => {
                let Some(node) = cluster.nodes.get_mut(self.node) else { return Ok(()) };
                self.play_on(node, length).await?;
            }
            Kind::NatsKilled | Kind::NatsWiped => {
                cluster.nats.kill()?;
                if self.kind == Kind::NatsWiped {
                    cluster.nats.wipe()?;
                }
                sleep(length).await;
                cluster.nats.start_again().await?;
            }
            Kind::NatsPaused => {
                cluster.nats.stand_still()?;
                sleep(length).await;
                cluster.nats.go_on()?;
            }
            Kind::PostgresRestarted => {
                cluster.postgres.stop()?;
                sleep(length).await;
                cluster.postgres.start_again().await?;
            }
            Kind::RedisFlushed | Kind::RedisKilled => {
                let Some(redis) = &mut cluster.redis else { return Ok(()) };
                redis.kill()?;
                if self.kind == Kind::RedisKilled {
                    sleep(length).await;
                }
                redis.start_again().await?;
            }
        }
        Ok(())
    }

    async fn play_on(self, node: &mut Node, length: Duration) -> anyhow::Result<()> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "of a node's own, a pause is the last")]
        match self.kind {
            Kind::Kill => {
                node.server.kill().await?;
                sleep(length).await;
                node.server.start_again()?;
                node.server.ready().await?;
            }
            Kind::Leave => {
                node.server.stop().await?;
                sleep(length).await;
                node.server.start_again()?;
                node.server.ready().await?;
            }
            Kind::CutFromNats => {
                Node::cut(&node.to_nats, length);
                sleep(length).await;
            }
            Kind::CutFromPostgres => {
                Node::cut(&node.to_postgres, length);
                sleep(length).await;
            }
            _ => {
                signal(node, "-STOP").await?;
                sleep(length).await;
                signal(node, "-CONT").await?;
            }
        }
        Ok(())
    }
}

async fn signal(node: &Node, signal: &str) -> anyhow::Result<()> {
    let pid = node.server.pid().unwrap_or_default().to_string();
    let told = Command::new("kill").args([signal, &pid]).status().await?;
    anyhow::ensure!(told.success(), "{} could not be told", node.name);
    Ok(())
}
