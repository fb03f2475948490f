//! What the tests build appends of.

use domain::{
    at::At,
    ids::{CommandId, SessionId},
    ports::{Append, AppendError, Shards},
    stream::{Recorded, Stream},
};

/// The session number `n`.
pub(crate) fn session(n: u128) -> Stream {
    Stream::Session(SessionId::from_u128(n))
}

/// Takes the shard of `stream`; its epoch.
pub(crate) async fn own(store: &impl Shards, stream: Stream) -> u64 {
    store.take(stream.shard(), "test", At(0)).await.unwrap()
}

/// One event behind `expected_seq`.
pub(crate) fn append(stream: Stream, epoch: u64, expected_seq: u64) -> Append {
    let event = Recorded {
        seq: expected_seq + 1,
        at: At(0),
        origin: "node".into(),
        command_id: CommandId::from_u128(u128::from(expected_seq) + 1),
        n: 0,
        kind: "Edited".into(),
        body: "{}".into(),
    };
    let (events, rows) = (vec![event], vec![]);
    Append { stream, epoch, expected_seq, events, wake_at: None, untold: None, rows }
}

/// Whether the store said that it is away.
pub(crate) fn is_away(answer: &Result<(), AppendError>) -> bool {
    matches!(answer, Err(AppendError::Unavailable(_)))
}
