//! Brings the tables up to date. Forwards only, and only adding: a program of the version before
//! may be running beside.

use sqlx::{Connection, PgConnection};

/// One step from one form of the tables to the next; what is dropped goes one version later.
struct Migration {
    sql: &'static str,
    /// The oldest version that can still work with the tables after this step.
    oldest: i64,
}

const MIGRATIONS: &[Migration] =
    &[Migration { sql: include_str!("../../migrations/postgres/0001_start.sql"), oldest: 1 }];

/// Whoever holds this advisory lock changes the tables: "polycode", in ASCII.
const LOCK: i64 = i64::from_be_bytes(*b"polycode");

const VERSION: &str = "
    CREATE TABLE IF NOT EXISTS version (
        one INT PRIMARY KEY CHECK (one = 1), version BIGINT NOT NULL, oldest BIGINT NOT NULL)";

const KEEP: &str = "
    INSERT INTO version (one, version, oldest) VALUES (1, $1, $2)
    ON CONFLICT (one) DO UPDATE SET version = excluded.version, oldest = excluded.oldest";

/// Why the tables cannot be used.
pub(super) enum Stale {
    /// They need a program that knows version `needs`.
    Newer {
        needs: i64,
        knows: i64,
    },
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Stale {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

/// All steps that are missing, or none. Two programs that start together do it one after the other.
pub(super) async fn migrate(on: &mut PgConnection) -> Result<(), Stale> {
    let mut whole = on.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *whole).await?;
    steps(&mut whole, known()).await?;
    whole.commit().await?;
    Ok(())
}

/// The version of the tables that this program makes.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// The steps that are missing until version `until`, in the transaction that is open.
pub(super) async fn steps(on: &mut PgConnection, until: i64) -> Result<(), Stale> {
    sqlx::query("SET LOCAL client_min_messages = warning").execute(&mut *on).await?;
    sqlx::query(VERSION).execute(&mut *on).await?;
    let found: Option<(i64, i64)> =
        sqlx::query_as("SELECT version, oldest FROM version").fetch_optional(&mut *on).await?;
    let (version, needs) = found.unwrap_or_default();
    let knows = known();
    if needs.max(until) > knows {
        return Err(Stale::Newer { needs: needs.max(until), knows });
    }
    for (to, step) in (1..).zip(MIGRATIONS) {
        if version < to && to <= until {
            sqlx::raw_sql(step.sql).execute(&mut *on).await?;
            sqlx::query(KEEP).bind(to).bind(step.oldest).execute(&mut *on).await?;
        }
    }
    Ok(())
}
