//! A batch of appends as one statement, however many there are: one way to the server and back, and
//! with nothing around it a transaction of its own. Its parameters are columns that `UNNEST` makes
//! rows of.

use std::collections::{BTreeSet, HashMap, HashSet};

use domain::{
    ids::CommandId,
    ports::{Append, AppendError},
    rows::{RowChange, Topic},
    stream::Recorded,
};
use sqlx::{PgConnection, types::Uuid};

use crate::writer::{Answers, Waiting};

/// Appends of a batch whose command is stored already, by their place in the batch.
pub(super) type Stored = HashMap<usize, (CommandId, u64)>;

/// Its steps, each of which needs the one before, so that they happen in this order:
///
/// 1. Lock the shards, in order of id, and read their epochs behind the lock. Shared with who gives
///    a sign of life; who takes a shard waits until this is over, or is seen.
/// 2. What has that epoch is tried: a new stream is made under an id drawn for it, the head of
///    another moves on if it is where its writer thinks.
/// 3. Events and rows follow of those that won, found by their place: mostly all did, and then
///    their places are their positions. Of several changes of a row the last counts. Rows are
///    written in order, so that two writers never wait for each other.
const APPEND: &str = "
    WITH locked AS MATERIALIZED (
        SELECT id, epoch FROM shards WHERE id = ANY ($1::int[]) ORDER BY id FOR KEY SHARE),
    owned AS MATERIALIZED (SELECT array_agg(epoch) AS epochs FROM locked),
    tried AS MATERIALIZED (
        SELECT a.*, $1[a.shard] AS shard_id
        FROM UNNEST ($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                     $8::bigint[], $9::bigint[]) WITH ORDINALITY
            AS a (stream, shard, epoch, expected, seq, wake_at, untold, rows_seq, place)
        WHERE a.epoch = (SELECT epochs FROM owned)[a.shard]),
    fresh AS MATERIALIZED (
        SELECT *, nextval('streams_id_seq') AS id FROM tried WHERE expected = 0),
    made AS (
        INSERT INTO streams (id, stream, shard, seq, wake_at, untold, rows_seq)
        OVERRIDING SYSTEM VALUE
        SELECT id, stream, shard_id, seq, wake_at, untold, coalesce(rows_seq, 0) FROM fresh
        ON CONFLICT (stream) DO NOTHING
        RETURNING id),
    really_made AS MATERIALIZED (SELECT count(*) AS n, array_agg(id) AS ids FROM made),
    moved AS (
        UPDATE streams
        SET seq = a.seq, wake_at = a.wake_at, untold = a.untold,
            rows_seq = coalesce(a.rows_seq, streams.rows_seq)
        FROM tried AS a
        WHERE a.expected > 0 AND streams.stream = a.stream AND streams.seq = a.expected
          AND streams.erased_at IS NULL
        RETURNING a.place, streams.id),
    won AS MATERIALIZED (
        SELECT count(*) = cardinality($2) AS all, array_agg(place ORDER BY place) AS places,
               array_agg(id ORDER BY place) AS ids
        FROM (
            SELECT place, id FROM moved
            UNION ALL
            SELECT place, id FROM fresh, really_made
            WHERE n = (SELECT count(*) FROM fresh) OR id = ANY (ids)) AS each),
    kept AS (
        INSERT INTO events (stream, seq, at, origin, command_id, n, kind, body)
        SELECT * FROM (
            SELECT CASE WHEN won.all THEN won.ids[place]
                        ELSE won.ids[array_position(won.places, place::bigint)] END AS id,
                   e.seq, at, origin, command_id, n, kind, body
            FROM won, UNNEST ($10::int[], $11::bigint[], $12::bigint[], $13::text[], $14::uuid[],
                              $15::int[], $16::text[], $17::bytea[])
                AS e (place, seq, at, origin, command_id, n, kind, body)) AS every
        WHERE id IS NOT NULL
        RETURNING stream, command_id, n, origin, seq),
    known AS (
        INSERT INTO commands (stream, command_id, n, origin, seq) SELECT * FROM kept),
    changed AS (
        INSERT INTO rows (topic, key, seq, value)
        SELECT DISTINCT ON (topic, key) topic, key, $6[r.place], value
        FROM won, UNNEST ($18::int[], $19::text[], $20::bytea[], $21::bytea[]) WITH ORDINALITY
            AS r (place, topic, key, value, nth)
        WHERE won.all OR r.place = ANY (won.places)
        ORDER BY topic, key, nth DESC
        ON CONFLICT (topic, key) DO UPDATE SET seq = excluded.seq, value = excluded.value)
    SELECT won.all, won.places, (SELECT array_agg(place) FROM tried) FROM won";

const EXPLAIN: &str = "
    SELECT stream, seq, erased_at IS NOT NULL FROM streams WHERE stream = ANY ($1)";

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

/// What became of the appends of a batch.
struct Outcome {
    all_won: bool,
    won: HashSet<usize>,
    /// Those of the epoch that their shard has.
    tried: HashSet<usize>,
}

