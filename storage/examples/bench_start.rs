//! Measures a start: what it takes to find and load every session of a store that was filled
//! before. `cargo run --release -p storage --example bench_start -- [sessions] [directory]`

#![expect(clippy::print_stdout, reason = "it prints what it measures")]

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, ensure};
use domain::{
    at::At,
    ids::{CommandId, SessionId},
    ports::{Append, EventStore, Shards, Snapshot},
    stream::{Recorded, SHARDS, Stream},
};
use storage::sqlite::{Options, Sqlite};
use tokio::{task::JoinSet, time::Instant};

/// Events of each session, and how many of them its snapshot holds.
const EDITS: u64 = 300;
const SNAPSHOT_SEQ: u64 = 200;

/// How many sessions are loaded at the same time.
const LOADERS: usize = 8;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let sessions = arguments.next().map_or(Ok(10_000), |text| text.parse()).context("sessions")?;
    let scratch = tempfile::tempdir()?;
    let dir: PathBuf = arguments.next().map_or(scratch.path().to_path_buf(), Into::into);

    let start = Instant::now();
    let store = Sqlite::open(&dir, Options::default()).await?;
    fill(&store, sessions).await?;
    store.close().await;
    println!("filled with {sessions} sessions in {:.1?}", start.elapsed());
    println!("{} MiB on disk", std::fs::metadata(dir.join("polycode.db"))?.len() >> 20);
    drop(store);

    let start = Instant::now();
    let store = Sqlite::open(&dir, Options::default()).await?;
    println!("opened in {:.1?}", start.elapsed());
    let start = Instant::now();
    let due = store.due(At(i64::MAX), None, usize::MAX).await?;
    ensure!(due.len() == sessions, "{} of {sessions} are due", due.len());
    println!("all that is due found in {:.1?}", start.elapsed());
    let start = Instant::now();
    load(&store, due.into_iter().map(|(stream, _)| stream).collect()).await?;
    println!("all loaded in {:.1?}", start.elapsed());
    compact(&store).await?;
    store.close().await;
    Ok(())
}

async fn fill(store: &Arc<Sqlite>, sessions: usize) -> anyhow::Result<()> {
    for shard in 0..SHARDS {
        store.take(shard, "bench", At(0)).await?;
    }
    let mut tasks = JoinSet::new();
    for n in 0..sessions {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            let stream = session(n);
            for from in (0..EDITS).step_by(50) {
                store.append(append(stream, from)).await?;
            }
            let body = vec![b'x'; 4_000].into();
            store.save_snapshot(stream, Snapshot { seq: SNAPSHOT_SEQ, schema: 1, body }).await?;
            anyhow::Ok(())
        });
        if tasks.len() >= 500 {
            tasks.join_next().await.context("there are tasks")???;
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

fn session(n: usize) -> Stream {
    Stream::Session(SessionId::derived(&n.to_string()))
}

fn append(stream: Stream, expected_seq: u64) -> Append {
    let event = |seq| {
        Recorded {
        seq,
        at: At(1_750_000_000_000),
        origin: stream.to_string(),
        command_id: CommandId::random(),
        n: 0,
        kind: "Edited".into(),
        body: format!(
            r#"{{"Edited":{{"question":3,"revision":{seq},"changes":[[{},4,"let total = {seq};"],[190,0,"for value in values {{"]],"caret":204,"seat":"7f0c"}}}}"#,
            seq * 7 % 900
        )
        .into(),
    }
    };
    let events = (expected_seq + 1..=expected_seq + 50).map(event).collect();
    let wake_at = Some(At(1_750_003_600_000));
    Append { stream, epoch: 1, expected_seq, events, wake_at, untold: None, rows: vec![] }
}

async fn load(store: &Arc<Sqlite>, streams: Vec<Stream>) -> anyhow::Result<()> {
    let mut tasks = JoinSet::new();
    for part in streams.chunks(streams.len().div_ceil(LOADERS)) {
        let (store, part) = (Arc::clone(store), part.to_vec());
        tasks.spawn(async move {
            for stream in part {
                store.head(stream).await?;
                let snapshot = store.snapshot(stream, 1).await?.context("there is a snapshot")?;
                let events = store.read(stream, snapshot.seq, 1_000).await?;
                ensure!(events.len() as u64 == EDITS - SNAPSHOT_SEQ, "events are missing");
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

async fn compact(store: &Sqlite) -> anyhow::Result<()> {
    let start = Instant::now();
    store.compact(session(0), 1).await?;
    println!("one session compacted in {:.1?}", start.elapsed());
    let start = Instant::now();
    ensure!(store.read(session(0), 0, 1_000).await?.len() as u64 == EDITS, "events are missing");
    println!("and read again in {:.1?}", start.elapsed());
    Ok(())
}
