//! What a backup needs of a database that no store has open.

use domain::{at::At, stream::Stream};
use sqlx::PgConnection;

use super::{Address, OpenError, migrate, open};
use crate::backup::BackupError;

/// A connection; with `alone`, only while no program serves these tables alone.
pub(crate) async fn connect(address: &Address, alone: bool) -> Result<PgConnection, BackupError> {
    open::plain(address, alone).await.map_err(told)
}

/// The tables as they were in `version`, in the transaction that is open.
pub(crate) async fn build(
    on: &mut PgConnection,
    version: i64,
    address: &Address,
) -> Result<(), BackupError> {
    let built = migrate::steps(on, version).await;
    built.map_err(|stale| told(open::stale(address, stale)))
}

/// The tables as they are now, from [`build`] on.
pub(crate) async fn finish(on: &mut PgConnection, address: &Address) -> Result<(), BackupError> {
    build(on, migrate::known(), address).await
}

fn told(error: OpenError) -> BackupError {
    match error {
        OpenError::Failed { .. } => BackupError::Failed(error.into()),
        _ => BackupError::Refused(error.to_string()),
    }
}

pub(crate) async fn erase(
    on: &mut PgConnection,
    stream: Stream,
    at: At,
) -> Result<(), sqlx::Error> {
    super::compact::erase(on, stream, at).await
}
