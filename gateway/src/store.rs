//! Where everything is kept: in a file of the data directory, or in PostgreSQL.

use std::{path::Path, sync::Arc};

use domain::ports::{Blobs, EventStore, People, Shards};
use storage::{
    postgres::{Address, OpenError, Postgres},
    sqlite::{Options, Sqlite},
};

/// The database was named wrongly, and nothing was opened: one line for whoever started it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongDatabase(String);

const PASSWORD_IN_ARGUMENTS: &str = "the password of the database stands in an argument, where \
    everybody on this machine can read it: give the address in the environment variable \
    POLYCODE_DATABASE instead";

/// Every port of storage, kept by one store.
pub(crate) struct Store {
    pub(crate) events: Arc<dyn EventStore>,
    pub(crate) shards: Arc<dyn Shards>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) people: Arc<dyn People>,
    kind: Kind,
}

enum Kind {
    File(Arc<Sqlite>),
    Server(Arc<Postgres>),
}

impl Store {
    /// Opens the database that is named, for this program beside others. Answers with it the name
    /// that no other database has. Fails with [`WrongDatabase`] when it is not there to be opened.
    pub(crate) async fn open_shared(database: &str) -> anyhow::Result<(Self, String)> {
        let store = Postgres::open(&address(database)?).await.map_err(told)?;
        let identity = store.identity().await?;
        Ok((Self::of(&store, Kind::Server(Arc::clone(&store))), identity))
    }

    /// Opens the database that is named, or else the file in `data`, for this program alone. Fails
    /// with [`WrongDatabase`] when it is not there to be opened.
    pub(crate) async fn open(
        data: &Path,
        database: Option<&str>,
        options: Options,
    ) -> anyhow::Result<Self> {
        match database {
            None => {
                let store = Sqlite::open(data, options).await?;
                Ok(Self::of(&store, Kind::File(Arc::clone(&store))))
            }
            Some(database) => {
                let store = Postgres::open_alone(&address(database)?).await.map_err(told)?;
                Ok(Self::of(&store, Kind::Server(Arc::clone(&store))))
            }
        }
    }

    fn of<S>(store: &Arc<S>, kind: Kind) -> Self
    where
        S: EventStore + Shards + Blobs + People + 'static,
    {
        let (events, shards) = (Arc::clone(store), Arc::clone(store));
        let (blobs, people) = (Arc::clone(store), Arc::clone(store));
        Self { events, shards, blobs, people, kind }
    }

    /// Writes what waits, refuses what comes later.
    pub(crate) async fn close(&self) {
        match &self.kind {
            Kind::File(store) => store.close().await,
            Kind::Server(store) => store.close().await,
        }
    }
}

pub(crate) fn address(database: &str) -> anyhow::Result<Address> {
    let address: Address = database.parse().map_err(told)?;
    let mut arguments = std::env::args_os();
    let is_argument = arguments.any(|one| one.to_string_lossy().ends_with(database));
    if address.has_password() && is_argument {
        return Err(WrongDatabase(PASSWORD_IN_ARGUMENTS.to_owned()).into());
    }
    Ok(address)
}

/// What an operator set wrongly is told in one line; the rest is a failure like others.
fn told(error: OpenError) -> anyhow::Error {
    match error {
        OpenError::Address(_)
        | OpenError::Unreachable { .. }
        | OpenError::Credentials { .. }
        | OpenError::NoDatabase { .. } => WrongDatabase(error.to_string()).into(),
        OpenError::Running { .. } | OpenError::Newer { .. } | OpenError::Failed { .. } => {
            error.into()
        }
    }
}
