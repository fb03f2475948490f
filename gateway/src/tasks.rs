//! Tasks that belong to no actor: connections, and what streams to them.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::{AbortHandle, JoinError, JoinSet};

/// All of them; they end with it. Whoever starts one joins those that have ended, so that a panic is
/// told.
#[derive(Clone, Default)]
pub(crate) struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(ended) = tasks.try_join_next() {
            if let Some(failed) = ended.err().filter(JoinError::is_panic) {
                tracing::error!(%failed, "a connection's task failed");
            }
        }
        tasks.spawn(task)
    }
}
