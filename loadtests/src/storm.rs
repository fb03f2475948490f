//! A storm: thousands of sockets are gone in one moment and come back, as the page does it, while
//! candidates are among them and some score. Each has to be live again within seconds, none may miss
//! anything, and in the end all see the same.

mod client;
mod frames;
mod hall;
mod ledger;
mod scorers;
mod screen;

use std::{collections::HashSet, path::PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use loadtests::{
    figures::{Figure, millis, per_mille, report},
    lag::Lag,
    server::{Server, Usage, usage},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Duration, Instant, sleep, timeout},
};

use client::{Client, Live, Who};
use hall::Hall;
use scorers::Scorers;

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// The server's program.
    #[arg(long)]
    spawn: PathBuf,
    #[arg(long, default_value_t = 8_000)]
    clients: usize,
    /// How many of them sit the test; the others look at the wall.
    #[arg(long, default_value_t = 200)]
    candidates: usize,
}

/// After so long whoever is not back is counted as lost.
const PATIENCE: Duration = Duration::from_mins(1);
/// A few have scored before each blow.
const BEFORE: Duration = Duration::from_secs(1);

/// How everybody comes, or is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Arrival,
    Network,
    Crash,
    Restart,
}

impl Blow {
    const ALL: [Self; 4] = [Self::Arrival, Self::Network, Self::Crash, Self::Restart];

    fn name(self) -> &'static str {
        match self {
            Self::Arrival => "arrival",
            Self::Network => "all links cut",
            Self::Crash => "server killed",
            Self::Restart => "server restarted",
        }
    }
}

/// The server, and all who come back to it.
struct Storm {
    server: Server,
    count: usize,
    /// Who has not come yet.
    outside: Vec<Client>,
    here: JoinSet<()>,
    live: mpsc::Sender<Live>,
    lives: mpsc::Receiver<Live>,
    cuts: watch::Sender<u32>,
}

/// What came of a blow.
struct Endured {
    figures: Vec<Figure>,
    /// What the server's process had used of processors before; nothing if it is another one now.
    cpu_s: f64,
    problem: Option<String>,
}

/// Answers what went wrong.
pub(crate) async fn run(config: &Config) -> anyhow::Result<Vec<String>> {
    let server = Server::start(&config.spawn, true).await?;
    let mut creator = server.creator().await?;
    let (hall, clients, mut scorers) = Hall::open(config, &mut creator, Blow::ALL.len()).await?;
    let mut storm = Storm::new(server, clients);
    let (lag, own) = (Lag::start(), usage(std::process::id())?.cpu_s);
    let mut figures = vec![Figure::plain("sockets", whole(storm.count), "")];
    for blow in Blow::ALL {
        figures.extend(play(blow, &mut storm, &hall, &mut scorers).await?);
    }
    let own = usage(std::process::id())?.cpu_s - own;
    let mut lags = millis(&lag.stop().await?);
    let mut problems = hall.ledger().problems();
    problems.extend(scorers.problems());
    figures.extend([
        Figure::plain("own lag, p99", per_mille(&mut lags, 990), "ms"),
        Figure::plain("own processor time", own, "s"),
        Figure::at_most("problems found", whole(problems.len()), "", 0.0),
        Figure::plain("server memory, max", storm.usage()?.rss_max_mib, "MiB"),
    ]);
    report("storm", &figures)?;
    Ok(problems)
}

/// One blow, beside those who score, until all see the same again.
async fn play(
    blow: Blow,
    storm: &mut Storm,
    hall: &Hall,
    scorers: &mut Scorers,
) -> anyhow::Result<Vec<Figure>> {
    scorers.prepare().await?;
    let (endured, ()) = tokio::join!(storm.endure(blow), scorers.score());
    let Endured { mut figures, cpu_s, problem } = endured?;
    if let Some(problem) = problem {
        hall.ledger().problem(problem);
    }
    let name = blow.name();
    let cpu_s = storm.usage()?.cpu_s - cpu_s;
    figures.push(Figure::plain(&format!("{name}: server processor time"), cpu_s, "s"));
    figures.push(hall.settle(name, scorers).await?);
    Ok(figures)
}

impl Storm {
    fn new(server: Server, outside: Vec<Client>) -> Self {
        let count = outside.len();
        // Whoever comes back twice in one blow is heard of twice.
        let (live, lives) = mpsc::channel((2 * count).max(1));
        let (here, cuts) = (JoinSet::new(), watch::Sender::new(0));
        Self { server, count, outside, here, live, lives, cuts }
    }

    fn usage(&self) -> anyhow::Result<Usage> {
        usage(self.server.pid().context("it runs")?)
    }

    /// Strikes, and waits until all are back.
    async fn endure(&mut self, blow: Blow) -> anyhow::Result<Endured> {
        let before = self.usage()?.cpu_s;
        sleep(BEFORE).await;
        // Of the blow before.
        while self.lives.try_recv().is_ok() {}
        let began = self.strike(blow).await?;
        let (figures, problem) = self.back(began, blow.name()).await;
        let is_another = matches!(blow, Blow::Crash | Blow::Restart);
        let cpu_s = if is_another { 0.0 } else { before };
        Ok(Endured { figures, cpu_s, problem })
    }

    /// Cuts everybody off. Answers since when they can come back.
    async fn strike(&mut self, blow: Blow) -> anyhow::Result<Instant> {
        match blow {
            Blow::Arrival => {
                let began = Instant::now();
                for client in self.outside.drain(..) {
                    self.here.spawn(client.stay(self.live.clone(), self.cuts.subscribe()));
                }
                return Ok(began);
            }
            Blow::Network => {
                self.cuts.send_modify(|cut| *cut += 1);
                return Ok(Instant::now());
            }
            Blow::Crash => self.server.kill().await?,
            Blow::Restart => {
                let ended = self.server.stop().await?;
                ensure!(ended.success(), "the server ended with {ended}");
            }
        }
        self.server.start_again()?;
        self.server.ready().await?;
        Ok(Instant::now())
    }

    /// Waits until all are back, and says how long that took them.
    async fn back(&mut self, began: Instant, name: &str) -> (Vec<Figure>, Option<String>) {
        let (mut seen, mut all, mut candidates) = (HashSet::new(), vec![], vec![]);
        let heard = async {
            while all.len() < self.count {
                let Some(live) = self.lives.recv().await else { return };
                if !seen.insert(live.number) {
                    continue;
                }
                let took = live.at.saturating_duration_since(began).as_secs_f64();
                all.push(took);
                if live.who == Who::Candidate {
                    candidates.push(took);
                }
            }
        };
        let are_all = timeout(PATIENCE, heard).await.is_ok();
        let problem = || format!("{name}: only {} of {} came back", all.len(), self.count);
        let problem = (!are_all).then(problem);
        (figures(name, &mut all, &mut candidates), problem)
    }
}

/// How long it took them, in s.
fn figures(name: &str, all: &mut [f64], candidates: &mut [f64]) -> Vec<Figure> {
    let figure = |what: &str, value| Figure::at_most(&format!("{name}: {what}"), value, "s", 10.0);
    vec![
        Figure::plain(&format!("{name}: half are live"), per_mille(all, 500), "s"),
        figure("99 % are live", per_mille(all, 990)),
        Figure::plain(&format!("{name}: all are live"), per_mille(all, 1_000), "s"),
        figure("99 % of candidates", per_mille(candidates, 990)),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "counts in a table")]
fn whole(of: usize) -> f64 {
    of as f64
}
