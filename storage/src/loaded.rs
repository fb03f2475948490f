//! All that an owner needs of its stream, in one statement; the same for each database.

use domain::{
    at::At,
    ports::{AppendError, Loaded, Snapshot},
    stream::{Head, Recorded},
};

/// A row says in its eighth column what it is. Its first seven are those of an event.
pub(crate) const LOAD: &str = "
    WITH head AS (
        SELECT id, seq, wake_at, untold, rows_seq, erased_at FROM streams WHERE stream = $1),
    kept AS (
        SELECT snapshots.seq, body FROM head
        JOIN snapshots ON snapshots.stream = head.id AND schema = $2)
    SELECT * FROM (
        SELECT e.seq, at, origin, command_id, n, kind, body, 'event', 0, 0,
               CAST(NULL AS bigint)
        FROM head JOIN events AS e ON e.stream = head.id
        WHERE e.seq > coalesce((SELECT seq FROM kept), 0) ORDER BY e.seq LIMIT $3) AS later
    UNION ALL
    SELECT seq, 0, '', NULL, 0, '', body, 'snapshot', 0, 0, NULL FROM kept
    UNION ALL
    SELECT seq, wake_at, '', NULL, 0, '', NULL, 'head', untold, rows_seq, erased_at FROM head";

/// One row of [`LOAD`].
pub(crate) enum Part {
    Event(Recorded),
    Snapshot { seq: u64, body: Vec<u8> },
    Head(Head),
    Gone,
}

/// Reads a [`Part`] from a row of one database, whose `Event` is at hand.
macro_rules! part {
    ($row:ty) => {
        impl FromRow<'_, $row> for crate::loaded::Part {
            fn from_row(row: &$row) -> Result<Self, sqlx::Error> {
                let seq = row.try_get::<i64, _>(0)?;
                Ok(match row.try_get(7)? {
                    "event" => Self::Event(Event::from_row(row)?.0),
                    "snapshot" => {
                        Self::Snapshot { seq: seq.cast_unsigned(), body: row.try_get(6)? }
                    }
                    _ if row.try_get::<Option<i64>, _>(10)?.is_some() => Self::Gone,
                    _ => Self::Head(head(seq, row.try_get(1)?, row.try_get(8)?, row.try_get(9)?)),
                })
            }
        }
    };
}

pub(crate) use part;

/// A head as the tables have it.
pub(crate) fn head(seq: i64, wake_at: Option<i64>, untold: Option<i64>, rows_seq: i64) -> Head {
    Head {
        seq: seq.cast_unsigned(),
        wake_at: wake_at.map(At),
        untold: untold.map(i64::cast_unsigned),
        rows_seq: rows_seq.cast_unsigned(),
    }
}

/// Puts together what was read; `schema` is that of the snapshot.
pub(crate) fn loaded(parts: Vec<Part>, schema: u32) -> Result<Loaded, AppendError> {
    let mut loaded = Loaded::default();
    for part in parts {
        match part {
            Part::Event(event) => loaded.events.push(event),
            Part::Snapshot { seq, body } => {
                loaded.snapshot = Some(Snapshot { seq, schema, body: body.into() });
            }
            Part::Head(head) => loaded.head = head,
            Part::Gone => return Err(AppendError::Gone),
        }
    }
    Ok(loaded)
}

/// Whether events right behind the snapshot are missing: they are in a segment then.
pub(crate) fn is_packed(loaded: &Loaded) -> bool {
    let after = after(loaded);
    let next = loaded.events.first().map(|event| event.seq);
    next != Some(after + 1) && after < loaded.head.seq
}

/// What the events come behind.
pub(crate) fn after(loaded: &Loaded) -> u64 {
    loaded.snapshot.as_ref().map_or(0, |snapshot| snapshot.seq)
}
