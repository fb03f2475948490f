//! A store in a PostgreSQL database. What it answers `Ok` is on the server's disk; everything that
//! writes goes through one writer, which commits what waits together.

mod append;
mod blobs;
pub(crate) mod closing;
mod compact;
mod events;
mod fence;
mod lane;
mod migrate;
mod open;
mod people;
mod rows;
mod shards;

use std::sync::{Arc, Mutex};

use domain::ports::Unavailable;
use sqlx::{PgConnection, PgPool};
use tokio::{sync::mpsc, task::JoinSet};

pub use open::{Address, OpenError};

use lane::ServerLane;

use crate::{
    memory::lock,
    trouble::{away, unavailable},
    writer::{self, CLOSED, Once, Running, Waiting, Write, Writer, answered},
};

const IDENTITY: &str = "
    SELECT system_identifier || '/' || current_database() || '/' || current_schema()
    FROM pg_control_system()";

/// All the ports of storage, in one PostgreSQL database.
#[derive(Debug)]
pub struct Postgres {
    writes: mpsc::Sender<Write<PgConnection>>,
    readers: PgPool,
    /// The writer. It is in nobody's hands, so that nobody cancels it.
    tasks: Mutex<JoinSet<()>>,
}

impl Postgres {
    /// Opens the store at `address` and brings its tables up to date.
    pub async fn open(address: &Address) -> Result<Arc<Self>, OpenError> {
        Self::start(address, false).await
    }

    /// The same, for a program that takes all shards: refused while another such program runs.
    pub async fn open_alone(address: &Address) -> Result<Arc<Self>, OpenError> {
        Self::start(address, true).await
    }

    async fn start(address: &Address, alone: bool) -> Result<Arc<Self>, OpenError> {
        let opened = open::open(address, alone).await?;
        let (writes, queue) = mpsc::channel(writer::QUEUE);
        let mut tasks = JoinSet::new();
        let lane = ServerLane::new(opened.options, alone, opened.writer);
        tasks.spawn(Writer::new(queue, lane).run());
        Ok(Arc::new(Self { writes, readers: opened.readers, tasks: Mutex::new(tasks) }))
    }

    /// A name that these tables have and no others: the server's own, the database's, the schema's.
    pub async fn identity(&self) -> Result<String, Unavailable> {
        let name: (String,) =
            sqlx::query_as(IDENTITY).fetch_one(&self.readers).await.map_err(away)?;
        Ok(name.0)
    }

    /// Writes what waits, refuses what comes later, and says goodbye to the server.
    pub async fn close(&self) {
        self.readers.close().await;
        // Fails when it is closed already.
        drop(self.writes.send(Write::Close).await);
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "the writer ended badly");
            }
        }
    }

    async fn append_one(&self, waiting: Waiting) -> Result<(), Unavailable> {
        let write = Write::Append(Box::new(waiting));
        self.writes.send(write).await.map_err(|_| unavailable(CLOSED))
    }

    /// Has the writer run `run` in its next transaction.
    async fn write<F, T>(&self, run: F) -> Result<T, Unavailable>
    where
        F: for<'c> FnOnce(&'c mut PgConnection) -> Running<'c, T> + Send + 'static,
        T: Send + 'static,
    {
        let (write, answer) = Once::ask(run);
        self.writes.send(write).await.map_err(|_| unavailable(CLOSED))?;
        answered(answer).await?
    }
}
