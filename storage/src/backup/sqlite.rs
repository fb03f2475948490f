//! A backup of a data directory: its SQLite file, with what is in the log, without what is free.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
};

use anyhow::Context;
use domain::{at::At, stream::Stream};
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{
    BackupError, EPOCHS_LATER, Erased, Part, Tell,
    archive::{self, FORMAT, Header, Of, Packer, Table, Unpacker},
    refused,
};
use crate::sqlite::{FILE, closing as sqlite};

/// How much of the file is one frame.
const PIECE: usize = 1 << 16;

const ERASED: &str = "SELECT stream, erased_at FROM streams WHERE erased_at IS NOT NULL";

/// Writes what the directory `data` holds to the file `to`, as of one moment, while a server may be
/// writing there.
pub async fn back_up(data: &Path, to: &Path, now: At, tell: Tell<'_>) -> Result<(), BackupError> {
    let part = Part::beside(to)?;
    let from = source(data)?;
    let copy = Part::of(&to.with_added_extension("db"));
    // SQLite takes an empty file, too; that nobody else may read it is seen to before.
    drop(copy.create()?);
    tell(&format!("copying {} bytes of {}", std::fs::metadata(&from)?.len(), from.display()));
    let packed = match copy_whole(&from, &copy.path, tell).await {
        Ok(tables_version) => pack(&copy.path, &part, tables_version, now),
        Err(error) => Err(error),
    };
    copy.remove()?;
    packed?;
    tell("checking the file");
    archive::check(&part.path, Of::Sqlite)?;
    part.finish()
}

/// Answers the version of the tables.
async fn copy_whole(from: &Path, to: &Path, tell: Tell<'_>) -> Result<i64, BackupError> {
    let mut on = SqliteConnectOptions::new().filename(from).read_only(true).connect().await?;
    let path = to.to_str().context("the name of the file is no text")?;
    sqlx::query("VACUUM INTO ?1").bind(path).execute(&mut on).await?;
    on.close().await?;
    tell("checking the copy");
    check(to).await
}

fn pack(copy: &Path, part: &Part, tables_version: i64, now: At) -> Result<(), BackupError> {
    let mut packer = Packer::new(part.create()?);
    packer.json(&Header {
        polycode_backup: FORMAT,
        of: Of::Sqlite,
        tables_version,
        made_at: now.0,
        tables: 1,
    })?;
    packer.json(&Table { name: FILE.to_owned(), columns: vec![] })?;
    let mut from = File::open(copy)?;
    let mut piece = vec![0; PIECE];
    loop {
        let length = from.read(&mut piece)?;
        packer.frame(piece.get(..length).unwrap_or_default())?;
        if length == 0 {
            return Ok(packer.finish()?);
        }
    }
}

/// Writes the SQLite file that is in the backup `from`.
fn unpack(from: &Path, mut to: File) -> Result<(), BackupError> {
    let mut unpacker = Unpacker::open(from)?;
    unpacker.json::<Header>()?;
    unpacker.json::<Table>()?;
    loop {
        let piece = unpacker.frame()?;
        if piece.is_empty() {
            return Ok(to.flush()?);
        }
        to.write_all(&piece)?;
    }
}

fn source(data: &Path) -> Result<std::path::PathBuf, BackupError> {
    let from = data.join(FILE);
    if from.metadata().map_or(0, |file| file.len()) == 0 {
        return refused(format!("there is no data in {}", data.display()));
    }
    Ok(from)
}

/// Whether the SQLite file at `path` is whole and has our tables. Answers their version.
async fn check(path: &Path) -> Result<i64, BackupError> {
    let what = |why: &str| format!("the data cannot be backed up: {why}");
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
    let mut on = options.connect().await?;
    let found: Result<Vec<(String,)>, _> =
        sqlx::query_as("PRAGMA integrity_check").fetch_all(&mut on).await;
    let found = found.map(|lines| lines.into_iter().map(|line| line.0).collect::<Vec<_>>());
    match found.as_deref() {
        Ok([word]) if word == "ok" => {}
        Ok(words) => return refused(what(&words.join("; "))),
        Err(_) => return refused(what("the file is damaged")),
    }
    let version = sqlx::query_scalar("SELECT version FROM version").fetch_one(&mut on).await;
    on.close().await?;
    version.or_else(|_| refused(what("there are no tables of Polycode")))
}

/// Which streams of the directory `data` were erased.
pub async fn erased_in(data: &Path) -> Result<Vec<Erased>, BackupError> {
    let options = SqliteConnectOptions::new().filename(source(data)?).read_only(true);
    let mut on = options.connect().await?;
    let erased = erased(&mut on).await?;
    on.close().await?;
    Ok(erased)
}

async fn erased(on: &mut SqliteConnection) -> Result<Vec<Erased>, BackupError> {
    let found: Vec<(String, i64)> = sqlx::query_as(ERASED).fetch_all(on).await?;
    super::ledger::streams(found)
}

/// Makes the file at `from` the data of the directory `data`; with `force` also where there is
/// some, which is then destroyed. `erased` is erased again.
pub async fn restore(
    from: &Path,
    data: &Path,
    force: bool,
    mut erased_since: Vec<Erased>,
    tell: Tell<'_>,
) -> Result<(), BackupError> {
    tell(&format!("checking {}", from.display()));
    archive::check(from, Of::Sqlite)?;
    let _lock = sqlite::lock(data)?;
    let to = data.join(FILE);
    if source(data).is_ok() {
        if !force {
            return refused(format!(
                "{} has data already: --force destroys all of it and puts the backup there",
                data.display()
            ));
        }
        tell(&format!("destroying the data in {}", data.display()));
        erased_since.extend(close_up(&to).await?);
    }
    let part = Part::of(&to);
    unpack(from, part.create()?)?;
    tell(&format!("erasing again {} streams", erased_since.len()));
    let mut on = SqliteConnectOptions::new().filename(&part.path).connect().await?;
    sqlite::migrate(&mut on, data).await?;
    settle(&mut on, &erased_since).await?;
    on.close().await?;
    part.finish()
}

/// Brings what is in the log of the file at `path` into it, so that no log stays behind for
/// another file. Answers what was erased there; nothing if it cannot be read any more.
async fn close_up(path: &Path) -> Result<Vec<Erased>, BackupError> {
    let mut known = vec![];
    if let Ok(mut on) = SqliteConnectOptions::new().filename(path).connect().await {
        known = erased(&mut on).await.unwrap_or_default();
        drop(on.close().await);
    }
    for log in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(log);
        drop(std::fs::remove_file(name));
    }
    Ok(known)
}

/// What differs from the backup: nobody is signed in, epochs go on later, and what was erased since
/// is.
async fn settle(on: &mut SqliteConnection, since: &[Erased]) -> Result<(), BackupError> {
    let mut whole = on.begin().await?;
    sqlx::query("DELETE FROM http_sessions").execute(&mut *whole).await?;
    let later = sqlx::query("UPDATE shards SET epoch = epoch + ?1");
    later.bind(EPOCHS_LATER).execute(&mut *whole).await?;
    for (stream, at) in since {
        sqlite::erase(&mut whole, *stream, *at).await?;
        if let Stream::Session(session) = stream {
            for delete in
                ["DELETE FROM contacts WHERE session = ?1", "DELETE FROM links WHERE session = ?1"]
            {
                sqlx::query(delete).bind(session.to_string()).execute(&mut *whole).await?;
            }
        }
    }
    Ok(whole.commit().await?)
}
