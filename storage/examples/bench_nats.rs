//! Measures what NATS costs: calls, frames, and leases that are renewed, each between two nodes at a
//! server of its own. `cargo run --release -p storage --example bench_nats -- [seconds]`

#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    cluster::{Leases, Serve, Subject, Wire},
    frame::RowsFrame,
    ids::NodeId,
    ports::{Bus, Heard, Published},
    rows::Topic,
};
use storage::{
    nats::{
        Nats, Options,
        bus::NatsBus,
        leases::{NatsLeases, Shape},
        wire::NatsWire,
    },
    scratch::server::{Program, Server},
};
use tokio::{
    task::JoinSet,
    time::{Instant, interval},
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let seconds = std::env::args().nth(1).map_or(Ok(5), |text| text.parse()).context("seconds")?;
    let length = Duration::from_secs(seconds);
    let load = std::fs::read_to_string("/proc/loadavg")?;
    println!("load before: {}", load.trim());
    println!("| case | a second | us of ours each | us of the server each | % of a core, both |");
    println!("|--|--|--|--|--|");
    for side_by_side in [1, 64] {
        calls(length, side_by_side).await?;
    }
    frames(length).await?;
    leases(length).await
}

async fn server() -> anyhow::Result<Server> {
    Server::start(Program::Nats, &[]).await?.context("NATS is not installed")
}

async fn connect(server: &Server) -> anyhow::Result<Nats> {
    Ok(Nats::connect(Options::new(&server.url(), "bench".parse()?)).await?)
}

/// What passes between two looks at the clock and at the processor time.
struct Measure {
    start: Instant,
    ours: f64,
    theirs: f64,
    pid: u32,
}

impl Measure {
    fn start(server: &Server) -> anyhow::Result<Self> {
        let pid = server.pid().context("it runs")?;
        let (ours, theirs) = (cpu_seconds(std::process::id())?, cpu_seconds(pid)?);
        Ok(Self { start: Instant::now(), ours, theirs, pid })
    }

    fn print(&self, case: &str, count: u32) -> anyhow::Result<()> {
        let seconds = self.start.elapsed().as_secs_f64();
        let ours = cpu_seconds(std::process::id())? - self.ours;
        let theirs = cpu_seconds(self.pid)? - self.theirs;
        let (a_second, each) = (f64::from(count) / seconds, 1e6 / f64::from(count));
        let percent = (ours + theirs) / seconds * 100.0;
        let (ours, theirs) = (ours * each, theirs * each);
        println!("| {case} | {a_second:.0} | {ours:.1} | {theirs:.1} | {percent:.1} |");
        Ok(())
    }
}

/// Processor time that a process has used.
fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("a name")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u32>);
    // Linux counts in hundredths for programs.
    Ok(f64::from(ticks.sum::<Result<u32, _>>()?) / 100.0)
}

struct Echo;

#[async_trait]
impl Serve for Echo {
    async fn answer(&self, body: Bytes) -> Bytes {
        body
    }
}

async fn calls(length: Duration, side_by_side: u32) -> anyhow::Result<()> {
    let server = server().await?;
    let (a, b) = (connect(&server).await?, connect(&server).await?);
    let (a, b) = (NatsWire::new(&a), Arc::new(NatsWire::new(&b)));
    let subject = Subject::Commands(1);
    let _serving = a.serve(subject, Arc::new(Echo)).await?;
    let measure = Measure::start(&server)?;
    let mut callers = JoinSet::new();
    for _ in 0..side_by_side {
        let (b, until) = (Arc::clone(&b), measure.start + length);
        callers.spawn(async move {
            let mut count = 0;
            while Instant::now() < until {
                b.call(subject, Bytes::from_static(&[b'x'; 300]), length).await?;
                count += 1;
            }
            anyhow::Ok(count)
        });
    }
    let mut count = 0;
    for counted in callers.join_all().await {
        count += counted?;
    }
    measure.print(&format!("calls of 300 bytes, {side_by_side} side by side"), count)
}

fn frame(seq: u64) -> Arc<Published> {
    let rows = vec![("key".to_owned(), Some(Bytes::from(vec![b'1'; 300])))];
    let (topic, prev) = (Topic::Queue, Some(seq));
    let frame = RowsFrame { topic, epoch: 1, seq, prev, reset: false, more: false, rows };
    let text = frame.write().into();
    Arc::new(Published::new(frame, text))
}

async fn frames(length: Duration) -> anyhow::Result<()> {
    let server = server().await?;
    let (a, b) = (connect(&server).await?, connect(&server).await?);
    let (a, b) = (NatsBus::new(&a), NatsBus::new(&b));
    let mut watcher = b.subscribe(Topic::Queue);
    let (mut sent, mut heard, mut gaps) = (0, 0, 0);
    let measure = Measure::start(&server)?;
    while measure.start.elapsed() < length {
        // So many are on their way at once.
        for _ in 0..64 {
            a.publish(frame(sent));
            sent += 1;
        }
        loop {
            match tokio::time::timeout(Duration::from_secs(1), watcher.next()).await {
                Ok(Some(Heard::Frame(frame))) => {
                    heard += 1;
                    if frame.frame.seq + 1 == sent {
                        break;
                    }
                }
                Ok(Some(Heard::Gap)) => gaps += 1,
                Ok(None) | Err(_) => break,
            }
        }
    }
    measure.print(&format!("frames of 300 bytes, {gaps} gaps of {sent} sent"), heard)
}

/// Three nodes hold 256 shards, renew each every 1.5 s, and look at all as often.
async fn leases(length: Duration) -> anyhow::Result<()> {
    let server = server().await?;
    let mut holders = JoinSet::new();
    let shape = Shape { database: "bench".into(), ttl: Duration::from_secs(6), replicas: 1 };
    let mut nodes = vec![];
    for n in 0..3 {
        let leases = NatsLeases::claim(&connect(&server).await?, shape.clone()).await?;
        let mut held = vec![];
        for shard in (0..256).filter(|shard| shard % 3 == n) {
            held.push((shard, leases.put(shard, NodeId::from_u128(n.into()), None).await?));
        }
        nodes.push((leases, NodeId::from_u128(n.into()), held));
    }
    let measure = Measure::start(&server)?;
    for (leases, node, mut held) in nodes {
        let until = measure.start + length;
        holders.spawn(async move {
            let (mut each, mut count) = (interval(Duration::from_millis(1_500)), 0);
            while Instant::now() < until {
                each.tick().await;
                let (leases, mine) = (&leases, std::mem::take(&mut held));
                let puts = mine.into_iter().map(|(shard, revision)| async move {
                    anyhow::Ok((shard, leases.put(shard, node, Some(revision)).await?))
                });
                held = futures_util::future::try_join_all(puts).await?;
                count += u32::try_from(held.len())?;
                ensure!(leases.all().await?.len() == 256, "all are held");
            }
            anyhow::Ok(count)
        });
    }
    let mut count = 0;
    for counted in holders.join_all().await {
        count += counted?;
    }
    measure.print("renewals of 256 leases by 3 nodes, each 1.5 s", count)
}
