//! The soak: a cluster at work, one fault after the other, each drawn from the seed; and at the end
//! everything that must be true of what is stored and of what everybody saw.
//!
//! Each fault and what came of it is a line of the ledger. Called again with the same ledger it goes
//! on behind the last one.

mod checks;
mod fault;
mod ledger;
mod probe;

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use fastrand::Rng;
use loadtests::{
    cluster::Cluster,
    figures::{Figure, millis, per_mille, report},
};
use tokio::{
    sync::watch,
    time::{Duration, Instant, sleep},
};

use self::{
    fault::Fault,
    ledger::{Ledger, Round},
    probe::Probes,
};
use crate::recovery;

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// The program.
    #[arg(long)]
    spawn: PathBuf,
    /// Another version of it: whenever a node is started again, it is of the other one than before.
    #[arg(long)]
    other: Option<PathBuf>,
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Ends after so many faults instead.
    #[arg(long)]
    faults: Option<u32>,
    /// One fault of each kind, in turns, and then the end.
    #[arg(long)]
    each: bool,
    /// Only faults of this kind.
    #[arg(long, value_enum)]
    only: Option<fault::Kind>,
    #[arg(long, default_value_t = 40)]
    clients: usize,
    #[arg(long, default_value_t = 3)]
    nodes: usize,
    #[arg(long, default_value_t = 7)]
    seed: u64,
    #[arg(long, default_value = "target/soak/ledger.jsonl")]
    ledger: PathBuf,
}

/// How long everything is left alone between two faults, on the average.
const REST: Duration = Duration::from_secs(2);
/// After so long a cluster that is left alone has to serve everything.
const HEAL: Duration = Duration::from_secs(30);

/// Answers what went wrong.
pub(crate) async fn run(config: Config) -> anyhow::Result<Vec<String>> {
    let mut ledger = Ledger::open(&config.ledger)?;
    let mut cluster = {
        let nodes = vec![vec!["--fake-runs".to_owned()]; config.nodes];
        Cluster::start(&config.spawn, &nodes).await?
    };
    if let Some(other) = &config.other {
        cluster.nodes.iter_mut().for_each(|node| node.server.take_turns_with(other));
    }
    let mut creator = cluster.creator().await?;
    let up = watch::Sender::new(Some(Instant::now()));
    let over = watch::Sender::new(false);
    let clients = recovery::spawn(&mut creator, &cluster.urls(), &config_of(&config), &up).await?;
    let probes = Probes::start(&creator, cluster.urls(), over.subscribe()).await?;
    let began = Instant::now();
    let first = ledger.next_round();
    let mut problems = vec![];
    let mut heals: Vec<(fault::Kind, Duration, Duration)> = vec![];
    for round in first.. {
        let done = round - first;
        let kinds = u32::try_from(fault::Kind::ALL.len())?;
        let is_over = config.faults.or(config.each.then_some(kinds)).map_or_else(
            || began.elapsed() > Duration::from_secs_f64(config.minutes * 60.0),
            |faults| faults <= done,
        );
        if is_over {
            break;
        }
        let mut random = Rng::with_seed(config.seed ^ (u64::from(round) << 20));
        let turn = usize::try_from(done)? % fault::Kind::ALL.len();
        let only = config.only.or(fault::Kind::ALL.get(turn).copied().filter(|_| config.each));
        let fault = Fault::draw(&mut random, config.nodes, only);
        probes.begin_round();
        let healed = play(&mut cluster, &fault, &probes).await;
        let (gap, way) = probes.longest();
        let outcome = match &healed {
            Ok(healed) => {
                heals.push((fault.kind(), *healed, gap));
                "healed".to_owned()
            }
            Err(error) => {
                problems.push(format!("round {round}, {fault:?}: {error:#}"));
                format!("{error:#}")
            }
        };
        let healed = healed.ok();
        let entry = Round { number: round, fault: &fault, healed, longest: gap, outcome: &outcome };
        ledger.write(config.seed, &entry)?;
        say(&format!("{round}: {fault:?}: {outcome}, longest answer {} ms:{way}", gap.as_millis()));
        sleep(REST.mul_f64(0.5 + random.f64())).await;
    }
    over.send_replace(true);
    let seen = recovery::end(clients, &creator, &cluster.urls()).await?;
    // A node that stood still has heard nothing of anybody meanwhile, and says so when it goes on.
    problems.extend(seen.into_iter().filter(|problem| !problem.contains("closed with Some(4002)")));
    problems.extend(checks::of_store(&cluster).await?);
    problems.extend(checks::of_logs(&cluster));
    table(&heals, problems.len(), began.elapsed())?;
    Ok(problems)
}

#[expect(clippy::print_stdout, reason = "whoever soaks wants to see how far it is")]
fn say(line: &str) {
    println!("{line}");
}

fn config_of(config: &Config) -> recovery::Crew {
    recovery::Crew {
        clients: config.clients,
        seed: config.seed,
        cut_every: Duration::from_secs(15),
    }
}

/// Plays one fault to its end. Answers how long it took then until everything was served again.
async fn play(cluster: &mut Cluster, fault: &Fault, probes: &Probes) -> anyhow::Result<Duration> {
    fault.play(cluster).await.context("playing it")?;
    let ended = Instant::now();
    tokio::time::timeout(HEAL, probes.served()).await.context("it does not heal")?;
    Ok(ended.elapsed())
}

fn table(
    heals: &[(fault::Kind, Duration, Duration)],
    problems: usize,
    took: Duration,
) -> anyhow::Result<()> {
    #[expect(clippy::cast_precision_loss, reason = "counts in a table")]
    let whole = |count: usize| count as f64;
    let mut figures = vec![
        Figure::plain("soaked", took.as_secs_f64(), "s"),
        Figure::plain("faults", whole(heals.len()), ""),
        Figure::at_most("problems", whole(problems), "", 0.0),
    ];
    for kind in fault::Kind::ALL {
        let of = heals.iter().filter(|(of, ..)| *of == kind);
        let (healed, gaps): (Vec<Duration>, Vec<Duration>) =
            of.map(|(_, healed, gap)| (*healed, *gap)).unzip();
        if healed.is_empty() {
            continue;
        }
        let (mut healed_ms, mut gaps) = (millis(&healed), millis(&gaps));
        let name = format!("{kind:?}");
        figures.push(Figure::plain(&format!("{name}, times"), whole(healed.len()), ""));
        let max = per_mille(&mut healed_ms, 1_000);
        figures.push(Figure::plain(&format!("{name}, whole again, max"), max, "ms"));
        let longest = [500, 990, 1_000].map(|part| per_mille(&mut gaps, part));
        for (part, value) in ["p50", "p99", "max"].into_iter().zip(longest) {
            figures.push(Figure::plain(&format!("{name}, longest answer, {part}"), value, "ms"));
        }
    }
    report("soak", &figures)
}
