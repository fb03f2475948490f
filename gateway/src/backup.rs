//! `polycode backup`, `restore` and `erasures`.

use std::path::Path;

use domain::ports::Clock;
use storage::{
    SystemClock,
    backup::{self, BackupError},
};

use crate::{config::Restore, store::address};

/// Writes everything that is kept into the file `to`, while a server may be running.
pub(crate) async fn back_up(data: &Path, database: Option<&str>, to: &Path) -> anyhow::Result<()> {
    let now = SystemClock.now();
    match database {
        None => backup::back_up_sqlite(data, to, now, &say).await?,
        Some(database) => {
            backup::back_up_postgres(&address(database)?, to, now, &say).await?;
        }
    }
    say(&format!("everything is in {}, {} bytes", to.display(), std::fs::metadata(to)?.len()));
    Ok(())
}

/// Puts it back where nothing is.
pub(crate) async fn restore(
    data: &Path,
    database: Option<&str>,
    restore: Restore,
) -> anyhow::Result<()> {
    let Restore { file, force, erasures } = restore;
    let erased = match &erasures {
        Some(ledger) if !ledger.exists() => {
            let why = format!("there is no ledger {}", ledger.display());
            return Err(BackupError::Refused(why).into());
        }
        Some(ledger) => backup::read(ledger)?,
        None => {
            say("without --erasures, what was erased since the backup comes back with it");
            vec![]
        }
    };
    match database {
        None => backup::restore_sqlite(&file, data, force, erased, &say).await?,
        Some(database) => {
            backup::restore_postgres(&file, &address(database)?, force, erased, &say).await?;
        }
    }
    say("restored; everybody signs in again");
    Ok(())
}

/// Adds what was erased to the ledger `to`.
pub(crate) async fn erasures(data: &Path, database: Option<&str>, to: &Path) -> anyhow::Result<()> {
    let erased = match database {
        None => backup::erased_in_sqlite(data).await?,
        Some(database) => backup::erased_in_postgres(&address(database)?).await?,
    };
    let new = backup::add(to, &erased)?;
    say(&format!("{new} new erasures in {}", to.display()));
    Ok(())
}

#[expect(clippy::print_stderr, reason = "how far this command is")]
fn say(line: &str) {
    eprintln!("{line}");
}
