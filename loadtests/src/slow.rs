//! One socket that reads slowly, or not at all, beside others: what is kept for it, what it gets
//! itself, what the others feel of it, and what it takes of processors.

mod behind;
mod memory;
mod others;
mod publisher;

use std::path::PathBuf;

use clap::Args;
use loadtests::{
    figures::{Figure, Goal, median, ratio, report},
    http::Http,
    server::usage,
    socket::Socket,
};
use tokio::{
    task::JoinSet,
    time::{Duration, Instant, sleep, timeout},
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

/// What a turn is about.
struct Scene<'a> {
    browser: &'a Http,
    topic: &'a str,
    /// The server's process.
    pid: u32,
}

/// What was measured beside one kind of a slow socket, turn by turn.
#[derive(Default)]
struct Turns {
    /// The others' 99th percentiles, in ms.
    p99s: Vec<f64>,
    /// What the server used, in % of one processor.
    cpus: Vec<f64>,
}

/// Answers what went wrong.
pub(crate) async fn run(config: Config) -> anyhow::Result<Vec<String>> {
    let scratch = tempfile::tempdir()?;
    let mut figures = memory::measure(&config, scratch.path()).await?;
    let server = FanServer::start(&config.server, 1, scratch.path())?;
    let browser = Http::with_cookies(&server.url(), &server.cookie()?);
    let topic = std::fs::read_to_string(server.topics())?.trim().to_owned();
    let mut publisher = Publisher::open(&server, config.bytes).await?;
    // Before the others are there, who would have to read as much.
    let mut problems = behind::check(&mut publisher, &browser, &topic, config.bytes).await?;
    let mut others = Others::open(&browser, &topic, config.others, publisher.zero()).await?;
    let scene = Scene { browser: &browser, topic: &topic, pid: server.pid() };
    let turns = turns(&config, &mut publisher, &mut others, &scene).await?;
    problems.extend(others.problems());
    figures.push(Figure::plain("others", whole(config.others), ""));
    figures.extend(felt(&turns));
    figures.push(Figure::at_most("problems found", whole(problems.len()), "", 0.0));
    report("slow", &figures)?;
    Ok(problems)
}

/// All turns: beside nobody, beside one that does not read, and beside one that reads slowly.
async fn turns(
    config: &Config,
    publisher: &mut Publisher,
    others: &mut Others,
    scene: &Scene<'_>,
) -> anyhow::Result<[Turns; 3]> {
    // Not counted: everything is touched for the first time.
    turn(config, publisher, others, scene, Slow::Nobody).await?;
    let kinds = [Slow::Nobody, Slow::Still, Slow::Sluggish];
    let mut turns = <[Turns; 3]>::default();
    for round in 0..config.turns {
        for step in 0..kinds.len() {
            // Each goes first as often as the others.
            let place = (round + step) % kinds.len();
            let Some((kind, turns)) = kinds.get(place).zip(turns.get_mut(place)) else { continue };
            let (p99, cpu) = turn(config, publisher, others, scene, *kind).await?;
            turns.p99s.push(p99);
            turns.cpus.push(cpu);
        }
    }
    Ok(turns)
}

/// What the others feel of a slow one, and what it takes of the server.
fn felt([nobody, still, sluggish]: &[Turns; 3]) -> Vec<Figure> {
    let cpu = |name: &str, turns: &Turns| {
        Figure::plain(&format!("server processor time, {name}"), median(&turns.cpus), "% core")
    };
    let p99 = Figure::plain("others' p99, alone", median(&nobody.p99s), "ms");
    let mut figures = vec![p99, cpu("alone", nobody)];
    let kinds = [("one that does not read", still), ("one that reads slowly", sluggish)];
    for (name, turns) in kinds {
        let p99 = median(&turns.p99s);
        figures.push(Figure::plain(&format!("others' p99 beside {name}"), p99, "ms"));
        let goal = Some(Goal::AtMost(LATER));
        figures.extend(ratio("  to without it", &turns.p99s, &nobody.p99s, goal));
        figures.push(cpu(&format!("beside {name}"), turns));
    }
    figures
}

/// Publishes for one turn. Answers the others' 99th percentile in ms, and what the server used
/// meanwhile, in % of one processor.
async fn turn(
    config: &Config,
    publisher: &mut Publisher,
    others: &mut Others,
    scene: &Scene<'_>,
    kind: Slow,
) -> anyhow::Result<(f64, f64)> {
    let mut beside = JoinSet::new();
    if kind != Slow::Nobody {
        let (browser, topic) = (scene.browser.clone(), scene.topic.to_owned());
        beside.spawn(async move {
            loop {
                stay(&browser, &topic, kind).await.ok();
            }
        });
        // It is there, and behind, before anything is measured.
        publisher.publish(0, config.frames_a_second, Duration::from_secs(1)).await?;
    }
    others.begin();
    let (began, before) = (Instant::now(), usage(scene.pid)?.cpu_s);
    let length = Duration::from_secs(u64::from(config.seconds));
    let last = publisher.publish(0, config.frames_a_second, length).await?;
    let p99 = others.end(last).await?;
    let used = usage(scene.pid)?.cpu_s - before;
    Ok((p99, used / began.elapsed().as_secs_f64() * 100.0))
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
