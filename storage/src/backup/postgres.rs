//! A backup of a PostgreSQL database: its own tables as `COPY` writes them, in one snapshot.

use std::{path::Path, time::Duration};

use anyhow::Context;
use domain::{at::At, stream::Stream};
use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{
    BackupError, EPOCHS_LATER, Erased, Part, Tell,
    archive::{self, FORMAT, Header, Of, Packer, Table, Unpacker},
    refused,
};
use crate::postgres::{Address, closing as postgres};

/// All tables but `version`, which the file says itself, and `http_sessions`: who signed out since
/// is not to be signed in again.
pub(super) const TABLES: &[&str] = &[
    "shards",
    "outages",
    "streams",
    "events",
    "commands",
    "segments",
    "snapshots",
    "rows",
    "blobs",
    "people",
    "contacts",
    "links",
];

const COLUMNS: &str = "
    SELECT column_name::text FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position";

const THERE: &str = "
    SELECT EXISTS (SELECT FROM information_schema.tables
                   WHERE table_schema = current_schema() AND table_name = 'version')";

/// Other programs of ours on this database.
const OTHERS: &str = "
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'polycode'
      AND pid <> pg_backend_pid()";

/// How long what serves a program that ended may take to be gone from the server's list.
const GONE_BY: Duration = Duration::from_secs(1);

const ERASED: &str = "SELECT stream, erased_at FROM streams WHERE erased_at IS NOT NULL";

/// Writes what the database holds to the file `to`, as of one moment, while servers may be writing.
pub async fn back_up(
    address: &Address,
    to: &Path,
    now: At,
    tell: Tell<'_>,
) -> Result<(), BackupError> {
    let part = Part::beside(to)?;
    let mut on = open(address).await?;
    let mut packer = Packer::new(part.create()?);
    sqlx::query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(&mut on).await?;
    let (tables_version,): (i64,) =
        sqlx::query_as("SELECT version FROM version").fetch_one(&mut on).await?;
    let tables = u32::try_from(TABLES.len()).context("few tables")?;
    let header = Header {
        polycode_backup: FORMAT,
        of: Of::Postgres,
        tables_version,
        made_at: now.0,
        tables,
    };
    packer.json(&header)?;
    for table in TABLES {
        let rows = copy_out(&mut on, table, &mut packer).await?;
        tell(&format!("{table}: {rows} rows"));
    }
    sqlx::query("COMMIT").execute(&mut on).await?;
    on.close().await?;
    packer.finish()?;
    tell("checking the file");
    archive::check(&part.path, Of::Postgres)?;
    part.finish()
}

/// A connection to a database that has our tables.
async fn open(address: &Address) -> Result<PgConnection, BackupError> {
    let mut on = postgres::connect(address, false).await?;
    if !is_there(&mut on).await? {
        return refused(format!("there is no data of Polycode in the database at {address}"));
    }
    Ok(on)
}

async fn is_there(on: &mut PgConnection) -> Result<bool, BackupError> {
    Ok(sqlx::query_scalar(THERE).fetch_one(on).await?)
}

async fn copy_out(
    on: &mut PgConnection,
    table: &str,
    packer: &mut Packer,
) -> Result<u64, BackupError> {
    let columns: Vec<(String,)> = sqlx::query_as(COLUMNS).bind(table).fetch_all(&mut *on).await?;
    let columns: Vec<String> = columns.into_iter().map(|column| column.0).collect();
    let copy = format!("COPY {table} ({}) TO STDOUT", columns.join(", "));
    packer.json(&Table { name: table.to_owned(), columns })?;
    let mut rows = on.copy_out_raw(&copy).await?;
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        packer.frame(&row)?;
        count += 1;
    }
    packer.frame(&[])?;
    Ok(count)
}

/// Which streams of the database were erased.
pub async fn erased_in(address: &Address) -> Result<Vec<Erased>, BackupError> {
    let mut on = open(address).await?;
    let erased = erased(&mut on).await?;
    on.close().await?;
    Ok(erased)
}

async fn erased(on: &mut PgConnection) -> Result<Vec<Erased>, BackupError> {
    let found: Vec<(String, i64)> = sqlx::query_as(ERASED).fetch_all(on).await?;
    super::ledger::streams(found)
}

