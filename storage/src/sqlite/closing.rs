//! What a backup needs of the data directory while no store has it open.

use std::{fs::File, path::Path};

use domain::{at::At, stream::Stream};
use sqlx::SqliteConnection;

use super::open;
use crate::backup::BackupError;

/// The directory, made if it is not there, for this program alone.
pub(crate) fn lock(dir: &Path) -> Result<File, BackupError> {
    open::make_dir(dir)?;
    open::take_lock(dir).map_err(told)
}

/// Brings the tables up to date.
pub(crate) async fn migrate(on: &mut SqliteConnection, dir: &Path) -> Result<(), BackupError> {
    open::migrate(on, dir).await.map_err(told)
}

fn told(error: open::OpenError) -> BackupError {
    match error {
        open::OpenError::Failed { .. } => BackupError::Failed(error.into()),
        _ => BackupError::Refused(error.to_string()),
    }
}

pub(crate) async fn erase(
    on: &mut SqliteConnection,
    stream: Stream,
    at: At,
) -> Result<(), sqlx::Error> {
    super::compact::erase(on, stream, at).await
}
