//! The statements of a batch of appends: one for each step, however many appends there are, over
//! columns that `UNNEST` makes rows of.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{
    ids::CommandId,
    ports::{Append, AppendError},
    rows::{RowChange, Topic},
};
use sqlx::{PgConnection, types::Uuid};

use crate::writer::{Answers, Waiting};

/// Appends of a batch whose command is stored already, by their place in the batch.
pub(super) type Stored = HashMap<usize, (CommandId, u64)>;

/// In order of id, so that two writers never wait for each other; shared, since the batch only must
/// see to it that nobody takes a shard before it is committed.
const LOCK: &str = "
    SELECT id, epoch FROM shards WHERE id = ANY ($1) ORDER BY id FOR SHARE";

const CREATE: &str = "
    INSERT INTO streams (stream, shard) SELECT * FROM UNNEST ($1::text[], $2::int[])
    ON CONFLICT (stream) DO NOTHING";

const DECIDE: &str = "
    UPDATE streams
    SET seq = a.seq, wake_at = a.wake_at, untold = a.untold,
        rows_seq = coalesce(a.rows_seq, streams.rows_seq)
    FROM UNNEST ($1::int[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                 $7::bigint[]) AS a (place, stream, expected, seq, wake_at, untold, rows_seq)
    WHERE streams.stream = a.stream AND streams.seq = a.expected AND streams.erased_at IS NULL
    RETURNING a.place, streams.id";

const EXPLAIN: &str = "
    SELECT stream, seq, erased_at IS NOT NULL FROM streams WHERE stream = ANY ($1)";

const EVENTS: &str = "
    WITH kept AS (
        INSERT INTO events (stream, seq, at, origin, command_id, n, kind, body)
        SELECT * FROM UNNEST ($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::uuid[],
                              $6::int[], $7::text[], $8::bytea[])
        RETURNING stream, command_id, n, origin, seq)
    INSERT INTO commands (stream, command_id, n, origin, seq) SELECT * FROM kept";

const ROWS: &str = "
    INSERT INTO rows (topic, key, seq, value)
    SELECT * FROM UNNEST ($1::text[], $2::bytea[], $3::bigint[], $4::bytea[])
    ON CONFLICT (topic, key) DO UPDATE SET seq = excluded.seq, value = excluded.value";

const STORED: &str = "
    SELECT a.place, a.nth, max(every.seq)
    FROM UNNEST ($1::int[], $2::int[], $3::text[], $4::text[], $5::uuid[], $6::int[])
        AS a (place, nth, stream, origin, command_id, n)
    JOIN streams ON streams.stream = a.stream
    JOIN commands AS same ON same.stream = streams.id AND same.command_id = a.command_id
      AND same.n = a.n AND same.origin = a.origin
    JOIN commands AS every ON every.stream = same.stream AND every.command_id = same.command_id
      AND every.origin = same.origin
    GROUP BY 1, 2
    ORDER BY 1, 2 DESC";

/// One of a batch: its place in it, its stream's name, and what is to be appended.
struct One<'a> {
    place: usize,
    name: String,
    append: &'a Append,
}

/// Writes `appends` inside the transaction that is open, and says which of them made it. `stored`
/// are those known to be duplicates.
pub(super) async fn apply(
    on: &mut PgConnection,
    appends: &[Waiting],
    stored: &Stored,
) -> Result<Answers, sqlx::Error> {
    if appends.is_empty() {
        return Ok(vec![]);
    }
    let all: Vec<One<'_>> = appends.iter().enumerate().map(one).collect();
    let epochs = lock(on, &all).await?;
    let is_fenced = |one: &One<'_>| epochs.get(&shard(one)) != Some(&one.append.epoch);
    let tried = all.iter().filter(|one| !is_fenced(one) && !stored.contains_key(&one.place));
    let ids = decide(on, &tried.collect::<Vec<_>>()).await?;
    let won = |one: &One<'_>| ids.get(&one.place).copied();
    insert_events(on, all.iter().filter_map(|one| Some((won(one)?, one.append)))).await?;
    insert_rows(on, all.iter().filter(|one| won(one).is_some())).await?;
    if ids.len() == all.len() {
        return Ok(all.iter().map(|_| Ok(())).collect());
    }
    let heads = heads(on, all.iter().filter(|one| won(one).is_none())).await?;
    let answer = |one: &One<'_>| match won(one) {
        Some(_) => Ok(()),
        None => Err(reason(one, &heads, is_fenced(one), stored.get(&one.place))),
    };
    Ok(all.iter().map(answer).collect())
}

