//! Finds the server, and says in one line what is wrong when it cannot.

use std::{fmt, str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;

use super::migrate::{Stale, migrate};
use crate::trouble::{postgres_code, words};

/// How many connections read at the same time.
const READERS: u32 = 8;

/// How long a connection may take to come about, or a reader wait for a free one.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a connection of a reader is known to live after its last use.
const FRESH: Duration = Duration::from_secs(1);

/// What each connection is told. An answer is on the disk, whatever the server's own setting; a
/// writer that has vanished holds its shards for 5 s at most; nothing is worth compiling.
const SETTINGS: [(&str, &str); 5] = [
    ("application_name", "polycode"),
    ("synchronous_commit", "on"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "5s"),
    ("jit", "off"),
];

/// The writer looks up by key, a few hundred rows at a time, whatever the tables' statistics say;
/// a plan made while they were empty would read them whole later.
const WRITER: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
];

/// Held by the one program that serves these tables, as long as its writer is connected; of a
/// program that was killed, the server notices in a moment.
const ALONE: &str = "SELECT pg_advisory_lock(1886350457, hashtext(current_schema()))";

/// Where a database is: `postgres://user@host:port/name`, with its password if it needs one.
#[derive(Clone)]
pub struct Address {
    options: PgConnectOptions,
    has_password: bool,
}

/// Why a store could not be opened. One line each, without the password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the address of the database is not of the form postgres://user@host:port/name: {0}")]
    Address(String),
    #[error("no PostgreSQL answers at {at}: {why}")]
    Unreachable { at: String, why: String },
    #[error("PostgreSQL at {at} does not let {user} in: {why}")]
    Credentials { at: String, user: String, why: String },
    #[error("PostgreSQL at {at} has no database {name}")]
    NoDatabase { at: String, name: String },
    #[error("another Polycode is running on the database at {at}")]
    Running { at: String },
    #[error(
        "the data in {at} was written by a newer Polycode: it needs one that knows version {needs} \
         of the tables, and this one knows {knows}"
    )]
    Newer { at: String, needs: i64, knows: i64 },
    #[error("cannot open the database at {at}: {why}")]
    Failed { at: String, why: String },
}

impl FromStr for Address {
    type Err = OpenError;

    fn from_str(text: &str) -> Result<Self, OpenError> {
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let rest = rest.ok_or_else(|| OpenError::Address("it begins otherwise".to_owned()))?;
        let options = PgConnectOptions::from_str(text)
            .map_err(|error| OpenError::Address(error.to_string()))?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
        let has_password = user.contains(':') || rest.contains("password=");
        Ok(Self { options: options.disable_statement_logging(), has_password })
    }
}

impl Address {
    /// Whether the password stands in it.
    pub fn has_password(&self) -> bool {
        self.has_password
    }

    fn name(&self) -> &str {
        self.options.get_database().unwrap_or(self.options.get_username())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.options.get_socket() {
            Some(socket) => write!(f, "{}", socket.display()),
            None => write!(f, "{}:{}", self.options.get_host(), self.options.get_port()),
        }
    }
}

/// Not derived, since the password is in it.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self}/{})", self.name())
    }
}

pub(super) struct Opened {
    pub(super) options: PgConnectOptions,
    pub(super) writer: PgConnection,
    pub(super) readers: PgPool,
}

pub(super) async fn open(address: &Address, alone: bool) -> Result<Opened, OpenError> {
    let reading = address.options.clone().options(SETTINGS);
    let options = reading.clone().options(WRITER);
    let mut writer = connect(&options, alone).await.map_err(|error| not_there(address, &error))?;
    migrate(&mut writer).await.map_err(|why| stale(address, why))?;
    let readers = PgPoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(PATIENCE)
        .test_before_acquire(false)
        .before_acquire(|on, used| Box::pin(async move { Ok(is_there(on, used.idle_for).await) }))
        .connect_lazy_with(reading);
    Ok(Opened { options, writer, readers })
}

/// Asks the server whether it still is behind a connection that rested for a while. To ask each time
/// would double the way of each read; one that broke a moment ago fails its next read, as it would
/// have failed one of that moment.
async fn is_there(on: &mut PgConnection, idle_for: Duration) -> bool {
    idle_for < FRESH || on.ping().await.is_ok()
}

/// A connection that is no store's; with `alone`, while no program has the tables for itself.
pub(super) async fn plain(address: &Address, alone: bool) -> Result<PgConnection, OpenError> {
    let options = address.options.clone().options(SETTINGS);
    connect(&options, alone).await.map_err(|error| not_there(address, &error))
}

pub(super) fn stale(address: &Address, why: Stale) -> OpenError {
    let at = address.to_string();
    match why {
        Stale::Newer { needs, knows } => OpenError::Newer { at, needs, knows },
        Stale::Failed(error) => OpenError::Failed { at, why: words(&error) },
    }
}

/// A connection of the writer's; with `alone`, the only one of its kind.
pub(super) async fn connect(
    options: &PgConnectOptions,
    alone: bool,
) -> Result<PgConnection, sqlx::Error> {
    let late = std::io::Error::new(std::io::ErrorKind::TimedOut, "it takes too long");
    let connected = timeout(PATIENCE, options.connect()).await;
    let mut on = connected.unwrap_or(Err(sqlx::Error::Io(late)))?;
    if alone {
        sqlx::query(ALONE).execute(&mut on).await?;
    }
    Ok(on)
}

fn not_there(address: &Address, error: &sqlx::Error) -> OpenError {
    let (at, why) = (address.to_string(), words(error));
    match (postgres_code(error), error) {
        (Some("28P01" | "28000"), _) => {
            let user = address.options.get_username().to_owned();
            let given = if address.has_password { "wrong" } else { "wrong, or one is missing" };
            let why = format!("the name or the password is {given} ({why})");
            OpenError::Credentials { at, user, why }
        }
        (Some("55P03"), _) => OpenError::Running { at },
        (Some("3D000"), _) => OpenError::NoDatabase { at, name: address.name().to_owned() },
        (None, sqlx::Error::Io(_) | sqlx::Error::Tls(_)) => OpenError::Unreachable { at, why },
        _ => OpenError::Failed { at, why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address: Address = "postgres://ada:s3cret@db:5433/poly".parse().unwrap();
        assert!(address.has_password());
        assert_eq!(format!("{address:?}"), "Address(db:5433/poly)");
    }

    #[test]
    fn a_password_is_found_wherever_it_stands() {
        let has = |text: &str| text.parse::<Address>().unwrap().has_password();
        assert!(has("postgresql://ada:x@db/poly"));
        assert!(has("postgres:///poly?user=ada&password=x"));
        assert!(!has("postgres://ada@db:5432/poly"));
        assert!(!has("postgres:///poly?host=/run/postgresql"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "db", "mysql://db/poly", "postgres://db:port/poly"] {
            assert!(matches!(text.parse::<Address>(), Err(OpenError::Address(_))), "{text}");
        }
    }
}
