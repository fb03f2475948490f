//! A whole campaign: everybody opens their link, starts, types, runs, and is timed out together.

mod checks;
mod crowd;
mod table;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use clap::Args;
use domain::{
    at::{At, Ms},
    campaign::Settings,
    ids::CampaignId,
    ports::Clock,
};
use loadtests::{
    candidate::Candidate,
    creator::Creator,
    http::Http,
    lag::Lag,
    monitor::{Monitor, Sightings},
    server::{Server, Usage, usage},
};
use storage::SystemClock;
use tokio::{sync::watch, task::JoinSet, time::Instant};

#[derive(Debug, Args)]
pub(crate) struct Config {
    #[arg(long, default_value_t = 1_000)]
    candidates: usize,
    /// The server to play against; the password is read from standard input.
    #[arg(long, requires = "email", conflicts_with = "spawn")]
    url: Option<String>,
    #[arg(long)]
    email: Option<String>,
    /// A server's program, to be started on a new directory.
    #[arg(long, required_unless_present = "url")]
    spawn: Option<PathBuf>,
    /// The process whose memory and time are measured; a server of our own is known.
    #[arg(long)]
    pid: Option<u32>,
    /// How long the test lasts.
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
    /// How long there is between two edits of a candidate.
    #[arg(long, default_value_t = 1_000)]
    edit_every_ms: u64,
    /// How many of a hundred press Run, about every ten seconds.
    #[arg(long, default_value_t = 5)]
    runs_percent: usize,
    /// Sockets are lost, about every twenty seconds.
    #[arg(long)]
    cuts: bool,
}

/// What was measured.
#[derive(Default)]
struct Measured {
    adding: Duration,
    opening: Duration,
    starting: Duration,
    playing: Duration,
    /// How long the monitor took after the end.
    settling: Duration,
    before: Usage,
    after: Usage,
    /// When the last texts have their verdicts, too.
    judged: Usage,
    lags: Vec<Duration>,
    ages: Vec<Duration>,
    problems: Vec<String>,
}

/// Plays. Answers the problems that it found.
pub(crate) async fn run(config: Config) -> anyhow::Result<Vec<String>> {
    let server = match &config.spawn {
        Some(binary) => Some(Server::start(binary, false).await?),
        None => None,
    };
    let mut creator = sign_in(&config, server.as_ref()).await?;
    let pid = config.pid.or_else(|| server.as_ref().and_then(Server::pid));
    let mut measured = Measured::default();
    let (campaign, mut candidates) = prepare(&config, &mut creator, &mut measured).await?;
    let sightings = Arc::new(Sightings::default());
    let (stop, stopped) = watch::channel(false);
    let mut watchers = JoinSet::new();
    let monitor = Monitor::open(&creator.browser, campaign).await?;
    watchers.spawn(look(monitor, Arc::clone(&sightings), stopped.clone()));
    let closes_at = close(&config, &mut creator, campaign).await?;
    measured.starting = crowd::start(&mut candidates, closes_at).await?;
    let lag = Lag::start();
    measured.before = pid.map_or(Ok(Usage::default()), usage)?;
    let start = Instant::now();
    let manners = crowd::manners(&config, closes_at, candidates.len());
    let candidates = crowd::play(candidates, &sightings, manners).await?;
    measured.playing = start.elapsed();
    measured.after = pid.map_or(Ok(Usage::default()), usage)?;
    stop.send_replace(true);
    measured.lags = lag.stop().await?;
    let monitor = watchers.join_next().await.context("a watcher")???;
    measured.ages.clone_from(&monitor.ages);
    measured.problems.extend(monitor.problems.iter().cloned());
    let mut candidates = candidates;
    checks::check(&mut candidates, &mut creator, campaign, closes_at, &mut measured).await?;
    measured.judged = pid.map_or(Ok(Usage::default()), usage)?;
    checks::check_monitor(monitor, &mut measured).await;
    table::print(&config, &candidates, &mut measured)?;
    Ok(measured.problems)
}

async fn sign_in(config: &Config, server: Option<&Server>) -> anyhow::Result<Creator> {
    if let Some(server) = server {
        return server.creator().await;
    }
    let mut password = String::new();
    std::io::stdin().read_line(&mut password).context("no password on standard input")?;
    let url = config.url.as_deref().context("an address")?;
    let email = config.email.as_deref().context("an email")?;
    Creator::sign_in(&Http::new(url), email, password.trim_end()).await
}

/// Makes the campaign and opens everybody's link and socket.
async fn prepare(
    config: &Config,
    creator: &mut Creator,
    measured: &mut Measured,
) -> anyhow::Result<(CampaignId, Vec<Candidate>)> {
    let questions = vec![creator.quiz(1, None).await?, creator.code(9, None).await?];
    let campaign = creator.campaign(&settings(None), questions).await?;
    let start = Instant::now();
    let added = creator.add(campaign, config.candidates).await?;
    measured.adding = start.elapsed();
    let start = Instant::now();
    let candidates = crowd::open(&creator.browser, added).await?;
    measured.opening = start.elapsed();
    Ok((campaign, candidates))
}

fn settings(closes_at: Option<At>) -> Settings {
    Settings {
        title: "Load".to_owned(),
        zone: "Europe/Paris".to_owned(),
        closes_at,
        time_allowed: Ms::from_secs(24 * 3_600),
        ..Settings::default()
    }
}

/// Sets the deadline: everybody's time is up in the same moment.
async fn close(config: &Config, creator: &mut Creator, campaign: CampaignId) -> anyhow::Result<At> {
    let length = Duration::from_secs_f64(config.minutes * 60.0);
    let to_start =
        Duration::from_secs(5) + Duration::from_millis(15) * u32::try_from(config.candidates)?;
    let closes_at = SystemClock.now() + Ms(i64::try_from((length + to_start).as_millis())?);
    creator.configure(campaign, &settings(Some(closes_at))).await?;
    Ok(closes_at)
}

async fn look(
    mut monitor: Monitor,
    sightings: Arc<Sightings>,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<Monitor> {
    while !*stop.borrow() {
        tokio::select! {
            heard = monitor.step(&sightings) => heard?,
            _ = stop.changed() => {}
        }
    }
    Ok(monitor)
}
