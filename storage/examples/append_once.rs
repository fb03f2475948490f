//! Opens a store, appends one event and says so: for a test that watches its system calls.
//! `append_once <directory> [unsynced]`

use std::{io::Write, path::PathBuf};

use anyhow::Context;
use domain::{
    at::At,
    ids::{CommandId, SessionId},
    ports::{Append, EventStore, Shards},
    stream::{Recorded, Stream},
};
use storage::sqlite::{Options, Sqlite, Sync};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let dir: PathBuf = arguments.next().context("append_once <directory> [unsynced]")?.into();
    let sync = if arguments.next().is_some() { Sync::UnsafeOff } else { Sync::Full };
    let store = Sqlite::open(&dir, Options { sync, ..Options::default() }).await?;
    let stream = Stream::Session(SessionId::from_u128(1));
    let epoch = store.take(stream.shard(), "append_once", At(0)).await?;
    let expected_seq = store.head(stream).await?.seq;
    let event = Recorded {
        seq: expected_seq + 1,
        at: At(0),
        origin: "node".into(),
        command_id: CommandId::random(),
        n: 0,
        kind: "Edited".into(),
        body: "{}".into(),
    };
    let (events, rows) = (vec![event], vec![]);
    let append = Append { stream, epoch, expected_seq, events, wake_at: None, untold: None, rows };
    say("start")?;
    store.append(append).await?;
    say("done")?;
    store.close().await;
    Ok(())
}

/// Past the buffer, so that a watcher sees it when it is said.
fn say(word: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{word}")?;
    out.flush()
}
