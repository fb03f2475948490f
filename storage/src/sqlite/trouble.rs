//! What can go wrong below us, in a person's words.

use domain::ports::{DiskFull, Unavailable};

const FULL: &str = "the disk is full";

/// Why a transaction was not written.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// Something in it breaks a rule of the tables: without it, the rest would be written.
    Guilty(String),
    /// The disk or the file: nothing would be written now.
    Away(String),
}

impl Trouble {
    pub(super) fn words(&self) -> &str {
        match self {
            Self::Guilty(words) | Self::Away(words) => words,
        }
    }
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        let lost = matches!(error, sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed);
        let words = words(&error);
        if lost || primary_code(&error).and_then(plain).is_some() {
            Self::Away(words)
        } else {
            Self::Guilty(words)
        }
    }
}

pub(super) fn unavailable(words: &str) -> Unavailable {
    if words.starts_with(FULL) {
        return Unavailable(DiskFull.into());
    }
    Unavailable(anyhow::anyhow!(words.to_owned()))
}

/// `error` as an answer for one reader.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn away(error: sqlx::Error) -> Unavailable {
    unavailable(&words(&error))
}

pub(super) fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// The low byte of the extended code, see <https://sqlite.org/rescode.html>.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// `error` in a person's words.
pub(super) fn words(error: &sqlx::Error) -> String {
    let plain = primary_code(error).and_then(plain);
    plain.map_or_else(|| error.to_string(), |plain| format!("{plain} ({error})"))
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
