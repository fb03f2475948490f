//! The statements of a batch of appends: one for each table, however many appends there are.
//!
//! A batch goes to SQLite as one JSON array of numbers and names, read by `json_each`, and one
//! blob into which all bytes (bodies, ids, keys) are packed, cut up again by `substr`. So bytes
//! stay bytes, NUL included.

use std::collections::HashMap;

use domain::{
    ids::CommandId,
    ports::{Append, AppendError},
    rows::Topic,
};
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::writer::Waiting;

/// Appends of a batch whose command is stored already, by their place in the batch.
pub(super) type Stored = HashMap<usize, (CommandId, u64)>;

const CREATE: &str = "
    INSERT INTO streams (stream, shard)
    SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE true
    ON CONFLICT (stream) DO NOTHING";

const DECIDE: &str = "
    UPDATE streams
    SET seq = a.value ->> 3, untold = a.value ->> 4,
        rows_seq = coalesce(a.value ->> 5, streams.rows_seq)
    FROM json_each(?1) AS a
    WHERE streams.stream = a.value ->> 0
      AND streams.seq = a.value ->> 2
      AND streams.erased_at IS NULL
      AND (SELECT epoch FROM shards WHERE shards.id = streams.shard) = a.value ->> 1
    RETURNING id, stream, wake_at";

/// Apart from the rest of the head, since naming the column writes its index anew, and most appends
/// leave it as it was.
const WAKE: &str = "
    UPDATE streams SET wake_at = a.value ->> 1
    FROM json_each(?1) AS a WHERE streams.id = a.value ->> 0";

const EXPLAIN: &str = "
    SELECT stream, seq, erased_at IS NOT NULL
    FROM streams WHERE stream IN (SELECT value FROM json_each(?1))";

const EPOCHS: &str = "SELECT id, epoch FROM shards";

const EVENTS: &str = "
    INSERT INTO events (stream, seq, at, origin, command_id, n, kind, body)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, substr(?2, value ->> 4, 16),
           value ->> 5, value ->> 6, substr(?2, value ->> 7, value ->> 8)
    FROM json_each(?1)";

const COMMANDS: &str = "
    INSERT INTO commands (stream, origin, command_id, n, seq)
    SELECT value ->> 0, value ->> 3, substr(?2, value ->> 4, 16), value ->> 5, value ->> 1
    FROM json_each(?1)";

const ROWS: &str = "
    INSERT INTO rows (topic, key, seq, value)
    SELECT value ->> 0, CAST(substr(?2, value ->> 1, value ->> 2) AS TEXT), value ->> 3,
           substr(?2, value ->> 4, value ->> 5)
    FROM json_each(?1) WHERE true
    ON CONFLICT (topic, key) DO UPDATE SET seq = excluded.seq, value = excluded.value";

const STORED: &str = "
    SELECT a.value ->> 0, a.value ->> 2, max(every.seq)
    FROM json_each(?1) AS a
    JOIN streams ON streams.stream = a.value ->> 1
    JOIN commands AS same ON same.stream = streams.id AND same.origin = a.value ->> 3
      AND same.command_id = substr(?2, a.value ->> 4, 16) AND same.n = a.value ->> 5
    JOIN commands AS every ON every.stream = same.stream AND every.origin = same.origin
      AND every.command_id = same.command_id
    GROUP BY 1, 2
    ORDER BY 1, 2 DESC";

/// Bytes packed one behind the other; `substr` counts from 1.
struct Packed(Vec<u8>);

impl Packed {
    fn new() -> Self {
        // Never empty: to SQLite an empty parameter would be NULL.
        Self(vec![0])
    }

    /// Where `bytes` went, and how many they are.
    fn push(&mut self, bytes: &[u8]) -> (usize, usize) {
        let start = self.0.len() + 1;
        self.0.extend_from_slice(bytes);
        (start, bytes.len())
    }
}

fn json(of: &impl Serialize) -> String {
    serde_json::to_string(of).expect("tuples of numbers and text are plain data")
}

