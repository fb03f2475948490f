//! Opens the data directory: the lock, the file, its tables.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    time::Duration,
};

use anyhow::Context;
use sqlx::{
    ConnectOptions, Connection, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::checkpoint;

/// How hard a commit tries to survive a power cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// The write-ahead log is synced before a commit is answered.
    #[default]
    Full,
    /// Nothing is ever synced: a power cut loses what was answered. For tests that want to see
    /// that they would notice.
    UnsafeOff,
}

/// What a test or an operator may set.
#[derive(Clone, Debug)]
pub struct Options {
    pub sync: Sync,
    /// How many connections read at the same time.
    pub readers: u32,
    /// How many pages of 4 KiB the file may have; then it answers as a full disk does.
    pub pages_max: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { sync: Sync::Full, readers: 2, pages_max: None }
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("another Polycode is running on {dir} (process {process})")]
    Running { dir: String, process: String },
    #[error(
        "the data in {dir} was written by a newer Polycode: it needs one that knows version \
         {needs} of the tables, and this one knows {knows}"
    )]
    Newer { dir: String, needs: i64, knows: i64 },
    #[error("cannot open the data in {dir}: {why:#}")]
    Failed { dir: String, why: anyhow::Error },
}

pub(super) struct Opened {
    pub(super) lock: File,
    pub(super) options: SqliteConnectOptions,
    pub(super) writer: SqliteConnection,
    pub(super) readers: SqlitePool,
}

/// One step from one form of the tables to the next. They only add; what is dropped goes one
/// version later.
struct Migration {
    sql: &'static str,
    /// The oldest version that can still work with the tables after this step.
    oldest: i64,
}

const MIGRATIONS: &[Migration] = &[
    Migration { sql: include_str!("../../migrations/0001_start.sql"), oldest: 1 },
    // A program of before would let in who was disabled.
    Migration { sql: include_str!("../../migrations/0002_accounts.sql"), oldest: 2 },
];

pub(crate) const FILE: &str = "polycode.db";
const LOCK: &str = "lock";

/// How much of the file a connection keeps, in -KiB; the system keeps the rest. The writer has more,
/// since it looks up the same pages again and again.
const READ_CACHE: &str = "-1000";

const WRITE_CACHE: &str = "-4000";

/// How long a statement waits for a lock of another connection of ours, such as the last one's
/// clean-up after a crash.
const BUSY: Duration = Duration::from_secs(5);

pub(super) async fn open(dir: &Path, options: &Options) -> Result<Opened, OpenError> {
    let failed = |why| OpenError::Failed { dir: dir.display().to_string(), why };
    make_dir(dir).map_err(failed)?;
    let lock = take_lock(dir)?;
    let connect = connect_options(dir, options).map_err(failed)?;
    let mut writer = SqliteConnection::connect_with(&connect)
        .await
        .context("opening the database file")
        .map_err(failed)?;
    migrate(&mut writer, dir).await?;
    let readers = SqlitePoolOptions::new().max_connections(options.readers).connect_lazy_with(
        connect.clone().read_only(true).create_if_missing(false).pragma("cache_size", READ_CACHE),
    );
    Ok(Opened { lock, options: connect, writer, readers })
}

pub(super) fn make_dir(dir: &Path) -> anyhow::Result<()> {
    if !dir.exists() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .context("making the directory")?;
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Takes the lock that goes when the process goes, however it goes.
pub(super) fn take_lock(dir: &Path) -> Result<File, OpenError> {
    let shown = dir.display().to_string();
    let mut process = String::new();
    let locked = private_file(&dir.join(LOCK)).and_then(|mut file| match file.try_lock() {
        Ok(()) => {
            file.set_len(0)?;
            file.rewind()?;
            write!(file, "{}", std::process::id())?;
            Ok(Some(file))
        }
        Err(TryLockError::WouldBlock) => file.read_to_string(&mut process).map(|_| None),
        Err(TryLockError::Error(error)) => Err(error),
    });
    match locked.context("locking the directory") {
        Ok(Some(file)) => Ok(file),
        Ok(None) => Err(OpenError::Running { dir: shown, process }),
        Err(why) => Err(OpenError::Failed { dir: shown, why }),
    }
}

fn private_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn connect_options(dir: &Path, options: &Options) -> anyhow::Result<SqliteConnectOptions> {
    let path = dir.join(FILE);
    // SQLite gives its other files the mode of this one.
    private_file(&path).context("making the database file")?;
    let synchronous = match options.sync {
        Sync::Full => SqliteSynchronous::Full,
        Sync::UnsafeOff => SqliteSynchronous::Off,
    };
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .busy_timeout(BUSY)
        .row_buffer_size(256)
        .pragma("cache_size", WRITE_CACHE)
        .pragma("secure_delete", "fast")
        .pragma("temp_store", "memory")
        .pragma("wal_autocheckpoint", checkpoint::LOG_PAGES)
        .disable_statement_logging();
    Ok(match options.pages_max {
        Some(pages) => connect.pragma("max_page_count", pages.to_string()),
        None => connect,
    })
}

pub(super) async fn migrate(on: &mut SqliteConnection, dir: &Path) -> Result<(), OpenError> {
    let shown = || dir.display().to_string();
    let failed = |why: sqlx::Error| OpenError::Failed {
        dir: shown(),
        why: anyhow::Error::new(why).context("bringing the tables up to date"),
    };
    let knows = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let (version, needs) = version(on).await.map_err(failed)?;
    if needs > knows {
        return Err(OpenError::Newer { dir: shown(), needs, knows });
    }
    for (to, step) in (1..).zip(MIGRATIONS) {
        if to > version {
            apply(on, step, to).await.map_err(failed)?;
        }
    }
    Ok(())
}

/// The version of the tables, and the oldest program that may use them.
async fn version(on: &mut SqliteConnection) -> Result<(i64, i64), sqlx::Error> {
    let create = "CREATE TABLE IF NOT EXISTS version (
        only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL, oldest INTEGER NOT NULL
    ) STRICT";
    sqlx::query(create).execute(&mut *on).await?;
    let row = sqlx::query_as("SELECT version, oldest FROM version").fetch_optional(on).await?;
    Ok(row.unwrap_or_default())
}

async fn apply(on: &mut SqliteConnection, step: &Migration, to: i64) -> Result<(), sqlx::Error> {
    let mut transaction = on.begin().await?;
    sqlx::raw_sql(step.sql).execute(&mut *transaction).await?;
    sqlx::query("INSERT OR REPLACE INTO version (only, version, oldest) VALUES (1, ?1, ?2)")
        .bind(to)
        .bind(step.oldest)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}