fn one((place, waiting): (usize, &Waiting)) -> One<'_> {
    One { place, name: waiting.append.stream.to_string(), append: &waiting.append }
}

fn shard(one: &One<'_>) -> i32 {
    one.append.stream.shard().into()
}

fn number(place: usize) -> i32 {
    i32::try_from(place).expect("a batch is small")
}

/// Holds the shards of the batch as they are until its end. Answers their epochs.
async fn lock(on: &mut PgConnection, all: &[One<'_>]) -> Result<HashMap<i32, u64>, sqlx::Error> {
    let shards: BTreeSet<i32> = all.iter().map(shard).collect();
    let shards: Vec<i32> = shards.into_iter().collect();
    let epochs: Vec<(i32, i64)> = sqlx::query_as(LOCK).bind(shards).fetch_all(on).await?;
    Ok(epochs.into_iter().map(|(shard, epoch)| (shard, epoch.cast_unsigned())).collect())
}

/// Moves on the heads that are where their writers think they are. Answers their ids by place.
async fn decide(
    on: &mut PgConnection,
    tried: &[&One<'_>],
) -> Result<HashMap<usize, i64>, sqlx::Error> {
    let new: Vec<_> = tried.iter().filter(|one| one.append.expected_seq == 0).collect();
    if !new.is_empty() {
        let names: Vec<&str> = new.iter().map(|one| one.name.as_str()).collect();
        let shards: Vec<i32> = new.iter().map(|one| shard(one)).collect();
        sqlx::query(CREATE).bind(names).bind(shards).execute(&mut *on).await?;
    }
    if tried.is_empty() {
        return Ok(HashMap::new());
    }
    let each = |of: fn(&Append) -> Option<i64>| -> Vec<Option<i64>> {
        tried.iter().map(|one| of(one.append)).collect()
    };
    let won: Vec<(i32, i64)> = sqlx::query_as(DECIDE)
        .bind(tried.iter().map(|one| number(one.place)).collect::<Vec<_>>())
        .bind(tried.iter().map(|one| one.name.as_str()).collect::<Vec<_>>())
        .bind(each(|append| Some(append.expected_seq.cast_signed())))
        .bind(each(|append| Some(last_seq(append).cast_signed())))
        .bind(each(|append| append.wake_at.map(|at| at.0)))
        .bind(each(|append| append.untold.map(u64::cast_signed)))
        .bind(each(rows_seq))
        .fetch_all(on)
        .await?;
    Ok(won.into_iter().filter_map(|(place, id)| Some((usize::try_from(place).ok()?, id))).collect())
}

fn last_seq(append: &Append) -> u64 {
    append.events.last().map_or(append.expected_seq, |event| event.seq)
}

fn rows_seq(append: &Append) -> Option<i64> {
    let own = Topic::Of(append.stream);
    let changed = append.rows.iter().any(|row| row.topic == own);
    changed.then(|| last_seq(append).cast_signed())
}

async fn insert_events<'a>(
    on: &mut PgConnection,
    won: impl Iterator<Item = (i64, &'a Append)>,
) -> Result<(), sqlx::Error> {
    let events: Vec<_> =
        won.flat_map(|(id, append)| append.events.iter().map(move |event| (id, event))).collect();
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query(EVENTS)
        .bind(events.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| event.seq.cast_signed()).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| event.at.0).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| event.origin.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| event.command_id.uuid()).collect::<Vec<Uuid>>())
        .bind(events.iter().map(|(_, event)| i32::from(event.n)).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| event.kind.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| &event.body[..]).collect::<Vec<_>>())
        .execute(on)
        .await
        .map(|_| ())
}

