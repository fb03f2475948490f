//! What is kept for a socket that does not read: in the server, and in the system's own queue. Each
//! watches a topic of its own, so that none shares its frames with another. Another server, to which
//! the same is published and where nobody watches, says what publishing takes by itself: what it
//! stores grows by leaps, and both leap at the same step.

use std::path::Path;

use loadtests::{figures::Figure, http::Http, server::usage, socket::Socket};
use tokio::time::{Duration, sleep};

use super::{Config, publisher::Publisher};
use crate::fan_server::FanServer;

/// How many there are of each kind, so that something is to be seen.
const SOCKETS: usize = 32;
/// How much each topic is told between two looks, and how often: far more in all than may wait.
const STEP_BYTES: usize = 64 * 1024;
const STEPS: u32 = 64;
/// How much may be kept for it.
const KEPT_KIB: f64 = 256.0;

pub(super) async fn measure(config: &Config, scratch: &Path) -> anyhow::Result<Vec<Figure>> {
    let alone = grown(config, scratch, 0).await?;
    let beside = grown(config, scratch, SOCKETS).await?;
    let mut kept = beside.iter().zip(&alone).map(|(beside, alone)| beside.kib - alone.kib);
    let sockets = f64::from(u32::try_from(SOCKETS)?);
    let most = |all: &mut dyn Iterator<Item = f64>| all.fold(0.0, f64::max) / sockets;
    let queued = most(&mut beside.iter().map(|step| step.queued_kib));
    Ok(vec![
        Figure::plain("sockets that do not read", sockets, ""),
        Figure::at_most("kept for each by the server", most(&mut kept), "KiB", KEPT_KIB),
        Figure::plain("kept for each by the system", queued, "KiB"),
    ])
}

/// A server after one step.
struct Step {
    /// What it has taken since there were sockets.
    kib: f64,
    queued_kib: f64,
}

/// How a server grows step by step, beside so many sockets that do not read.
async fn grown(config: &Config, scratch: &Path, sockets: usize) -> anyhow::Result<Vec<Step>> {
    let server = FanServer::start_frugal(&config.server, u32::try_from(2 * SOCKETS)?, scratch)?;
    let browser = Http::with_cookies(&server.url(), &server.cookie()?);
    let names = std::fs::read_to_string(server.topics())?;
    let mut publisher = Publisher::open(&server, config.bytes).await?;
    // Everything is touched before anything is compared.
    let frames = STEP_BYTES / config.bytes.clamp(1, STEP_BYTES);
    for _ in 0..STEPS {
        fill(&mut publisher, SOCKETS, frames).await?;
    }
    let mut open = vec![];
    for name in names.lines().take(sockets) {
        let mut socket = Socket::open_narrow(&browser).await?;
        socket.watch(name, (0, 0)).await?;
        open.push(socket);
    }
    sleep(Duration::from_millis(300)).await;
    let before = usage(server.pid())?.rss_mib;
    let mut steps = vec![];
    for _ in 0..STEPS {
        fill(&mut publisher, 0, frames).await?;
        let kib = (usage(server.pid())?.rss_mib - before) * 1_024.0;
        steps.push(Step { kib, queued_kib: queued_kib(server.port)? });
    }
    Ok(steps)
}

/// Publishes so many frames on as many topics as there are sockets, from `first` on.
async fn fill(publisher: &mut Publisher, first: usize, frames: usize) -> anyhow::Result<()> {
    for _ in 0..frames {
        for topic in first..first + SOCKETS {
            publisher.send(topic).await?;
        }
    }
    publisher.stored().await
}

/// What the system has taken from the server and not yet brought to anybody, in KiB
/// (`proc_net_tcp(5)`): of all sockets of `port`.
fn queued_kib(port: u16) -> anyhow::Result<f64> {
    let table = std::fs::read_to_string("/proc/net/tcp")?;
    let local = format!(":{port:04X}");
    let queued = table.lines().skip(1).filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let is_ours = words.next()?.ends_with(&local);
        let (sent, _) = words.nth(2)?.split_once(':')?;
        is_ours.then_some(u32::from_str_radix(sent, 16).ok()?)
    });
    Ok(queued.map(f64::from).sum::<f64>() / 1_024.0)
}
