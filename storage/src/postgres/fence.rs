//! The check that every write to a stream makes in its own transaction.

use domain::{ports::AppendError, stream::Stream};
use sqlx::PgConnection;

/// A stream that may be written.
pub(super) struct Place {
    /// `None` when nobody wrote to it.
    pub(super) id: Option<i64>,
    pub(super) seq: i64,
}

const FENCE: &str = "
    SELECT streams.id, coalesce(streams.seq, 0), erased_at IS NOT NULL, epoch
    FROM shards LEFT JOIN streams ON streams.stream = $1
    WHERE shards.id = $2 FOR KEY SHARE OF shards";

/// Where `stream` stands, if it was not erased and its shard is still of `epoch`.
pub(super) async fn fence(
    on: &mut PgConnection,
    stream: Stream,
    epoch: u64,
) -> Result<Result<Place, AppendError>, sqlx::Error> {
    let (id, seq, gone, now): (Option<i64>, i64, bool, i64) = sqlx::query_as(FENCE)
        .bind(stream.to_string())
        .bind(i32::from(stream.shard()))
        .fetch_one(on)
        .await?;
    Ok(match () {
        () if gone => Err(AppendError::Gone),
        () if now != epoch.cast_signed() => Err(AppendError::Fenced),
        () => Ok(Place { id, seq }),
    })
}