/// Whether another program of ours is on the database, and stays there.
async fn is_in_use(on: &mut PgConnection) -> anyhow::Result<bool> {
    let gone = async {
        loop {
            let (others,): (i64,) = sqlx::query_as(OTHERS).fetch_one(&mut *on).await?;
            if others == 0 {
                return Ok(());
            }
            tokio::time::sleep(GONE_BY / 20).await;
        }
    };
    tokio::time::timeout(GONE_BY, gone).await.map_or(Ok(true), |gone| gone.map(|()| false))
}

/// Puts what the file at `from` holds into the database, all or nothing; with `force` also where
/// there is data, which is then destroyed. `erased_since` is erased again.
pub async fn restore(
    from: &Path,
    address: &Address,
    force: bool,
    mut erased_since: Vec<Erased>,
    tell: Tell<'_>,
) -> Result<(), BackupError> {
    tell(&format!("checking {}", from.display()));
    let header = archive::check(from, Of::Postgres)?;
    let mut on = postgres::connect(address, true).await?;
    if is_in_use(&mut on).await? {
        return refused(format!(
            "a Polycode is running on the database at {address}: stop it first"
        ));
    }
    sqlx::query("BEGIN").execute(&mut on).await?;
    if is_there(&mut on).await? {
        if !force {
            return refused(format!(
                "the database at {address} has data already: --force destroys all of it and puts \
                 the backup there"
            ));
        }
        tell(&format!("destroying the data in the database at {address}"));
        erased_since.extend(erased(&mut on).await.unwrap_or_default());
        destroy(&mut on).await?;
    }
    postgres::build(&mut on, header.tables_version, address).await?;
    copy_all_in(&mut on, from, tell).await?;
    postgres::finish(&mut on, address).await?;
    tell(&format!("erasing again {} streams", erased_since.len()));
    settle(&mut on, &erased_since).await?;
    sqlx::query("COMMIT").execute(&mut on).await?;
    sqlx::query("ANALYZE").execute(&mut on).await?;
    Ok(on.close().await?)
}

async fn destroy(on: &mut PgConnection) -> Result<(), BackupError> {
    for table in TABLES.iter().chain(&["http_sessions", "version"]) {
        run(on, format!("DROP TABLE IF EXISTS {table} CASCADE")).await?;
    }
    Ok(())
}

/// Only with names of ours, or that the file was checked to have.
async fn run(on: &mut PgConnection, sql: String) -> Result<(), BackupError> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(on).await?;
    Ok(())
}

async fn copy_all_in(
    on: &mut PgConnection,
    from: &Path,
    tell: Tell<'_>,
) -> Result<(), BackupError> {
    let mut unpacker = Unpacker::open(from)?;
    let header: Header = unpacker.json()?;
    for _ in 0..header.tables {
        let Table { name, columns } = unpacker.json()?;
        let is_plain = |name: &String| {
            name.chars().all(|c| c.is_ascii_lowercase() || "_0123456789".contains(c))
        };
        if !is_plain(&name) || !columns.iter().all(is_plain) {
            return refused(format!("{} names a table that cannot be", from.display()));
        }
        // A new database has its shards already.
        run(on, format!("TRUNCATE {name} CASCADE")).await?;
        let copy = format!("COPY {name} ({}) FROM STDIN", columns.join(", "));
        let mut rows = on.copy_in_raw(&copy).await?;
        loop {
            let row = unpacker.frame()?;
            if row.is_empty() {
                break;
            }
            rows.send(row).await?;
        }
        let count = rows.finish().await?;
        tell(&format!("{name}: {count} rows"));
    }
    Ok(())
}

/// What differs from the backup: new streams and epochs go on later, and what was erased since is.
async fn settle(on: &mut PgConnection, since: &[Erased]) -> Result<(), BackupError> {
    let next = "SELECT setval('streams_id_seq', coalesce(max(id), 0) + 1, false) FROM streams";
    sqlx::query(next).execute(&mut *on).await?;
    let later = sqlx::query("UPDATE shards SET epoch = epoch + $1");
    later.bind(EPOCHS_LATER).execute(&mut *on).await?;
    for (stream, at) in since {
        postgres::erase(on, *stream, *at).await?;
        if let Stream::Session(session) = stream {
            for delete in
                ["DELETE FROM contacts WHERE session = $1", "DELETE FROM links WHERE session = $1"]
            {
                sqlx::query(delete).bind(session.to_string()).execute(&mut *on).await?;
            }
        }
    }
    Ok(())
}
