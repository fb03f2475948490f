//! Signs of life of a sandbox: one that hangs is given up, and its run with it.

use std::sync::{Mutex, PoisonError};

use domain::run::Job;
use tokio::time::{Duration, Instant};

/// How long a sandbox may be silent besides what a run may take: it compiles (20 s), it judges, the
/// machine is busy.
const STEP: Duration = Duration::from_mins(1);

/// See the module.
pub(super) struct Signs {
    /// `None` before the first one: for a place in the sandbox it may have to wait.
    last: Mutex<Option<Instant>>,
    /// The longest time without a sign.
    silence: Duration,
}

impl Signs {
    pub(super) fn new(job: &Job) -> Self {
        let silence = Duration::from_millis(job.limits.wall_ms.into()) + STEP;
        Self { last: Mutex::default(), silence }
    }

    /// The sandbox told something.
    pub(super) fn seen(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// What comes of `run`; `None`, and it is dropped, once it was silent for too long.
    pub(super) async fn watch<T>(&self, run: impl Future<Output = T>) -> Option<T> {
        let mut run = std::pin::pin!(run);
        loop {
            let last = self.last();
            // Without a sign so far, another look is enough.
            let until = last.unwrap_or_else(Instant::now) + self.silence;
            tokio::select! {
                done = &mut run => return Some(done),
                () = tokio::time::sleep_until(until) => {}
            }
            if last.is_some() && last == self.last() {
                tracing::error!("a sandbox was silent for too long; its run is given up");
                return None;
            }
        }
    }

    fn last(&self) -> Option<Instant> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
