//! What becomes of a stream in the end: its events are packed into segments, or erased.

use domain::{
    at::At,
    ports::{AppendError, Unavailable},
    rows::Topic,
    stream::{Recorded, Stream},
};
use sqlx::{PgConnection, PgPool};

use super::{
    Postgres,
    events::{Event, at_most},
    fence::fence,
};
use crate::{
    segment,
    trouble::{away, unavailable},
};

const SINGLE: &str = "
    SELECT e.seq, at, origin, command_id, n, kind, body
    FROM events AS e JOIN streams ON streams.id = e.stream
    WHERE streams.stream = $1 ORDER BY e.seq";

const SEGMENTS: &str = "
    SELECT from_seq, body FROM segments JOIN streams ON streams.id = segments.stream
    WHERE streams.stream = $1 AND to_seq > $2 ORDER BY to_seq LIMIT $3";

const SEGMENT: &str =
    "INSERT INTO segments (stream, from_seq, to_seq, body) VALUES ($1, $2, $3, $4)";

const ERASE_HEAD: &str = "
    INSERT INTO streams (stream, shard, erased_at) VALUES ($1, $2, $3)
    ON CONFLICT (stream) DO UPDATE
    SET erased_at = coalesce(streams.erased_at, excluded.erased_at),
        seq = 0, wake_at = NULL, untold = NULL, rows_seq = 0
    RETURNING id";

/// Some events as they will be kept.
struct Segment {
    from_seq: i64,
    to_seq: i64,
    body: Vec<u8>,
}

/// Reads and compresses beside the writer, which only swaps the one form for the other.
pub(super) async fn compact(
    store: &Postgres,
    stream: Stream,
    epoch: u64,
) -> Result<(), AppendError> {
    let events: Vec<Event> = sqlx::query_as(SINGLE)
        .bind(stream.to_string())
        .fetch_all(&store.readers)
        .await
        .map_err(away)?;
    let segments = tokio::task::spawn_blocking(move || pack(&events))
        .await
        .map_err(|error| unavailable(&error.to_string()))?;
    store.write(move |on| Box::pin(swap(on, stream, epoch, segments))).await?
}

fn pack(events: &[Event]) -> Vec<Segment> {
    let events: Vec<Recorded> = events.iter().map(|event| event.0.clone()).collect();
    let packed = events.chunks(segment::EVENTS).filter_map(|part| {
        let (from_seq, to_seq) = (part.first()?.seq.cast_signed(), part.last()?.seq.cast_signed());
        Some(Segment { from_seq, to_seq, body: segment::pack(part) })
    });
    packed.collect()
}

async fn swap(
    on: &mut PgConnection,
    stream: Stream,
    epoch: u64,
    segments: Vec<Segment>,
) -> Result<Result<(), AppendError>, sqlx::Error> {
    let place = match fence(on, stream, epoch).await? {
        Ok(place) => place,
        Err(why) => return Ok(Err(why)),
    };
    if segments.last().is_some_and(|last| last.to_seq != place.seq) {
        return Ok(Err(AppendError::Conflict));
    }
    for Segment { from_seq, to_seq, body } in segments {
        let insert = sqlx::query(SEGMENT).bind(place.id).bind(from_seq).bind(to_seq).bind(body);
        insert.execute(&mut *on).await?;
    }
    for delete in
        ["DELETE FROM events WHERE stream = $1", "DELETE FROM snapshots WHERE stream = $1"]
    {
        sqlx::query(delete).bind(place.id).execute(&mut *on).await?;
    }
    Ok(Ok(()))
}

/// Up to `limit` events behind `after_seq` that are in segments.
pub(super) async fn packed(
    from: &PgPool,
    stream: Stream,
    after_seq: u64,
    limit: usize,
) -> Result<Vec<Recorded>, Unavailable> {
    let segments: Vec<(i64, Vec<u8>)> = sqlx::query_as(SEGMENTS)
        .bind(stream.to_string())
        .bind(after_seq.cast_signed())
        .bind(at_most(limit.div_ceil(segment::EVENTS).saturating_add(1)))
        .fetch_all(from)
        .await
        .map_err(away)?;
    let mut events = vec![];
    for (from_seq, body) in segments {
        let part = segment::unpack(from_seq.cast_unsigned(), &body)?;
        events.extend(part.into_iter().filter(|event| event.seq > after_seq));
    }
    events.truncate(limit);
    Ok(events)
}

pub(super) async fn erase(
    on: &mut PgConnection,
    stream: Stream,
    at: At,
) -> Result<(), sqlx::Error> {
    let (id,): (i64,) = sqlx::query_as(ERASE_HEAD)
        .bind(stream.to_string())
        .bind(i32::from(stream.shard()))
        .bind(at.0)
        .fetch_one(&mut *on)
        .await?;
    for delete in [
        "DELETE FROM events WHERE stream = $1",
        "DELETE FROM commands WHERE stream = $1",
        "DELETE FROM segments WHERE stream = $1",
        "DELETE FROM snapshots WHERE stream = $1",
    ] {
        sqlx::query(delete).bind(id).execute(&mut *on).await?;
    }
    let topic = Topic::Of(stream).to_string();
    sqlx::query("DELETE FROM rows WHERE topic = $1").bind(topic).execute(&mut *on).await?;
    if let Stream::Submission(waits) = stream {
        let delete = sqlx::query("DELETE FROM rows WHERE topic = $1 AND key = $2");
        delete
            .bind(Topic::Queue.to_string())
            .bind(waits.to_string().into_bytes())
            .execute(on)
            .await?;
    }
    Ok(())
}