/// Writes `appends` inside the transaction that is open, and says which of them made it. `stored`
/// are those known to be duplicates.
pub(super) async fn apply(
    on: &mut SqliteConnection,
    appends: &[Waiting],
    stored: Stored,
) -> Result<Vec<Result<(), AppendError>>, sqlx::Error> {
    let names: Vec<String> = appends.iter().map(|w| w.append.stream.to_string()).collect();
    let ids = decide(on, appends, &names, &stored).await?;
    insert_events(on, appends, &names, &ids).await?;
    insert_rows(on, appends, &names, &ids).await?;
    if ids.len() == appends.len() {
        return Ok(appends.iter().map(|_| Ok(())).collect());
    }
    let reasons = Reasons::read(on, &names).await?;
    let answer = |(place, waiting): (usize, &Waiting)| match names.get(place) {
        Some(name) if ids.contains_key(name) => Ok(()),
        _ => Err(reasons.of(&waiting.append, stored.get(&place))),
    };
    Ok(appends.iter().enumerate().map(answer).collect())
}

/// Moves on the heads that are where their writers think they are. Answers their ids by name.
async fn decide(
    on: &mut SqliteConnection,
    appends: &[Waiting],
    names: &[String],
    stored: &Stored,
) -> Result<HashMap<String, i64>, sqlx::Error> {
    let mut new = vec![];
    let mut heads = vec![];
    for (place, (waiting, name)) in appends.iter().zip(names).enumerate() {
        let append = &waiting.append;
        if append.expected_seq == 0 {
            new.push((name, append.stream.shard()));
        }
        if !stored.contains_key(&place) {
            heads.push(head(append, name));
        }
    }
    if !new.is_empty() {
        sqlx::query(CREATE).bind(json(&new)).execute(&mut *on).await?;
    }
    if heads.is_empty() {
        return Ok(HashMap::new());
    }
    let won: Vec<(i64, String, Option<i64>)> =
        sqlx::query_as(DECIDE).bind(json(&heads)).fetch_all(&mut *on).await?;
    let was: HashMap<&str, (i64, Option<i64>)> =
        won.iter().map(|(id, name, wake_at)| (name.as_str(), (*id, *wake_at))).collect();
    let moved = appends.iter().zip(names).filter_map(|(waiting, name)| {
        let wake_at = waiting.append.wake_at.map(|at| at.0);
        let (id, was) = was.get(name.as_str())?;
        (*was != wake_at).then_some((*id, wake_at))
    });
    let moved: Vec<(i64, Option<i64>)> = moved.collect();
    if !moved.is_empty() {
        sqlx::query(WAKE).bind(json(&moved)).execute(on).await?;
    }
    Ok(won.into_iter().map(|(id, name, _)| (name, id)).collect())
}

type HeadChange<'a> = (&'a str, u64, u64, u64, Option<u64>, Option<u64>);

fn head<'a>(append: &Append, name: &'a str) -> HeadChange<'a> {
    let seq = last_seq(append);
    let own = Topic::Of(append.stream);
    let rows_seq = append.rows.iter().any(|row| row.topic == own).then_some(seq);
    (name, append.epoch, append.expected_seq, seq, append.untold, rows_seq)
}

fn last_seq(append: &Append) -> u64 {
    append.events.last().map_or(append.expected_seq, |event| event.seq)
}

async fn insert_events(
    on: &mut SqliteConnection,
    appends: &[Waiting],
    names: &[String],
    ids: &HashMap<String, i64>,
) -> Result<(), sqlx::Error> {
    let mut packed = Packed::new();
    let mut events = vec![];
    for (append, id) in winners(appends, names, ids) {
        for event in &append.events {
            let (command_id, _) = packed.push(event.command_id.uuid().as_bytes());
            let (body, length) = packed.push(&event.body);
            let (origin, kind) = (&event.origin, &event.kind);
            events
                .push((id, event.seq, event.at.0, origin, command_id, event.n, kind, body, length));
        }
    }
    if events.is_empty() {
        return Ok(());
    }
    let events = json(&events);
    sqlx::query(EVENTS).bind(&events).bind(&packed.0).execute(&mut *on).await?;
    sqlx::query(COMMANDS).bind(&events).bind(&packed.0).execute(on).await?;
    Ok(())
}

