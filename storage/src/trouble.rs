//! What can go wrong below us, in a person's words.

use domain::ports::{DiskFull, Unavailable};
use sqlx::postgres::PgDatabaseError;

const FULL: &str = "the disk is full";

/// Why a transaction was not written.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// Something in it breaks a rule of the tables: without it, the rest would be written.
    Guilty(String),
    /// The disk or the file: nothing would be written now.
    Away(String),
}

impl Trouble {
    pub(crate) fn words(&self) -> &str {
        match self {
            Self::Guilty(words) | Self::Away(words) => words,
        }
    }
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        let guilty = match (&error, postgres_code(&error)) {
            (_, Some(code)) => breaks_a_rule(code),
            (sqlx::Error::Database(_), None) => sqlite_code(&error).and_then(plain).is_none(),
            _ => !is_lost(&error),
        };
        let words = words(&error);
        if guilty { Self::Guilty(words) } else { Self::Away(words) }
    }
}

pub(crate) fn unavailable(words: &str) -> Unavailable {
    if words.starts_with(FULL) {
        return Unavailable(DiskFull.into());
    }
    Unavailable(anyhow::anyhow!(words.to_owned()))
}

/// `error` as an answer for one reader.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn away(error: sqlx::Error) -> Unavailable {
    unavailable(&words(&error))
}

pub(crate) fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// Whether the connection is gone, or was not to be had.
fn is_lost(error: &sqlx::Error) -> bool {
    use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
    matches!(error, Io(_) | Protocol(_) | Tls(_) | WorkerCrashed | PoolClosed | PoolTimedOut)
}

/// The low byte of the extended code, see <https://sqlite.org/rescode.html>.
fn sqlite_code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// The SQLSTATE, see <https://www.postgresql.org/docs/15/errcodes-appendix.html>.
pub(crate) fn postgres_code(error: &sqlx::Error) -> Option<&str> {
    Some(error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?.code())
}

/// What is in the write, and not the server, is to blame: bad data, a broken rule of the tables, a
/// limit of the program, an exception that somebody's trigger raised.
fn breaks_a_rule(code: &str) -> bool {
    ["21", "22", "23", "42", "44", "54", "P0"].iter().any(|class| code.starts_with(class))
}

/// `error` in a person's words.
pub(crate) fn words(error: &sqlx::Error) -> String {
    let said = match postgres_code(error) {
        Some(code) => plain_postgres(code),
        None => sqlite_code(error).and_then(plain),
    };
    said.map_or_else(|| error.to_string(), |said| format!("{said} ({error})"))
}

fn plain_postgres(code: &str) -> Option<&'static str> {
    Some(match code {
        "53100" => FULL,
        "53200" => "the database server has no memory left",
        "53300" => "the database server takes no more connections",
        "25006" => "the database is read-only",
        "40001" | "40P01" | "55P03" => "another program writes to the same place",
        _ if code.starts_with("57") => "the database server is stopping or starting",
        _ => return None,
    })
}

fn plain(code: u32) -> Option<&'static str> {
    Some(match code {
        3 | 14 | 23 => "the database file cannot be opened: see who may read and write it",
        5 | 6 => "another program holds the database file",
        7 => "there is no memory left",
        8 => "the database file cannot be written",
        10 => "the disk failed to read or write",
        11 | 26 => "the database file is damaged",
        13 => FULL,
        _ => return None,
    })
}
