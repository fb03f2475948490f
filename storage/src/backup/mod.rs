//! Backups: everything that a store holds, as of one moment, in one file; and back again. What was
//! erased since is erased again, by a ledger that is kept apart from the backups.

mod archive;
mod ledger;
mod postgres;
mod sqlite;

use std::{
    fs::{File, OpenOptions},
    io::ErrorKind,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use domain::{at::At, stream::Stream};

pub use ledger::{add, read};
pub use postgres::{
    back_up as back_up_postgres, erased_in as erased_in_postgres, restore as restore_postgres,
};
pub use sqlite::{
    back_up as back_up_sqlite, erased_in as erased_in_sqlite, restore as restore_sqlite,
};

/// The epochs of a restored store go on so much later: whoever remembers one of after the backup,
/// a page or a server that was forgotten, is behind and not ahead.
const EPOCHS_LATER: i64 = 1_000_000;

/// A stream that was erased, and when.
pub type Erased = (Stream, At);

/// Says what goes on, one line at a time.
pub type Tell<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// What was asked for cannot be or would destroy something: one line for whoever asked.
    #[error("{0}")]
    Refused(String),
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(anyhow::anyhow!("{}", crate::trouble::words(&error)))
    }
}

impl From<std::io::Error> for BackupError {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.into())
    }
}

pub(crate) fn refused<T>(why: impl Into<String>) -> Result<T, BackupError> {
    Err(BackupError::Refused(why.into()))
}

/// A file on its way to `to`: it is there under its name only when it is whole and on the disk.
struct Part {
    to: PathBuf,
    path: PathBuf,
}

impl Part {
    /// Replaces nothing.
    fn beside(to: &Path) -> Result<Self, BackupError> {
        if to.exists() {
            return refused(format!("{} is there already, and is not replaced", to.display()));
        }
        Ok(Self::of(to))
    }

    fn of(to: &Path) -> Self {
        let mut path = to.as_os_str().to_owned();
        path.push(".part");
        Self { to: to.to_owned(), path: path.into() }
    }

    /// A new and empty file that only its owner may read.
    fn create(&self) -> Result<File, BackupError> {
        self.remove()?;
        let mut new = OpenOptions::new();
        let file = new.read(true).write(true).create_new(true).mode(0o600).open(&self.path);
        Ok(file.with_context(|| format!("making {}", self.path.display()))?)
    }

    fn remove(&self) -> Result<(), BackupError> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Syncs it and gives it its name.
    fn finish(&self) -> Result<(), BackupError> {
        File::open(&self.path)?.sync_all()?;
        std::fs::rename(&self.path, &self.to)?;
        let dir = self.to.parent().filter(|dir| !dir.as_os_str().is_empty());
        Ok(File::open(dir.unwrap_or(Path::new(".")))?.sync_all()?)
    }
}
