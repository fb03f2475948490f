//! The time that pages show, each through a way that takes 300 ms in each direction, give or take
//! 100.

use domain::ports::Clock as _;
use loadtests::{
    clock::Clock,
    figures::{Figure, per_mille},
    proxy::{Proxy, Weather, upstream},
    server::Server,
    socket::{Heard, Socket},
};
use serde_json::json;
use storage::SystemClock;
use tokio::{
    task::JoinSet,
    time::{Duration, Instant, sleep, timeout},
};

use super::Config;

const WEATHER: Weather =
    Weather { delay: Duration::from_millis(300), jitter: Duration::from_millis(100), faults: None };
/// How many pings a page sends.
const PINGS: usize = 12;
/// The page pings every 5 s. Here it is sooner, yet never before the last answer has come.
const EVERY: Duration = Duration::from_millis(100);
/// How wrong it may be at the 99th percentile.
const WRONG_MS: f64 = 100.0;
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn measure(config: &Config) -> anyhow::Result<Vec<Figure>> {
    let server = Server::start(&config.spawn, true).await?;
    let creator = server.creator().await?;
    let proxy = Proxy::start(vec![upstream(&server.url)?], WEATHER, 7).await?;
    let browser = creator.browser.to(&proxy.url());
    let mut pages = JoinSet::new();
    for _ in 0..config.pages {
        let browser = browser.clone();
        pages.spawn(async move { timeout(PATIENCE, page(Socket::open(&browser).await?)).await? });
    }
    let (mut first, mut later) = (vec![], vec![]);
    while let Some(wrong) = pages.join_next().await {
        let wrong: Vec<f64> = wrong??;
        first.extend(wrong.first());
        later.extend(wrong.iter().skip(8));
    }
    let p99 =
        |name: &str, all: &mut Vec<f64>| Figure::at_most(name, per_mille(all, 990), "ms", WRONG_MS);
    Ok(vec![
        p99("time shown is wrong, after one ping, p99", &mut first),
        p99("time shown is wrong, after eight, p99", &mut later),
        Figure::plain("time shown is wrong, after eight, p50", per_mille(&mut later, 500), "ms"),
    ])
}

/// How wrong the clock of one page is after each ping.
async fn page(mut socket: Socket) -> anyhow::Result<Vec<f64>> {
    let (zero, mut clock, mut wrong) = (Instant::now(), Clock::default(), vec![]);
    let now = || zero.elapsed().as_secs_f64() * 1_000.0;
    while wrong.len() < PINGS {
        socket.send(&json!({ "type": "ping", "sent_ms": now() })).await?;
        let (sent, server_ms) = loop {
            match socket.next().await {
                Heard::Pong { sent_ms, server_ms, .. } => break (sent_ms, server_ms),
                Heard::Closed(code) => anyhow::bail!("closed with {code:?}"),
                Heard::Rows(_)
                | Heard::Done { .. }
                | Heard::Refused { .. }
                | Heard::Unwatched { .. }
                | Heard::Untyped { .. }
                | Heard::Bye { .. } => {}
            }
        };
        clock.sync(server_ms, sent, now());
        #[expect(clippy::cast_precision_loss, reason = "exact until the year 287396")]
        let truth = SystemClock.now().0 as f64;
        wrong.push((clock.exact(now()) - truth).abs());
        sleep(EVERY).await;
    }
    Ok(wrong)
}