/// Writes `appends`, and says which of them made it. `stored` are those known to be duplicates.
pub(super) async fn apply(
    on: &mut PgConnection,
    appends: &[Waiting],
    stored: &Stored,
) -> Result<Answers, sqlx::Error> {
    if appends.is_empty() {
        return Ok(vec![]);
    }
    let all: Vec<One<'_>> = appends.iter().enumerate().map(one).collect();
    let outcome = write(on, &all, stored).await?;
    if outcome.all_won {
        return Ok(all.iter().map(|_| Ok(())).collect());
    }
    let heads = heads(on, all.iter().filter(|one| !outcome.won.contains(&one.place))).await?;
    let answer = |one: &One<'_>| match outcome.won.contains(&one.place) {
        true => Ok(()),
        false => {
            let is_fenced = !outcome.tried.contains(&one.place);
            Err(reason(one, &heads, is_fenced, stored.get(&one.place)))
        }
    };
    Ok(all.iter().map(answer).collect())
}

fn one((place, waiting): (usize, &Waiting)) -> One<'_> {
    One { place, name: waiting.append.stream.to_string(), append: &waiting.append }
}

/// A place as the server counts: from one.
fn number(place: usize) -> i32 {
    i32::try_from(place + 1).expect("a batch is small")
}

async fn write(
    on: &mut PgConnection,
    all: &[One<'_>],
    stored: &Stored,
) -> Result<Outcome, sqlx::Error> {
    let shards: BTreeSet<u16> = all.iter().map(|one| one.append.stream.shard()).collect();
    let shards: Vec<u16> = shards.into_iter().collect();
    let nth = |one: &One<'_>| shards.binary_search(&one.append.stream.shard()).unwrap_or_default();
    let each = |of: fn(&Append) -> Option<i64>| -> Vec<Option<i64>> {
        all.iter().map(|one| of(one.append)).collect()
    };
    // Nothing is expected to be where a duplicate expects it.
    let expected = |one: &One<'_>| match stored.contains_key(&one.place) {
        true => -1,
        false => one.append.expected_seq.cast_signed(),
    };
    let events: Vec<(i32, &Recorded)> = parts(all, |append| &append.events);
    let rows: Vec<(i32, &RowChange)> = parts(all, |append| &append.rows);
    let outcome: (bool, Option<Vec<i64>>, Option<Vec<i64>>) = sqlx::query_as(APPEND)
        .bind(shards.iter().map(|shard| i32::from(*shard)).collect::<Vec<_>>())
        .bind(all.iter().map(|one| one.name.as_str()).collect::<Vec<_>>())
        .bind(all.iter().map(|one| number(nth(one))).collect::<Vec<_>>())
        .bind(each(|append| Some(append.epoch.cast_signed())))
        .bind(all.iter().map(expected).collect::<Vec<_>>())
        .bind(each(|append| Some(last_seq(append).cast_signed())))
        .bind(each(|append| append.wake_at.map(|at| at.0)))
        .bind(each(|append| append.untold.map(u64::cast_signed)))
        .bind(each(rows_seq))
        .bind(events.iter().map(|(place, _)| *place).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| event.seq.cast_signed()).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| event.at.0).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| event.origin.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| event.command_id.uuid()).collect::<Vec<Uuid>>())
        .bind(events.iter().map(|(_, event)| i32::from(event.n)).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| event.kind.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| &event.body[..]).collect::<Vec<_>>())
        .bind(rows.iter().map(|(place, _)| *place).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, row)| row.topic.to_string()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, row)| row.key.as_bytes()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, row)| row.value.as_deref()).collect::<Vec<_>>())
        .fetch_one(on)
        .await?;
    let (all_won, won, tried) = outcome;
    Ok(Outcome { all_won, won: places(won), tried: places(tried) })
}

/// The parts of all appends of a batch, each with the place of its append.
fn parts<'a, T>(all: &'a [One<'a>], of: fn(&'a Append) -> &'a Vec<T>) -> Vec<(i32, &'a T)> {
    let parts = |one: &'a One<'a>| of(one.append).iter().map(|part| (number(one.place), part));
    all.iter().flat_map(parts).collect()
}

fn places(numbers: Option<Vec<i64>>) -> HashSet<usize> {
    let place = |number: i64| usize::try_from(number - 1).ok();
    numbers.unwrap_or_default().into_iter().filter_map(place).collect()
}

fn last_seq(append: &Append) -> u64 {
    append.events.last().map_or(append.expected_seq, |event| event.seq)
}

fn rows_seq(append: &Append) -> Option<i64> {
    let own = Topic::Of(append.stream);
    let changed = append.rows.iter().any(|row| row.topic == own);
    changed.then(|| last_seq(append).cast_signed())
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
        let (place, nth) = (usize::try_from(place - 1).ok()?, usize::try_from(nth - 1).ok()?);
        let event = appends.get(place)?.append.events.get(nth)?;
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
