//! How many events a second the SQLite store takes, durably: many streams at once, and one alone.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use domain::{
    at::At,
    ids::{CommandId, SessionId},
    ports::{Append, EventStore, Shards},
    stream::{Recorded, SHARDS, Stream},
};
use loadtests::figures::{Figure, millis, per_mille, report};
use storage::sqlite::{Options, Sqlite};
use tokio::{task::JoinSet, time::Instant};

#[derive(Debug, Args)]
pub(crate) struct Config {
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    #[arg(long, default_value_t = 512)]
    streams: usize,
    /// Where to write; on the disk that is to be measured.
    #[arg(long)]
    dir: Option<PathBuf>,
}

pub(crate) async fn run(config: Config) -> anyhow::Result<Vec<String>> {
    let scratch = tempfile::tempdir()?;
    let dir = config.dir.unwrap_or_else(|| scratch.path().to_owned());
    let length = Duration::from_secs(config.seconds);
    let mut figures = vec![];
    for streams in [1, config.streams] {
        let took = measure(&dir.join(streams.to_string()), streams, length).await?;
        let mut took = millis(&took);
        let rate = f64::from(u32::try_from(took.len())?) / length.as_secs_f64();
        let name = format!("{streams} streams, one event each at a time");
        figures.push(if streams == config.streams {
            Figure::at_least(&name, rate, "events/s", 15_000.0)
        } else {
            Figure::plain("one stream, one commit each", rate, "events/s")
        });
        figures.push(Figure::plain("  p50", per_mille(&mut took, 500), "ms"));
        figures.push(Figure::plain("  p99", per_mille(&mut took, 990), "ms"));
    }
    report("journal", &figures)?;
    Ok(vec![])
}

async fn measure(
    dir: &std::path::Path,
    streams: usize,
    length: Duration,
) -> anyhow::Result<Vec<Duration>> {
    let store = Sqlite::open(dir, Options::default()).await?;
    let mut epoch = 0;
    for shard in 0..SHARDS {
        epoch = store.take(shard, "load", At(0)).await?;
    }
    let end = Instant::now() + length;
    let mut tasks = JoinSet::new();
    for n in 0..streams {
        tasks.spawn(write(Arc::clone(&store), n, epoch, end));
    }
    let mut took = vec![];
    while let Some(ended) = tasks.join_next().await {
        took.extend(ended??);
    }
    store.close().await;
    Ok(took)
}

/// Appends one event after the other to stream `n` until `end`; how long each took.
pub(crate) async fn write(
    store: Arc<impl EventStore>,
    n: usize,
    epoch: u64,
    end: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let stream = Stream::Session(SessionId::derived(&n.to_string()));
    let mut took = vec![];
    while Instant::now() < end {
        let append = append(stream, epoch, took.len() as u64);
        let start = Instant::now();
        store.append(append).await?;
        took.push(start.elapsed());
    }
    Ok(took)
}

/// An edit of a usual length.
pub(crate) fn append(stream: Stream, epoch: u64, expected_seq: u64) -> Append {
    let body = format!(
        r#"{{"type":"edited","file":{{"question":1,"language":"python","name":"main.py"}},"rev":{expected_seq},"changes":[120,[4,"let total = 0;"],66,[0,"for value in values:"]],"caret":204}}"#
    );
    let event = Recorded {
        seq: expected_seq + 1,
        at: At(1_750_000_000_000),
        origin: stream.to_string(),
        command_id: CommandId::random(),
        n: 0,
        kind: "edited".to_owned(),
        body: body.into(),
    };
    let wake_at = Some(At(1_750_003_600_000));
    let (events, rows) = (vec![event], vec![]);
    Append { stream, epoch, expected_seq, events, wake_at, untold: None, rows }
}
