//! Measures the SQLite store: events a second and how long an append takes, many streams at once
//! and one alone. `cargo run --release -p storage --example bench_store -- [seconds] [directory]`

#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use domain::{
    at::At,
    ids::{CampaignId, CommandId, SessionId},
    ports::{Append, EventStore, Shards},
    rows::{RowChange, Topic},
    stream::{Recorded, SHARDS, Stream},
};
use storage::sqlite::{Options, Sqlite};
use tokio::{task::JoinSet, time::Instant};

/// One line of the table.
struct Case {
    name: &'static str,
    streams: u128,
    rows: usize,
}

const CASES: [Case; 5] = [
    Case { name: "1 stream", streams: 1, rows: 0 },
    Case { name: "64 streams", streams: 64, rows: 0 },
    Case { name: "512 streams", streams: 512, rows: 0 },
    Case { name: "512 streams, 2 rows each", streams: 512, rows: 2 },
    Case { name: "2048 streams", streams: 2048, rows: 0 },
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments.next().map_or(Ok(5), |text| text.parse()).context("seconds")?;
    let scratch = tempfile::tempdir()?;
    let dir = arguments.next().map_or(scratch.path().to_path_buf(), Into::into);
    println!("| case | events/s | p50 ms | p99 ms | max ms | CPU s | CPU us/event | MiB on disk |");
    println!("|--|--|--|--|--|--|--|--|");
    for case in CASES {
        let dir = dir.join(format!("{}-{}", case.streams, case.rows));
        measure(&case, &dir, Duration::from_secs(seconds)).await?;
    }
    Ok(())
}

async fn measure(case: &Case, dir: &Path, length: Duration) -> anyhow::Result<()> {
    let store = Sqlite::open(dir, Options::default()).await?;
    let mut epoch = 0;
    for shard in 0..SHARDS {
        epoch = store.take(shard, "bench", At(0)).await?;
    }
    let cpu = cpu_seconds()?;
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for n in 0..case.streams {
        tasks.spawn(write(Arc::clone(&store), n, epoch, case.rows, start + length));
    }
    let mut micros: Vec<u128> = vec![];
    while let Some(ended) = tasks.join_next().await {
        micros.extend(ended??);
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpu = cpu_seconds()? - cpu;
    store.close().await;
    micros.sort_unstable();
    print(case, &micros, seconds, cpu, dir)
}

/// Appends one event after the other until `end`; how long each took.
async fn write(
    store: Arc<Sqlite>,
    n: u128,
    epoch: u64,
    rows: usize,
    end: Instant,
) -> anyhow::Result<Vec<u128>> {
    let stream = Stream::Session(SessionId::derived(&n.to_string()));
    let mut micros = vec![];
    while Instant::now() < end {
        let append = append(stream, epoch, micros.len() as u64, rows);
        let start = Instant::now();
        store.append(append).await?;
        micros.push(start.elapsed().as_micros());
    }
    Ok(micros)
}

fn append(stream: Stream, epoch: u64, expected_seq: u64, rows: usize) -> Append {
    let campaign = CampaignId::from_u128(1);
    let body = format!(
        r#"{{"Edited":{{"question":3,"revision":{expected_seq},"changes":[[120,4,"let total = 0;"],[190,0,"for value in values {{"]],"caret":204,"seat":"7f0c"}}}}"#
    );
    let event = Recorded {
        seq: expected_seq + 1,
        at: At(1_750_000_000_000),
        origin: stream.to_string(),
        command_id: CommandId::random(),
        n: 0,
        kind: "Edited".into(),
        body: body.into(),
    };
    let row =
        serde_json::json!({"status": "running", "points": expected_seq, "ends_at": 1_750_000});
    let changes = [
        RowChange::put(Topic::Of(stream), "clock", &row),
        RowChange::put(Topic::Candidates(campaign), stream.to_string(), &row),
    ];
    let rows = changes.into_iter().take(rows).collect();
    let wake_at = Some(At(1_750_003_600_000));
    Append { stream, epoch, expected_seq, events: vec![event], wake_at, untold: None, rows }
}

#[expect(clippy::cast_precision_loss, reason = "counts and microseconds in a table")]
fn print(case: &Case, micros: &[u128], s: f64, cpu: f64, dir: &Path) -> anyhow::Result<()> {
    let at = |part: usize| {
        let place = micros.len() * part / 1_000;
        micros.get(place.min(micros.len() - 1)).map_or(0.0, |micros| *micros as f64 / 1_000.0)
    };
    let count = micros.len() as f64;
    let mib = std::fs::metadata(dir.join("polycode.db"))?.len() as f64 / 1_048_576.0;
    println!(
        "| {} | {:.0} | {:.2} | {:.2} | {:.2} | {cpu:.1} | {:.0} | {mib:.0} |",
        case.name,
        count / s,
        at(500),
        at(990),
        at(1_000),
        cpu / count * 1e6,
    );
    Ok(())
}

/// User and system time of this process so far, from `proc_pid_stat(5)` in ticks of 10 ms.
fn cpu_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, behind_name) = stat.rsplit_once(')').context("no name")?;
    let ticks = |nth| -> anyhow::Result<f64> {
        Ok(behind_name.split_whitespace().nth(nth).context("too short")?.parse()?)
    };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}
