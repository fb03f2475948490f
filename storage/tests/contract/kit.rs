//! What the tests build appends of, and every port as one.

use std::{path::Path, sync::Arc};

use domain::{
    at::At,
    ids::{CommandId, SessionId},
    ports::{Append, AppendError, Blobs, EventStore, People, Shards},
    rows::{RowChange, Topic},
    stream::{Recorded, SHARDS, Stream},
};
use storage::{
    memory::Memory,
    postgres::Postgres,
    sqlite::{Options, Sqlite},
};

/// Every port of storage.
pub(crate) trait Store: EventStore + Shards + Blobs + People + 'static {}

impl Store for Memory {}

impl Store for Sqlite {}

impl Store for Postgres {}

/// A store of its own in `dir`.
pub(crate) async fn sqlite(dir: &Path) -> Arc<Sqlite> {
    Sqlite::open(dir, Options::default()).await.unwrap()
}

/// The session number `n`.
pub(crate) fn session(n: u128) -> Stream {
    Stream::Session(SessionId::from_u128(n))
}

/// The command number `n`.
pub(crate) fn command(n: u128) -> CommandId {
    CommandId::from_u128(n)
}

/// Takes the shard of `stream`; its epoch.
pub(crate) async fn own(store: &impl Store, stream: Stream) -> u64 {
    store.take(stream.shard(), "test", At(0)).await.unwrap()
}

/// Takes every shard of a new store; the epoch of all of them.
pub(crate) async fn own_all(store: &impl Store) -> u64 {
    let takes = (0..SHARDS).map(|shard| store.take(shard, "test", At(0)));
    futures_util::future::join_all(takes).await.pop().unwrap().unwrap()
}

/// The event `seq`, by the command of the same number.
pub(crate) fn event(seq: u64) -> Recorded {
    Recorded {
        seq,
        at: At(1_000 + seq.cast_signed()),
        origin: "node".into(),
        command_id: command(seq.into()),
        n: 0,
        kind: "Edited".into(),
        body: format!(r#"{{"seq":{seq}}}"#).into(),
    }
}

/// `count` events behind `expected_seq`, and nothing else.
pub(crate) fn append(stream: Stream, epoch: u64, expected_seq: u64, count: u64) -> Append {
    let events = (expected_seq + 1..=expected_seq + count).map(event).collect();
    Append { stream, epoch, expected_seq, events, wake_at: None, untold: None, rows: vec![] }
}

/// One event with `rows`.
pub(crate) fn with_rows(
    stream: Stream,
    epoch: u64,
    expected_seq: u64,
    rows: Vec<RowChange>,
) -> Append {
    Append { rows, ..append(stream, epoch, expected_seq, 1) }
}

/// The row `key` with a number in it.
pub(crate) fn row(topic: Topic, key: &str, value: u32) -> RowChange {
    RowChange::put(topic, key, &value)
}

/// An append error as a word, since it cannot be compared.
pub(crate) fn word(answer: Result<(), AppendError>) -> String {
    match answer {
        Ok(()) => "ok".into(),
        Err(AppendError::Conflict) => "conflict".into(),
        Err(AppendError::Fenced) => "fenced".into(),
        Err(AppendError::Duplicate { seq, .. }) => format!("duplicate of {seq}"),
        Err(AppendError::Gone) => "gone".into(),
        Err(AppendError::Unavailable(why)) => format!("unavailable: {why}"),
    }
}
