//! The crew: the workers of one node. It asks for work while one of them is free.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::ids::CommandId;
use tokio::{
    sync::{Semaphore, watch},
    task::{JoinError, JoinSet},
    time::timeout,
};

use crate::{
    queue::Runners,
    worker::{Stopping, Worker},
};

/// How many workers for runs into which people type there are for each other worker: such a run
/// waits for its person most of the time, and costs little meanwhile.
const TYPED_FOR_EACH: usize = 4;
/// How long giving back may take.
const GIVING_BACK: Duration = Duration::from_secs(3);
/// How long it may take to say that nothing is wanted any more.
const LEAVING: Duration = Duration::from_millis(500);

/// Is told how many runs go on.
pub(crate) type Busy = Arc<dyn Fn(usize) + Send + Sync>;

/// Takes and runs until `worker` is told to stop, and what goes on then is done.
pub(crate) async fn work(worker: Worker, workers: usize, busy: Busy) {
    let going_on = GoingOn { runs: Arc::default(), busy };
    let plain = take_turns(worker.clone(), Runners::Plain, workers, going_on.clone());
    let typed = take_turns(worker, Runners::Typed, workers * TYPED_FOR_EACH, going_on);
    tokio::join!(plain, typed);
}

/// Tells all workers to stop, waits for them for at most `within`, and has the others give back what
/// they have.
pub(crate) async fn finish(stopping: &watch::Sender<Stopping>, within: Duration) {
    stopping.send_replace(Stopping::TakesNothing);
    // Closed is it when the last worker is gone.
    if timeout(within, stopping.closed()).await.is_err() {
        stopping.send_replace(Stopping::GivesBack);
        if timeout(GIVING_BACK, stopping.closed()).await.is_err() {
            tracing::warn!("some runs could not be given back; their attempts count");
        }
    }
}

/// How many runs go on.
#[derive(Clone)]
struct GoingOn {
    runs: Arc<AtomicUsize>,
    busy: Busy,
}

/// One of them.
struct One(GoingOn);

impl GoingOn {
    fn one(&self) -> One {
        (self.busy)(self.runs.fetch_add(1, Ordering::SeqCst) + 1);
        One(self.clone())
    }
}

impl Drop for One {
    fn drop(&mut self) {
        (self.0.busy)(self.0.runs.fetch_sub(1, Ordering::SeqCst) - 1);
    }
}

async fn take_turns(worker: Worker, runners: Runners, workers: usize, going_on: GoingOn) {
    let mut stopping = worker.stopping.clone();
    let places = Arc::new(Semaphore::new(workers));
    let mut work = JoinSet::new();
    loop {
        let ticket = CommandId::random();
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((place, worker.desk.take(runners, ticket).await?))
        };
        let next = tokio::select! {
            biased;
            () = Stopping::TakesNothing.reached(&mut stopping) => {
                timeout(LEAVING, worker.desk.leave(ticket)).await.ok();
                break;
            }
            next = next => next,
        };
        if let Some((place, task)) = next {
            let (worker, one) = (worker.clone(), going_on.one());
            work.spawn(async move {
                worker.hold(task).await;
                drop((place, one));
            });
        }
        while let Some(done) = work.try_join_next() {
            report(done);
        }
    }
    drop((stopping, worker));
    while let Some(done) = work.join_next().await {
        report(done);
    }
}

fn report(done: Result<(), JoinError>) {
    if let Err(failed) = done {
        tracing::error!(%failed, "a worker failed; another takes its place");
    }
}
