//! Recovery: links of candidates who work are cut thousands of times, in every way that links end,
//! and the server is killed now and then. Nothing that a stream tells may be missing, doubled or
//! out of order, and everybody is up to date again soon after their link is back.
//!
//! The plan of cuts follows from the seed; which byte is the last to pass is up to the machine.

mod checks;
pub(crate) mod client;
mod killer;
mod plan;
mod table;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context;
use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use loadtests::{
    candidate::Candidate,
    creator::Creator,
    crowd::Crowd,
    http::Http,
    proxy::{Proxy, Weather, upstream},
    server::Server,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Duration, Instant},
};

use self::{client::Client, killer::Killer};

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// A server's program, to be started on a new directory and killed now and then.
    #[arg(long, required_unless_present = "gateways")]
    spawn: Option<PathBuf>,
    /// Addresses of servers that run already, all with the same data; who is cut off comes back to
    /// the next. The password is read from standard input.
    #[arg(long, value_delimiter = ',', requires = "email", conflicts_with = "spawn")]
    gateways: Vec<String>,
    #[arg(long)]
    email: Option<String>,
    #[arg(long, default_value_t = 200)]
    clients: usize,
    /// How many cuts there are in all.
    #[arg(long, default_value_t = 10_000)]
    cuts: u64,
    /// Goes on for so long instead of for so many cuts.
    #[arg(long)]
    minutes: Option<f64>,
    /// How long a client is left alone, on the average.
    #[arg(long, default_value_t = 2_000)]
    cut_every_ms: u64,
    /// How long there is between two deaths of our own server, on the average.
    #[arg(long, default_value_t = 20)]
    kill_every_s: u64,
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// How many do the same thing at the same time, before it begins.
const ABREAST: usize = 32;

/// What all clients share.
pub(crate) struct Shared {
    /// Cuts that are still to come.
    left: AtomicU64,
    until: Option<Instant>,
    /// Since when there is a server; `None` while there is none.
    up_since: watch::Receiver<Option<Instant>>,
    /// Somebody else says when it is over.
    told: Option<watch::Receiver<bool>>,
}

impl Shared {
    fn is_over(&self) -> bool {
        if let Some(told) = &self.told {
            return *told.borrow();
        }
        match self.until {
            Some(until) => until < Instant::now(),
            None => self.left.load(Ordering::Relaxed) == 0,
        }
    }

    /// Takes one of the cuts that are left.
    fn take_cut(&self) -> bool {
        let less = |left: u64| left.checked_sub(1);
        self.until.is_some()
            || self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

/// Clients of somebody else's servers.
pub(crate) struct Crew {
    pub(crate) clients: usize,
    pub(crate) seed: u64,
    /// How often the link of each is cut, on the average.
    pub(crate) cut_every: Duration,
}

/// Clients at work until [`end`].
pub(crate) struct Working {
    clients: JoinSet<Client>,
    is_over: watch::Sender<bool>,
}

/// Sets clients to work on `gateways`.
pub(crate) async fn spawn(
    creator: &mut Creator,
    gateways: &[String],
    crew: &Crew,
    up_since: &watch::Sender<Option<Instant>>,
) -> anyhow::Result<Working> {
    let mut candidates = candidates(crew.clients, creator).await?;
    let is_over = watch::Sender::new(false);
    let shared = Arc::new(Shared {
        left: AtomicU64::new(u64::MAX),
        until: None,
        up_since: up_since.subscribe(),
        told: Some(is_over.subscribe()),
    });
    let mut clients = JoinSet::new();
    for (number, mut candidate) in (0_u64..).zip(candidates.drain(..)) {
        let proxy = through(gateways, crew.seed, number).await?;
        candidate.browser = candidate.browser.to(&proxy.url());
        let plan = plan::Plan::new((crew.seed, number), crew.cut_every);
        clients.spawn(Client::new(candidate, proxy, plan, Arc::clone(&shared)).play());
    }
    Ok(Working { clients, is_over })
}

/// Lets everybody hand in. Answers what was wrong with what they saw.
pub(crate) async fn end(
    mut working: Working,
    creator: &Creator,
    gateways: &[String],
) -> anyhow::Result<Vec<String>> {
    working.is_over.send_replace(true);
    let mut ended = vec![];
    while let Some(client) = working.clients.join_next().await {
        ended.push(client?);
    }
    checks::check(&mut ended, creator, gateways).await
}

/// Answers what went wrong.
pub(crate) async fn run(config: Config) -> anyhow::Result<Vec<String>> {
    let server = match &config.spawn {
        Some(binary) => Some(Server::start(binary, true).await?),
        None => None,
    };
    let gateways = match &server {
        Some(server) => vec![server.url.clone()],
        None => config.gateways.clone(),
    };
    let mut creator = sign_in(&config, server.as_ref(), &gateways).await?;
    let mut candidates = candidates(config.clients, &mut creator).await?;
    let up_since = watch::Sender::new(Some(Instant::now()));
    let until =
        config.minutes.map(|minutes| Instant::now() + Duration::from_secs_f64(minutes * 60.0));
    let left = AtomicU64::new(config.cuts);
    let shared = Arc::new(Shared { left, until, up_since: up_since.subscribe(), told: None });
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for (number, mut candidate) in (0_u64..).zip(candidates.drain(..)) {
        let proxy = through(&gateways, config.seed, number).await?;
        candidate.browser = candidate.browser.to(&proxy.url());
        let every = Duration::from_millis(config.cut_every_ms);
        let plan = plan::Plan::new((config.seed, number), every);
        clients.spawn(Client::new(candidate, proxy, plan, Arc::clone(&shared)).play());
    }
    let mut killer = Killer::new(server, up_since, &config);
    let mut clients = killer.kill_while(clients).await?;
    let playing = began.elapsed();
    let mut problems = checks::check(&mut clients, &creator, &gateways).await?;
    let usage = killer.usage()?;
    table::print(&clients, &killer, usage, playing, problems.len())?;
    problems.extend(killer.log_problems());
    Ok(problems)
}

async fn sign_in(
    config: &Config,
    server: Option<&Server>,
    gateways: &[String],
) -> anyhow::Result<Creator> {
    if let Some(server) = server {
        return server.creator().await;
    }
    let mut password = String::new();
    std::io::stdin().read_line(&mut password).context("no password on standard input")?;
    let url = gateways.first().context("an address")?;
    let email = config.email.as_deref().context("an email")?;
    Creator::sign_in(&Http::new(url), email, password.trim_end()).await
}

/// A way of one client's own, to all servers in turns, not all from the same one on.
async fn through(gateways: &[String], seed: u64, number: u64) -> anyhow::Result<Proxy> {
    let mut upstreams =
        gateways.iter().map(|url| upstream(url)).collect::<anyhow::Result<Vec<_>>>()?;
    let from = usize::try_from(number)? % upstreams.len().max(1);
    upstreams.rotate_left(from);
    Proxy::start(upstreams, Weather::default(), seed ^ number).await
}

/// Everybody who sits the test, started, without a socket.
async fn candidates(count: usize, creator: &mut Creator) -> anyhow::Result<Vec<Candidate>> {
    let questions = vec![creator.quiz(1, None).await?, creator.code(9, None).await?];
    let crowd = Crowd::begin(creator, "Recovery", questions, count).await?;
    let load = |mut candidate: Candidate| async move {
        candidate.load(1).await?;
        anyhow::Ok(candidate)
    };
    stream::iter(crowd.candidates).map(load).buffer_unordered(ABREAST).try_collect().await
}