/// One statement may touch a row only once: the later change wins here already. In order, so that
/// two writers never wait for each other.
async fn insert_rows<'a>(
    on: &mut PgConnection,
    won: impl Iterator<Item = &'a One<'a>>,
) -> Result<(), sqlx::Error> {
    let mut rows: BTreeMap<(String, &str), (i64, &RowChange)> = BTreeMap::new();
    for one in won {
        let seq = last_seq(one.append).cast_signed();
        for row in &one.append.rows {
            rows.insert((row.topic.to_string(), &row.key), (seq, row));
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(ROWS)
        .bind(rows.keys().map(|(topic, _)| topic.as_str()).collect::<Vec<_>>())
        .bind(rows.keys().map(|(_, key)| key.as_bytes()).collect::<Vec<_>>())
        .bind(rows.values().map(|(seq, _)| *seq).collect::<Vec<_>>())
        .bind(rows.values().map(|(_, row)| row.value.as_deref()).collect::<Vec<_>>())
        .execute(on)
        .await
        .map(|_| ())
}

/// Which of `appends` carry a command that is stored already.
pub(super) async fn stored(
    on: &mut PgConnection,
    appends: &[Waiting],
) -> Result<Stored, sqlx::Error> {
    let all = appends.iter().enumerate().map(one).collect::<Vec<_>>();
    let events: Vec<_> = all
        .iter()
        .flat_map(|one| one.append.events.iter().enumerate().map(move |(nth, e)| (one, nth, e)))
        .collect();
    let found: Vec<(i32, i32, i64)> = sqlx::query_as(STORED)
        .bind(events.iter().map(|(one, ..)| number(one.place)).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, nth, _)| number(*nth)).collect::<Vec<_>>())
        .bind(events.iter().map(|(one, ..)| one.name.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|(.., event)| event.origin.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|(.., event)| event.command_id.uuid()).collect::<Vec<Uuid>>())
        .bind(events.iter().map(|(.., event)| i32::from(event.n)).collect::<Vec<_>>())
        .fetch_all(on)
        .await?;
    let named = found.into_iter().filter_map(|(place, nth, seq)| {
        let place = usize::try_from(place).ok()?;
        let event = appends.get(place)?.append.events.get(usize::try_from(nth).ok()?)?;
        Some((place, (event.command_id, seq.cast_unsigned())))
    });
    Ok(named.collect())
}

/// Where the streams stand that were not written: their seq, and whether they were erased.
type Heads = HashMap<String, (u64, bool)>;

async fn heads<'a>(
    on: &mut PgConnection,
    lost: impl Iterator<Item = &'a One<'a>>,
) -> Result<Heads, sqlx::Error> {
    let names: Vec<&str> = lost.map(|one| one.name.as_str()).collect();
    let found: Vec<(String, i64, bool)> = sqlx::query_as(EXPLAIN).bind(names).fetch_all(on).await?;
    Ok(found.into_iter().map(|(name, seq, gone)| (name, (seq.cast_unsigned(), gone))).collect())
}

/// In the order that the port promises: erased, fenced, conflict, duplicate.
fn reason(
    one: &One<'_>,
    heads: &Heads,
    is_fenced: bool,
    stored: Option<&(CommandId, u64)>,
) -> AppendError {
    let (seq, gone) = heads.get(&one.name).copied().unwrap_or_default();
    match stored {
        _ if gone => AppendError::Gone,
        _ if is_fenced => AppendError::Fenced,
        Some((command_id, stored)) if seq == one.append.expected_seq => {
            AppendError::Duplicate { command_id: *command_id, seq: *stored }
        }
        _ => AppendError::Conflict,
    }
}
