//! Brings the write-ahead log back into the file, beside the writer and not in its way: the file's
//! own syncs then hold up no commit.

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::mpsc;

/// After about how many pages written.
const EVERY_PAGES: usize = 2_000;

/// Pages that one write of a batch touches: its head, its event, its command.
const PAGES_PER_WRITE: usize = 3;

/// The log's length, in pages of 4 KiB, at which the writer brings back what is left by itself, so
/// that the log starts over.
pub(super) const LOG_PAGES: &str = "16000";

/// The writer's side: counts, and asks for a checkpoint.
pub(super) struct Asking {
    pages: usize,
    wanted: mpsc::Sender<()>,
}

impl Asking {
    pub(super) fn new() -> (Self, mpsc::Receiver<()>) {
        let (wanted, asked) = mpsc::channel(1);
        (Self { pages: 0, wanted }, asked)
    }

    /// Counts a batch of so many writes.
    pub(super) fn after(&mut self, writes: usize) {
        self.pages += (writes + 1) * PAGES_PER_WRITE;
        if self.pages >= EVERY_PAGES {
            self.pages = 0;
            // Full means that one is asked for already.
            self.wanted.try_send(()).ok();
        }
    }
}

/// Checkpoints whenever it is asked, until the writer is gone.
pub(super) async fn run(options: SqliteConnectOptions, mut asked: mpsc::Receiver<()>) {
    let mut on = None;
    while let Some(()) = asked.recv().await {
        if let Err(error) = checkpoint(&mut on, &options).await {
            tracing::warn!(%error, "a checkpoint failed; the log grows until one succeeds");
            on = None;
        }
    }
    if let Some(on) = on
        && let Err(error) = on.close().await
    {
        tracing::warn!(%error, "the checkpointer was not closed cleanly");
    }
}

/// Passive: waits for nobody, takes what readers and the writer leave free.
async fn checkpoint(
    on: &mut Option<SqliteConnection>,
    options: &SqliteConnectOptions,
) -> Result<(), sqlx::Error> {
    let on = match on {
        Some(on) => on,
        none => none.insert(SqliteConnection::connect_with(options).await?),
    };
    sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(on).await.map(|_| ())
}
