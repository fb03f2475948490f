//! What the PostgreSQL store does beside `pgbench`, which inserts the same rows one by one: in
//! turns, on one server, so that whatever else the machine does hits both.

mod commands;
mod pgbench;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use clap::Args;
use domain::{at::At, ports::Shards, stream::SHARDS};
use loadtests::figures::{Figure, Goal, median, millis, per_mille, ratio, report};
use storage::{postgres::Postgres, scratch::Scratch};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::journal;
use commands::Sessions;
use pgbench::Pgbench;

/// How many turns each has. Of nine ratios the second and the eighth bound the median with 96 %
/// confidence (the sign test).
const TURNS: usize = 9;

/// `getconf CLK_TCK` is 100 on every Linux.
const TICK_MICROS: f64 = 10_000.0;

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// How long each turn is.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
}

/// What one turn did.
pub(crate) struct Turn {
    /// A second.
    pub(crate) rate: f64,
    /// How long each took, in ms.
    pub(crate) took: Vec<f64>,
    /// Processor time for each, in microseconds: of this process, and of the server.
    pub(crate) busy: (f64, f64),
}

/// The processor time of this process and the server when a turn began.
pub(crate) struct Meter<'a> {
    server: &'a Scratch,
    ticks: (u64, u64),
}

impl<'a> Meter<'a> {
    pub(crate) fn start(server: &'a Scratch) -> anyhow::Result<Self> {
        Ok(Self { server, ticks: (own_ticks()?, server.ticks()?) })
    }

    /// What each of `count` has cost since, in microseconds.
    pub(crate) fn each(&self, count: usize) -> anyhow::Result<(f64, f64)> {
        let count = f64::from(u32::try_from(count.max(1))?);
        let each = |from: u64, to: u64| -> anyhow::Result<f64> {
            Ok(f64::from(u32::try_from(to.saturating_sub(from))?) * TICK_MICROS / count)
        };
        Ok((each(self.ticks.0, own_ticks()?)?, each(self.ticks.1, self.server.ticks()?)?))
    }
}

fn own_ticks() -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    Ok(fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum())
}

impl Turn {
    fn of(took: &[Duration], length: Duration, meter: &Meter<'_>) -> anyhow::Result<Self> {
        let count = f64::from(u32::try_from(took.len())?);
        let busy = meter.each(took.len())?;
        Ok(Self { rate: count / length.as_secs_f64(), took: millis(took), busy })
    }
}

pub(crate) async fn run(config: Config) -> anyhow::Result<Vec<String>> {
    let server = Scratch::start().await?.context("PostgreSQL is not installed")?;
    let length = Duration::from_secs(config.seconds);
    let mut figures = vec![Figure::plain("machine busy with others", busy().await?, "%")];
    let store = Postgres::open(&server.schema("ours").await?).await?;
    let epoch = take_all(&store).await?;
    let pgbench = Pgbench::prepare(&server).await?;
    let mut sessions = Sessions::start(&server, 64).await?;
    for (clients, goal) in [(64, 2.0), (512, 4.0)] {
        let (mut ours, mut theirs, mut asked) = (vec![], vec![], vec![]);
        for turn in 0..TURNS {
            ours.push(appends(&server, &store, epoch, clients, turn, length).await?);
            theirs.push(pgbench.turn(&server, clients, length).await?);
            if clients == 64 {
                asked.push(sessions.turn(&server, length).await?);
            }
        }
        figures.extend(rates(clients, goal, &ours, &theirs));
        figures.extend(busy_each(&format!("append, {clients} streams"), &ours));
        figures.extend(busy_each(&format!("pgbench, {clients} clients"), &theirs));
        figures.extend(latencies(&format!("append, {clients} at once"), &mut ours));
        figures.extend(latencies(&format!("pgbench, {clients} at once"), &mut theirs));
        if !asked.is_empty() {
            figures.extend(latencies(&format!("command, {clients} at once"), &mut asked));
            figures.extend(ratio(
                "command p50 to pgbench's",
                &at(&mut asked, 500),
                &at(&mut theirs, 500),
                Some(Goal::AtMost(2.0)),
            ));
            figures.extend(ratio(
                "command p99 to pgbench's",
                &at(&mut asked, 990),
                &at(&mut theirs, 990),
                Some(Goal::AtMost(3.0)),
            ));
        }
    }
    let mut woken = millis(&sessions.activations().await?);
    figures.push(Figure::plain(
        "activation from a snapshot, p50",
        per_mille(&mut woken, 500),
        "ms",
    ));
    figures.push(Figure::at_most("activation, p99", per_mille(&mut woken, 990), "ms", 5.0));
    report("postgres", &figures)?;
    store.close().await;
    Ok(vec![])
}