async fn insert_rows(
    on: &mut SqliteConnection,
    appends: &[Waiting],
    names: &[String],
    ids: &HashMap<String, i64>,
) -> Result<(), sqlx::Error> {
    let mut packed = Packed::new();
    let mut rows = vec![];
    for (append, _) in winners(appends, names, ids) {
        for row in &append.rows {
            let (key, key_length) = packed.push(row.key.as_bytes());
            let value = row.value.as_ref().map(|value| packed.push(value));
            let (value, length) = value.unzip();
            rows.push((row.topic.to_string(), key, key_length, last_seq(append), value, length));
        }
    }
    if !rows.is_empty() {
        sqlx::query(ROWS).bind(json(&rows)).bind(&packed.0).execute(on).await?;
    }
    Ok(())
}

fn winners<'a>(
    appends: &'a [Waiting],
    names: &'a [String],
    ids: &'a HashMap<String, i64>,
) -> impl Iterator<Item = (&'a Append, i64)> {
    let appends = appends.iter().map(|waiting| &waiting.append);
    appends.zip(names).filter_map(|(append, name)| Some((append, *ids.get(name)?)))
}

/// Which of `appends` carry a command that is stored already.
pub(super) async fn stored(
    on: &mut SqliteConnection,
    appends: &[Waiting],
) -> Result<Stored, sqlx::Error> {
    let mut packed = Packed::new();
    let mut asked = vec![];
    for (place, waiting) in appends.iter().enumerate() {
        let name = waiting.append.stream.to_string();
        for (nth, event) in waiting.append.events.iter().enumerate() {
            let (command_id, _) = packed.push(event.command_id.uuid().as_bytes());
            asked.push((place, name.clone(), nth, &event.origin, command_id, event.n));
        }
    }
    let found: Vec<(i64, i64, i64)> =
        sqlx::query_as(STORED).bind(json(&asked)).bind(&packed.0).fetch_all(on).await?;
    let named = found.into_iter().filter_map(|(place, nth, seq)| {
        let place = usize::try_from(place).ok()?;
        let event = appends.get(place)?.append.events.get(usize::try_from(nth).ok()?)?;
        Some((place, (event.command_id, seq.cast_unsigned())))
    });
    Ok(named.collect())
}

/// Why appends were not written, read in their own transaction.
struct Reasons {
    streams: HashMap<String, (i64, bool)>,
    epochs: HashMap<i64, i64>,
}

impl Reasons {
    async fn read(on: &mut SqliteConnection, names: &[String]) -> Result<Self, sqlx::Error> {
        let streams: Vec<(String, i64, bool)> =
            sqlx::query_as(EXPLAIN).bind(json(&names)).fetch_all(&mut *on).await?;
        let epochs: Vec<(i64, i64)> = sqlx::query_as(EPOCHS).fetch_all(on).await?;
        let streams = streams.into_iter().map(|(name, seq, gone)| (name, (seq, gone)));
        Ok(Self { streams: streams.collect(), epochs: epochs.into_iter().collect() })
    }

    /// In the order that the port promises: erased, fenced, conflict, duplicate.
    fn of(&self, append: &Append, stored: Option<&(CommandId, u64)>) -> AppendError {
        let there = self.streams.get(&append.stream.to_string()).copied();
        let (seq, gone) = there.unwrap_or_default();
        let epoch = self.epochs.get(&i64::from(append.stream.shard())).copied();
        match stored {
            _ if gone => AppendError::Gone,
            _ if epoch != Some(append.epoch.cast_signed()) => AppendError::Fenced,
            Some((command_id, stored)) if seq == append.expected_seq.cast_signed() => {
                AppendError::Duplicate { command_id: *command_id, seq: *stored }
            }
            _ => AppendError::Conflict,
        }
    }
}
