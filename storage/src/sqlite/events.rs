//! Streams: appends go to the writer, reads to the readers.

use async_trait::async_trait;
use domain::{
    at::At,
    ids::CommandId,
    ports::{Append, AppendError, EventStore, Loaded, Row, RowQuery, Snapshot, Unavailable},
    rows::Topic,
    stream::{Head, Recorded, Stream},
};
use sqlx::{FromRow, Row as _, sqlite::SqliteRow};
use tokio::sync::oneshot;

use super::{Sqlite, compact, fence::fence, rows};
use crate::{
    loaded::{self, LOAD, Part, after, head, is_packed, loaded},
    memory::assert_whole,
    trouble::away,
    writer::{Waiting, answered},
};

const HEAD: &str = "
    SELECT seq, wake_at, untold, rows_seq, erased_at IS NOT NULL FROM streams WHERE stream = ?1";

const READ: &str = "
    SELECT e.seq, at, origin, command_id, n, kind, body
    FROM events AS e JOIN streams ON streams.id = e.stream
    WHERE streams.stream = ?1 AND e.seq > ?2 ORDER BY e.seq LIMIT ?3";

const FIND: &str = "
    SELECT max(commands.seq) FROM commands JOIN streams ON streams.id = commands.stream
    WHERE streams.stream = ?1 AND origin = ?2 AND command_id = ?3";

const SNAPSHOT: &str = "
    SELECT snapshots.seq, body FROM snapshots JOIN streams ON streams.id = snapshots.stream
    WHERE streams.stream = ?1 AND schema = ?2";

const SAVE_SNAPSHOT: &str = "
    INSERT INTO snapshots (stream, seq, schema, body)
    SELECT id, ?2, ?3, ?4 FROM streams WHERE stream = ?1 AND erased_at IS NULL
    ON CONFLICT (stream) DO UPDATE
    SET seq = excluded.seq, schema = excluded.schema, body = excluded.body
    WHERE snapshots.schema <> excluded.schema OR snapshots.seq <= excluded.seq";

const UNTOLD: &str = "
    SELECT stream, seq, wake_at, untold, rows_seq FROM streams
    WHERE untold IS NOT NULL AND (?2 IS NULL OR shard IN (SELECT value FROM json_each(?2)))
    ORDER BY stream LIMIT ?1";

const WAKING: &str = "
    SELECT stream, seq, wake_at, untold, rows_seq FROM streams
    WHERE wake_at <= ?1 AND untold IS NULL
      AND (?3 IS NULL OR shard IN (SELECT value FROM json_each(?3)))
    ORDER BY wake_at, stream LIMIT ?2";

#[async_trait]
impl EventStore for Sqlite {
    async fn append(&self, append: Append) -> Result<(), AppendError> {
        assert_whole(&append);
        let (reply, answer) = oneshot::channel();
        self.append_one(Waiting { append, reply }).await?;
        answered(answer).await?
    }

