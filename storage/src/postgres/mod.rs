//! A store in a PostgreSQL database. What it answers `Ok` is on the server's disk; everything that
//! writes goes through one of a few writers, each of which commits what waits for it together.

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
mod statement;

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

/// How many writers append side by side, each the streams of its own shards: while one waits for the
/// disk, the server works for the other.
const LANES: usize = 2;

/// All the ports of storage, in one PostgreSQL database.
#[derive(Debug)]
pub struct Postgres {
    /// One for each writer. The first one has everything that is no append, and is the one that
    /// keeps other programs out.
    writes: Vec<mpsc::Sender<Write<PgConnection>>>,
    readers: PgPool,
    /// The writers. They are in nobody's hands, so that nobody cancels them.
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
        let (mut tasks, mut writes) = (JoinSet::new(), vec![]);
        let mut begin = |lane: ServerLane| {
            let (sender, queue) = mpsc::channel(writer::QUEUE);
            writes.push(sender);
            tasks.spawn(Writer::new(queue, lane).run());
        };
        let options = opened.options;
        begin(ServerLane::new(options.clone(), alone, Some(opened.writer)));
        for _ in 1..LANES {
            begin(ServerLane::new(options.clone(), false, None));
        }
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
        for writes in &self.writes {
            drop(writes.send(Write::Close).await);
        }
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "the writer ended badly");
            }
        }
    }

    async fn append_one(&self, waiting: Waiting) -> Result<(), Unavailable> {
        let lane = usize::from(waiting.append.stream.shard()) % LANES;
        let write = Write::Append(Box::new(waiting));
        self.ask(lane, write).await
    }

    async fn ask(&self, lane: usize, write: Write<PgConnection>) -> Result<(), Unavailable> {
        let writes = self.writes.get(lane).ok_or_else(|| unavailable(CLOSED))?;
        writes.send(write).await.map_err(|_| unavailable(CLOSED))
    }

    /// Has the first writer run `run` in its next transaction.
    async fn write<F, T>(&self, run: F) -> Result<T, Unavailable>
    where
        F: for<'c> FnOnce(&'c mut PgConnection) -> Running<'c, T> + Send + 'static,
        T: Send + 'static,
    {
        let (write, answer) = Once::ask(run);
        self.ask(0, write).await?;
        answered(answer).await?
    }
}
