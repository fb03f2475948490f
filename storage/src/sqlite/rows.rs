//! Rows, as pages read them.

use bytes::Bytes;
use domain::{
    ports::{Row, RowQuery, Unavailable},
    rows::Topic,
};
use sqlx::SqlitePool;

use super::events::at_most;
use crate::trouble::away;

/// `?2` is the first key that may be read; `?4` is NULL when it is no matter what changed.
const ROWS: &str = "
    SELECT key, seq, value FROM rows
    WHERE topic = ?1 AND key >= ?2
      AND CASE WHEN ?4 IS NULL THEN value IS NOT NULL ELSE seq > ?4 END
    ORDER BY key LIMIT ?3";

const ROW: &str = "
    SELECT key, seq, value FROM rows WHERE topic = ?1 AND key = ?2 AND value IS NOT NULL";

type Kept = (String, i64, Option<Vec<u8>>);

pub(super) async fn read(from: &SqlitePool, query: RowQuery) -> Result<Vec<Row>, Unavailable> {
    // No text lies between `key` and `key` with a NUL behind it.
    let first = query.after_key.map_or_else(String::new, |key| key + "\0");
    let rows: Vec<Kept> = sqlx::query_as(ROWS)
        .bind(query.topic.to_string())
        .bind(first)
        .bind(at_most(query.limit))
        .bind(query.changed_after.map(u64::cast_signed))
        .fetch_all(from)
        .await
        .map_err(away)?;
    Ok(rows.into_iter().map(row).collect())
}

pub(super) async fn read_one(
    from: &SqlitePool,
    topic: Topic,
    key: &str,
) -> Result<Option<Row>, Unavailable> {
    let found: Option<Kept> = sqlx::query_as(ROW)
        .bind(topic.to_string())
        .bind(key)
        .fetch_optional(from)
        .await
        .map_err(away)?;
    Ok(found.map(row))
}

fn row((key, seq, value): Kept) -> Row {
    Row { key, seq: seq.cast_unsigned(), value: value.map(Bytes::from) }
}
