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

use super::statement;
use crate::writer::{Answers, Waiting};

/// Appends of a batch whose command is stored already, by their place in the batch.
pub(super) type Stored = HashMap<usize, (CommandId, u64)>;

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
    let answer = |one: &One<'_>| {
        if outcome.won.contains(&one.place) {
            return Ok(());
        }
        let is_fenced = !outcome.tried.contains(&one.place);
        Err(reason(one, &heads, is_fenced, stored.get(&one.place)))
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
    let expected = |one: &One<'_>| {
        if stored.contains_key(&one.place) { -1 } else { one.append.expected_seq.cast_signed() }
    };
    let events: Vec<(i32, &Recorded)> = parts(all, |append| &append.events);
    let rows: Vec<(i32, &RowChange)> = parts(all, |append| &append.rows);
    let is_fresh = |one: &One<'_>| one.append.expected_seq == 0;
    let statement = statement::append(all.iter().any(is_fresh), !rows.is_empty());
    let query = sqlx::query_as(statement)
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
        .bind(events.iter().map(|(_, event)| &event.body[..]).collect::<Vec<_>>());
    let query = if rows.is_empty() {
        query
    } else {
        query
            .bind(rows.iter().map(|(place, _)| *place).collect::<Vec<_>>())
            .bind(rows.iter().map(|(_, row)| row.topic.to_string()).collect::<Vec<_>>())
            .bind(rows.iter().map(|(_, row)| row.key.as_bytes()).collect::<Vec<_>>())
            .bind(rows.iter().map(|(_, row)| row.value.as_deref()).collect::<Vec<_>>())
    };
    let outcome: (bool, Option<Vec<i64>>, Option<Vec<i64>>) = query.fetch_one(on).await?;
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