    async fn head(&self, stream: Stream) -> Result<Head, AppendError> {
        let found: Option<(i64, Option<i64>, Option<i64>, i64, bool)> = sqlx::query_as(HEAD)
            .bind(stream.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(away)?;
        match found {
            Some((.., true)) => Err(AppendError::Gone),
            Some((seq, wake_at, untold, rows_seq, _)) => Ok(head(seq, wake_at, untold, rows_seq)),
            None => Ok(Head::default()),
        }
    }

    async fn read(
        &self,
        stream: Stream,
        after_seq: u64,
        limit: usize,
    ) -> Result<Vec<Recorded>, Unavailable> {
        let single: Vec<Event> = sqlx::query_as(READ)
            .bind(stream.to_string())
            .bind(after_seq.cast_signed())
            .bind(at_most(limit))
            .fetch_all(&self.readers)
            .await
            .map_err(away)?;
        let single: Vec<_> = single.into_iter().map(|event| event.0).collect();
        if single.first().is_some_and(|first| first.seq == after_seq + 1) {
            return Ok(single);
        }
        // Segments are read second: what was packed in between is then read twice, not missed.
        let mut events = compact::packed(&self.readers, stream, after_seq, limit).await?;
        let last = events.last().map_or(after_seq, |event| event.seq);
        events.extend(single.into_iter().filter(|event| event.seq > last));
        events.truncate(limit);
        Ok(events)
    }

    async fn find(
        &self,
        stream: Stream,
        origin: &str,
        command_id: CommandId,
    ) -> Result<Option<u64>, Unavailable> {
        let (seq,): (Option<i64>,) = sqlx::query_as(FIND)
            .bind(stream.to_string())
            .bind(origin)
            .bind(command_id.uuid().as_bytes().as_slice())
            .fetch_one(&self.readers)
            .await
            .map_err(away)?;
        Ok(seq.map(i64::cast_unsigned))
    }

    async fn snapshot(&self, stream: Stream, schema: u32) -> Result<Option<Snapshot>, Unavailable> {
        let found: Option<(i64, Vec<u8>)> = sqlx::query_as(SNAPSHOT)
            .bind(stream.to_string())
            .bind(schema)
            .fetch_optional(&self.readers)
            .await
            .map_err(away)?;
        Ok(found.map(|(seq, body)| Snapshot {
            seq: seq.cast_unsigned(),
            schema,
            body: body.into(),
        }))
    }

    async fn load(&self, stream: Stream, schema: u32, limit: usize) -> Result<Loaded, AppendError> {
        let parts: Vec<Part> = sqlx::query_as(LOAD)
            .bind(stream.to_string())
            .bind(schema)
            .bind(at_most(limit))
            .fetch_all(&self.readers)
            .await
            .map_err(away)?;
        let mut loaded = loaded(parts, schema)?;
        if is_packed(&loaded) {
            loaded.events = self.read(stream, after(&loaded), limit).await?;
        }
        Ok(loaded)
    }

    async fn save_snapshot(&self, stream: Stream, snapshot: Snapshot) -> Result<(), Unavailable> {
        self.write(move |on| {
            Box::pin(async move {
                let query = sqlx::query(SAVE_SNAPSHOT)
                    .bind(stream.to_string())
                    .bind(snapshot.seq.cast_signed())
                    .bind(snapshot.schema)
                    .bind(snapshot.body.to_vec());
                query.execute(on).await.map(|_| ())
            })
        })
        .await
    }

    async fn told(
        &self,
        stream: Stream,
        epoch: u64,
        untold: Option<u64>,
    ) -> Result<(), AppendError> {
        self.write(move |on| {
            Box::pin(async move {
                let place = match fence(on, stream, epoch).await? {
                    Ok(place) => place,
                    Err(why) => return Ok(Err(why)),
                };
                let Some(id) = place.id else { return Ok(Err(AppendError::Conflict)) };
                sqlx::query("UPDATE streams SET untold = ?2 WHERE id = ?1")
                    .bind(id)
                    .bind(untold.map(u64::cast_signed))
                    .execute(on)
                    .await?;
                Ok(Ok(()))
            })
        })
        .await?
    }

    async fn due(
        &self,
        until: At,
        shards: Option<&[u16]>,
        limit: usize,
    ) -> Result<Vec<(Stream, Head)>, Unavailable> {
        let json = |shards| serde_json::to_string(shards).expect("numbers are plain data");
        let shards = shards.map(json);
        let mut due: Vec<Due> = sqlx::query_as(UNTOLD)
            .bind(at_most(limit))
            .bind(&shards)
            .fetch_all(&self.readers)
            .await
            .map_err(away)?;
        if due.len() < limit {
            let waking: Vec<Due> = sqlx::query_as(WAKING)
                .bind(until.0)
                .bind(at_most(limit - due.len()))
                .bind(shards)
                .fetch_all(&self.readers)
                .await
                .map_err(away)?;
            due.extend(waking);
        }
        Ok(due.into_iter().map(|due| (due.0, due.1)).collect())
    }

    async fn rows(&self, query: RowQuery) -> Result<Vec<Row>, Unavailable> {
        rows::read(&self.readers, query).await
    }

    async fn row(&self, topic: Topic, key: &str) -> Result<Option<Row>, Unavailable> {
        rows::read_one(&self.readers, topic, key).await
    }

    async fn compact(&self, stream: Stream, epoch: u64) -> Result<(), AppendError> {
        compact::compact(self, stream, epoch).await
    }

    async fn erase(&self, stream: Stream, at: At) -> Result<(), Unavailable> {
        self.write(move |on| Box::pin(compact::erase(on, stream, at))).await
    }
}

/// A limit as SQLite takes it.
pub(super) fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// An event as the table has it.
pub(super) struct Event(pub(super) Recorded);

impl FromRow<'_, SqliteRow> for Event {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let id: &[u8] = row.try_get(3)?;
        let id = id.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        Ok(Self(Recorded {
            seq: row.try_get::<i64, _>(0)?.cast_unsigned(),
            at: At(row.try_get(1)?),
            origin: row.try_get(2)?,
            command_id: CommandId::from_u128(u128::from_be_bytes(id)),
            n: row.try_get(4)?,
            kind: row.try_get(5)?,
            body: row.try_get::<Vec<u8>, _>(6)?.into(),
        }))
    }
}

loaded::part!(SqliteRow);

struct Due(Stream, Head);

impl FromRow<'_, SqliteRow> for Due {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let stream: &str = row.try_get(0)?;
        let stream = stream.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let head = head(row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
        Ok(Self(stream, head))
    }
}
