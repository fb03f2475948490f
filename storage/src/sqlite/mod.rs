//! A store in one SQLite file. What it answers `Ok` is on the disk; everything that writes goes
//! through one writer, which commits what waits together.

mod append;
mod blobs;
mod checkpoint;
pub(crate) mod closing;
mod compact;
mod events;
mod fence;
mod lane;
mod open;
mod people;
mod rows;
mod shards;

use std::{
    fs::File,
    path::Path,
    sync::{Arc, Mutex},
};

use domain::ports::Unavailable;
use sqlx::{SqliteConnection, SqlitePool};
use tokio::{sync::mpsc, task::JoinSet};

pub(crate) use open::FILE;
pub use open::{OpenError, Options, Sync};

use lane::FileLane;

use crate::{
    memory::lock,
    trouble::unavailable,
    writer::{self, CLOSED, Once, Running, Waiting, Write, Writer, answered},
};

/// All the ports of storage, in one SQLite file.
#[derive(Debug)]
pub struct Sqlite {
    writes: mpsc::Sender<Write<SqliteConnection>>,
    readers: SqlitePool,
    /// The writer and its checkpointer.
    tasks: Mutex<JoinSet<()>>,
    /// Held, and with it the lock on the directory.
    _lock: File,
}

impl Sqlite {
    /// Opens the store in `dir`, which is made when it is not there. No other process may have it
    /// open.
    pub async fn open(dir: &Path, options: Options) -> Result<Arc<Self>, OpenError> {
        let opened = open::open(dir, &options).await?;
        let (writes, queue) = mpsc::channel(writer::QUEUE);
        let mut tasks = JoinSet::new();
        let (asking, asked) = checkpoint::Asking::new();
        tasks.spawn(checkpoint::run(opened.options.clone(), asked));
        tasks.spawn(Writer::new(queue, FileLane::new(opened.options, opened.writer, asking)).run());
        let tasks = Mutex::new(tasks);
        Ok(Arc::new(Self { writes, readers: opened.readers, tasks, _lock: opened.lock }))
    }

    /// Writes what waits, refuses what comes later, and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        // Fails when it is closed already.
        drop(self.writes.send(Write::Close).await);
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a task of the store ended badly");
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
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Running<'c, T> + Send + 'static,
        T: Send + 'static,
    {
        let (write, answer) = Once::ask(run);
        self.writes.send(write).await.map_err(|_| unavailable(CLOSED))?;
        answered(answer).await?
    }
}
