//! One socket that reads slowly, or not at all, beside others: what is kept for it, and what the
//! others feel of it.

mod memory;
mod others;
mod publisher;

use std::path::PathBuf;

use clap::Args;
use loadtests::{
    figures::{Figure, Goal, median, ratio, report},
    http::Http,
    socket::Socket,
};
use tokio::{
    task::JoinSet,
    time::{Duration, sleep, timeout},
};

use self::{others::Others, publisher::Publisher};
use crate::fan_server::FanServer;

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// Our gateway, alone.
    #[arg(long, default_value = "target/release/examples/fan_server")]
    server: PathBuf,
    /// How many read as fast as they can.
    #[arg(long, default_value_t = 200)]
    others: usize,
    #[arg(long, default_value_t = 100)]
    frames_a_second: u32,
    /// How long a frame is, about.
    #[arg(long, default_value_t = 1_000)]
    bytes: usize,
    /// How long one turn is.
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// With seven, all turns enclose the median with 98 %.
    #[arg(long, default_value_t = 7)]
    turns: usize,
}

/// How much later than otherwise the others' frames may come.
const LATER: f64 = 1.1;
/// A slow socket comes back so often.
const AGAIN: Duration = Duration::from_secs(2);

/// Who is there besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slow {
    Nobody,
    /// Reads nothing.
    Still,
    /// Reads a frame now and then.
    Sluggish,
}

/// Answers what went wrong.
pub(crate) async fn run(config: Config) -> anyhow::Result<Vec<String>> {
    let scratch = tempfile::tempdir()?;
    let mut figures = memory::measure(&config, scratch.path()).await?;
    let server = FanServer::start(&config.server, 1, scratch.path())?;
    let browser = Http::with_cookies(&server.url(), &server.cookie()?);
    let topic = std::fs::read_to_string(server.topics())?.trim().to_owned();
    let mut publisher = Publisher::open(&server, config.bytes).await?;
    let mut others = Others::open(&browser, &topic, config.others, publisher.zero()).await?;
    // Not counted: everything is touched for the first time.
    turn(&config, &mut publisher, &mut others, &browser, (&topic, Slow::Nobody)).await?;
    let kinds = [Slow::Nobody, Slow::Still, Slow::Sluggish];
    let mut p99s = [vec![], vec![], vec![]];
    for round in 0..config.turns {
        for step in 0..kinds.len() {
            // Each goes first as often as the others.
            let place = (round + step) % kinds.len();
            let Some((kind, p99s)) = kinds.get(place).zip(p99s.get_mut(place)) else { continue };
            let who = (topic.as_str(), *kind);
            p99s.push(turn(&config, &mut publisher, &mut others, &browser, who).await?);
        }
    }
    let problems = others.problems();
    let [nobody, still, sluggish] = p99s;
    let beside = |name: &str, all: &[f64]| {
        let mut figures =
            vec![Figure::plain(&format!("others' p99 beside {name}"), median(all), "ms")];
        figures.extend(ratio("  to without it", all, &nobody, Some(Goal::AtMost(LATER))));
        figures
    };
    figures.push(Figure::plain("others", whole(config.others), ""));
    figures.push(Figure::plain("others' p99, alone", median(&nobody), "ms"));
    figures.extend(beside("one that does not read", &still));
    figures.extend(beside("one that reads slowly", &sluggish));
    figures.push(Figure::at_most("problems found", whole(problems.len()), "", 0.0));
    report("slow", &figures)?;
    Ok(problems)
}

/// Publishes for one turn. Answers the others' 99th percentile in ms.
async fn turn(
    config: &Config,
    publisher: &mut Publisher,
    others: &mut Others,
    browser: &Http,
    (topic, kind): (&str, Slow),
) -> anyhow::Result<f64> {
    let mut beside = JoinSet::new();
    if kind != Slow::Nobody {
        let (browser, topic) = (browser.clone(), topic.to_owned());
        beside.spawn(async move {
            loop {
                stay(&browser, &topic, kind).await.ok();
            }
        });
        // It is there, and behind, before anything is measured.
        publisher.publish(0, config.frames_a_second, Duration::from_secs(1)).await?;
    }
    others.begin();
    let length = Duration::from_secs(u64::from(config.seconds));
    let last = publisher.publish(0, config.frames_a_second, length).await?;
    others.end(last).await
}

/// One slow socket, for as long as it is let live.
async fn stay(browser: &Http, topic: &str, kind: Slow) -> anyhow::Result<()> {
    let mut socket = Socket::open_narrow(browser).await?;
    socket.watch(topic, (0, 0)).await?;
    let reading = async {
        while kind == Slow::Sluggish && socket.next_text().await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(AGAIN, reading).await.ok();
    sleep(Duration::from_millis(100)).await;
    if kind == Slow::Still {
        sleep(AGAIN).await;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts in a table")]
fn whole(of: usize) -> f64 {
    of as f64
}