async fn take_all(store: &Postgres) -> anyhow::Result<u64> {
    let mut epoch = 0;
    for shard in 0..SHARDS {
        epoch = store.take(shard, "load", At(0)).await?;
    }
    Ok(epoch)
}

/// Each stream appends one event after the other; new streams in each turn.
async fn appends(
    server: &Scratch,
    store: &Arc<Postgres>,
    epoch: u64,
    streams: usize,
    turn: usize,
    length: Duration,
) -> anyhow::Result<Turn> {
    let meter = Meter::start(server)?;
    let end = Instant::now() + length;
    let mut tasks = JoinSet::new();
    for n in 0..streams {
        let n = (streams * TURNS + turn) * streams + n;
        tasks.spawn(journal::write(Arc::clone(store), n, epoch, end));
    }
    let mut took = vec![];
    while let Some(ended) = tasks.join_next().await {
        took.extend(ended??);
    }
    Turn::of(&took, length, &meter)
}

fn rates(clients: usize, goal: f64, ours: &[Turn], theirs: &[Turn]) -> Vec<Figure> {
    let rates = |turns: &[Turn]| turns.iter().map(|turn| turn.rate).collect::<Vec<f64>>();
    let (ours, theirs) = (rates(ours), rates(theirs));
    let mut figures = vec![
        Figure::plain(&format!("appends, {clients} streams"), median(&ours), "1/s"),
        Figure::plain(&format!("pgbench, {clients} clients"), median(&theirs), "1/s"),
    ];
    figures.extend(ratio(
        &format!("appends to pgbench, {clients}"),
        &ours,
        &theirs,
        Some(Goal::AtLeast(goal)),
    ));
    figures
}

/// What one cost the processors; of `pgbench` only its server counts here, it is another process.
fn busy_each(name: &str, turns: &[Turn]) -> Vec<Figure> {
    let of = |part: fn(&Turn) -> f64| median(&turns.iter().map(part).collect::<Vec<f64>>());
    let mut figures =
        vec![Figure::plain(&format!("{name}, server's time"), of(|turn| turn.busy.1), "us")];
    if name.starts_with("append") {
        figures.push(Figure::plain(&format!("{name}, our time"), of(|turn| turn.busy.0), "us"));
    }
    figures
}

/// The percentile of each turn, in ms.
fn at(turns: &mut [Turn], part: usize) -> Vec<f64> {
    turns.iter_mut().map(|turn| per_mille(&mut turn.took, part)).collect()
}

fn latencies(name: &str, turns: &mut [Turn]) -> Vec<Figure> {
    let of = |part: usize, turns: &mut [Turn]| median(&at(turns, part));
    vec![
        Figure::plain(&format!("{name}, p50"), of(500, turns), "ms"),
        Figure::plain(&format!("{name}, p99"), of(990, turns), "ms"),
    ]
}

/// How busy the processors are with everything else, in %: of two seconds in which we do nothing.
async fn busy() -> anyhow::Result<f64> {
    let before = ticks()?;
    sleep(Duration::from_secs(2)).await;
    let after = ticks()?;
    let (idle, all) = (after.0 - before.0, after.1 - before.1);
    Ok(100.0 * (1.0 - idle / all))
}

/// Idle and all ticks of the processors so far (`proc_stat(5)`).
fn ticks() -> anyhow::Result<(f64, f64)> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("the line of all processors")?;
    let ticks: Vec<f64> = line.split_whitespace().filter_map(|one| one.parse().ok()).collect();
    let idle = ticks.iter().skip(3).take(2).sum();
    Ok((idle, ticks.iter().take(8).sum()))
}
