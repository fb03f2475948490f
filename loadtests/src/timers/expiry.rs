//! Sessions with their owners, on a real store, each with an end of its own. An end is committed
//! when its owner publishes the row that says so, which it does right after the commit.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use actors::{
    ask::Meta,
    node::{self, Node},
};
use anyhow::ensure;
use domain::{
    at::{At, Ms},
    command::{Answer, AnyCommand},
    content::Language,
    ids::{CampaignId, ContentId, SeatId, SessionId},
    plan::{Plan, QuestionPlan, Task, ValidatorPlan},
    points::Points,
    ports::{Bus, Clock, Published, Subscription},
    rows::Topic,
    session::{self, Terms},
    stream::Stream,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use loadtests::{
    figures::{Figure, millis, per_mille},
    lag::Lag,
    server::usage,
};
use serde::Deserialize;
use storage::{
    SystemClock,
    bus::LocalBus,
    memory::Memory,
    sqlite::{Options, Sqlite},
};
use tokio::time::{Duration, Instant, sleep};

use super::Config;
use crate::alone::deps;

/// How many start at the same time.
const ABREAST: usize = 512;
/// How late an end may be at the 99th percentile.
const LATE_MS: f64 = 50.0;
/// How long the last end is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
const CAMPAIGN: CampaignId = CampaignId::from_u128(7);

/// What each session is to do when.
struct Ends {
    first: At,
    apart_us: i64,
}

impl Ends {
    fn of(&self, number: u32) -> At {
        self.first + Ms(i64::from(number) * self.apart_us / 1_000)
    }
}

pub(super) async fn measure(
    config: &Config,
    problems: &mut Vec<String>,
) -> anyhow::Result<Vec<Figure>> {
    let scratch = tempfile::tempdir()?;
    let bus = Arc::new(Stamping::default());
    let deps = if config.memory {
        deps(&Arc::new(Memory::new()), Arc::clone(&bus) as _)
    } else {
        deps(&Sqlite::open(scratch.path(), Options::default()).await?, Arc::clone(&bus) as _)
    };
    let node = Node::start(deps, node::Options::alone("timers", 0)).await?;
    let apart_us = i64::from(config.ending_s) * 1_000_000 / i64::from(config.timers.max(1));
    let first = SystemClock.now() + Ms::from_secs(config.starting_s);
    let ends = Ends { first, apart_us };
    let before = usage(std::process::id())?;
    let began = Instant::now();
    start_all(&node, config.timers, &ends).await?;
    let starting = began.elapsed();
    ensure!(SystemClock.now() < first, "not all had started when the first one ended");
    let armed = usage(std::process::id())?;
    let awake = node.directory.awake();
    sleep(until(first)).await;
    let lag = Lag::start();
    let waiting = usage(std::process::id())?;
    sleep(until(ends.of(config.timers))).await;
    let lags = lag.stop().await?;
    let until = Instant::now() + PATIENCE;
    while bus.count() < config.timers as usize && Instant::now() < until {
        sleep(Duration::from_millis(50)).await;
    }
    let used = usage(std::process::id())?;
    let late = late(&bus, &ends, config.timers, problems);
    drop(node);
    let (mut committed, mut stamped) = late.into_iter().unzip::<f64, f64, Vec<_>, Vec<_>>();
    let count = f64::from(config.timers);
    let took = f64::from(config.ending_s);
    let earliest = per_mille(&mut committed, 0).min(per_mille(&mut stamped, 0));
    Ok(vec![
        Figure::plain("timers armed", whole(awake), ""),
        Figure::plain("starting all", starting.as_secs_f64(), "s"),
        Figure::plain("ends a second", count / took, "1/s"),
        Figure::at_least("end committed late, min", earliest, "ms", 0.0),
        Figure::plain("end committed late, p50", per_mille(&mut committed, 500), "ms"),
        Figure::at_most("end committed late, p99", per_mille(&mut committed, 990), "ms", LATE_MS),
        Figure::plain("end committed late, max", per_mille(&mut committed, 1_000), "ms"),
        Figure::plain("end decided late, p99", per_mille(&mut stamped, 990), "ms"),
        Figure::plain("own lag, p99", per_mille(&mut millis(&lags), 990), "ms"),
        Figure::plain(
            "memory a timer, with its session",
            (armed.rss_mib - before.rss_mib) * 1_024.0 / count,
            "KiB",
        ),
        Figure::plain("processor time", (used.cpu_s - waiting.cpu_s) / took * 100.0, "% core"),
    ])
}

async fn start_all(node: &Node, count: u32, ends: &Ends) -> anyhow::Result<()> {
    let plan = Arc::new(plan());
    let start = |number: u32| {
        let plan = Arc::clone(&plan);
        async move {
            let session = session_of(number);
            let terms = Terms {
                closes_at: Some(ends.of(number)),
                time_allowed: Ms::from_secs(24 * 3_600),
                ..Terms::default()
            };
            let campaign = Some(CAMPAIGN);
            let invite = session::Command::Invite { session, campaign, terms, plan };
            done(node, session, invite).await?;
            done(node, session, session::Command::Start { seat: SeatId::from_u128(1) }).await
        }
    };
    stream::iter(0..count).map(start).buffer_unordered(ABREAST).try_collect().await
}

/// Asks until there is room.
async fn done(node: &Node, to: SessionId, command: session::Command) -> anyhow::Result<()> {
    let meta = Meta::of_node();
    loop {
        let command = AnyCommand::Session(Box::new(command.clone()));
        match node.directory.ask(Stream::Session(to), meta, command).await {
            Answer::Done { .. } => return Ok(()),
            Answer::Refused(why) if why.retry_after_ms.is_some() => {
                sleep(Duration::from_millis(why.retry_after_ms.unwrap_or(0))).await;
            }
            Answer::Refused(why) => anyhow::bail!("{}: {}", why.code, why.text),
        }
    }
}

fn session_of(number: u32) -> SessionId {
    SessionId::from_u128(u128::from(number))
}

fn until(at: At) -> Duration {
    Duration::from_millis(u64::try_from((at - SystemClock.now()).0).unwrap_or(0))
}

/// How late each end was: committed, and by the time in its event.
fn late(bus: &Stamping, ends: &Ends, count: u32, problems: &mut Vec<String>) -> Vec<(f64, f64)> {
    let stamps = bus.0.stamps.lock().unwrap_or_else(PoisonError::into_inner);
    let numbers: HashMap<String, u32> =
        (0..count).map(|number| (session_of(number).to_string(), number)).collect();
    let mut seen = HashMap::new();
    for Stamp { session, committed_at, up_at } in stamps.iter() {
        let Some(number) = numbers.get(session) else { continue };
        let end = ends.of(*number);
        let ms = |at: At| i32::try_from((at - end).0).map_or(f64::MAX, f64::from);
        if seen.insert(*number, (ms(*committed_at), ms(*up_at))).is_some() {
            problems.push(format!("session {number} ended twice"));
        }
    }
    if seen.len() != numbers.len() {
        problems.push(format!("{} of {count} sessions have ended", seen.len()));
    }
    seen.into_values().collect()
}

/// The bus of a node, which notes when each session is said to be over.
#[derive(Default)]
struct Stamping(Inner);

#[derive(Default)]
struct Inner {
    bus: LocalBus,
    stamps: Mutex<Vec<Stamp>>,
}

struct Stamp {
    session: String,
    committed_at: At,
    up_at: At,
}

#[derive(Deserialize)]
struct Row {
    time_up_at: Option<At>,
    sealed_at: Option<At>,
}

impl Stamping {
    fn count(&self) -> usize {
        self.0.stamps.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Bus for Stamping {
    fn publish(&self, published: Arc<Published>) {
        if published.frame.topic == Topic::Candidates(CAMPAIGN) {
            let committed_at = SystemClock.now();
            for (session, row) in &published.frame.rows {
                let row = row.as_ref().and_then(|row| serde_json::from_slice::<Row>(row).ok());
                // The row is told again when the session is sealed.
                let Some(Row { time_up_at: Some(up_at), sealed_at: None }) = row else { continue };
                let stamp = Stamp { session: session.clone(), committed_at, up_at };
                self.0.stamps.lock().unwrap_or_else(PoisonError::into_inner).push(stamp);
            }
        }
        self.0.bus.publish(published);
    }

    fn subscribe(&self, topic: Topic) -> Box<dyn Subscription> {
        self.0.bus.subscribe(topic)
    }
}

fn plan() -> Plan {
    let validator = ValidatorPlan { name: "a".to_owned(), shown: true, weight: 1, group: None };
    let (languages, starters, groups) = (vec![Language::Python], vec![], vec![]);
    let question = QuestionPlan {
        content: ContentId::derived("timers"),
        version: 1,
        title: "Sum".to_owned(),
        tags: vec![],
        points: Points::from_hundredths(1_000),
        limit: None,
        task: Task::Code { languages, starters, validators: vec![validator], groups },
    };
    Plan { test: None, version: 1, title: "Timers".to_owned(), questions: vec![question] }
}

#[expect(clippy::cast_precision_loss, reason = "counts in a table")]
fn whole(of: usize) -> f64 {
    of as f64
}
