//! Kills the server now and then, and keeps account of all of its lives.

use fastrand::Rng;
use loadtests::server::{Server, Usage, usage};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Duration, Instant, sleep_until},
};

use super::{Config, client::Client};

/// See the module.
pub(super) struct Killer {
    /// Without one of our own nobody is killed.
    server: Option<Server>,
    up_since: watch::Sender<Option<Instant>>,
    random: Rng,
    every: Duration,
    /// What those took that are dead.
    used: Usage,
    pub(super) kills: u32,
    /// How long each next one took until it answered.
    pub(super) starts: Vec<Duration>,
}

impl Killer {
    pub(super) fn new(
        server: Option<Server>,
        up_since: watch::Sender<Option<Instant>>,
        config: &Config,
    ) -> Self {
        let random = Rng::with_seed(config.seed);
        let every = Duration::from_secs(config.kill_every_s);
        let (used, starts) = (Usage::default(), vec![]);
        Self { server, up_since, random, every, used, kills: 0, starts }
    }

    /// Until all clients have ended.
    pub(super) async fn kill_while(
        &mut self,
        mut clients: JoinSet<Client>,
    ) -> anyhow::Result<Vec<Client>> {
        let mut ended = vec![];
        let mut kill_at = self.next();
        loop {
            tokio::select! {
                client = clients.join_next() => match client {
                    Some(client) => ended.push(client?),
                    None => return Ok(ended),
                },
                // Those who have ended compare what they have with the server that there is.
                () = sleep_until(kill_at), if self.server.is_some() && ended.is_empty() => {
                    self.kill().await?;
                    kill_at = self.next();
                }
            }
        }
    }

    fn next(&mut self) -> Instant {
        Instant::now() + self.every.mul_f64(0.5 + self.random.f64())
    }

    async fn kill(&mut self) -> anyhow::Result<()> {
        self.used = self.usage()?;
        let Some(server) = &mut self.server else { return Ok(()) };
        self.up_since.send_replace(None);
        server.kill().await?;
        let began = Instant::now();
        server.start_again()?;
        server.ready().await?;
        self.up_since.send_replace(Some(Instant::now()));
        self.starts.push(began.elapsed());
        self.kills += 1;
        Ok(())
    }

    /// What all lives took together.
    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        let Some(pid) = self.server.as_ref().and_then(Server::pid) else { return Ok(self.used) };
        let now = usage(pid)?;
        Ok(Usage {
            rss_mib: now.rss_mib,
            rss_max_mib: now.rss_max_mib.max(self.used.rss_max_mib),
            cpu_s: now.cpu_s + self.used.cpu_s,
        })
    }

    /// What the server itself says has gone wrong.
    pub(super) fn log_problems(&self) -> Vec<String> {
        let log = self.server.as_ref().map(Server::log).unwrap_or_default();
        let is_bad = |line: &&str| line.contains("ERROR") || line.contains("panicked");
        log.lines().filter(is_bad).map(|line| format!("the log: {line}")).collect()
    }
}
