//! The crew: the workers of one node. It asks for work while one of them is free.

use std::{sync::Arc, time::Duration};

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

/// Takes and runs until `worker` is told to stop, and what goes on then is done.
pub(crate) async fn work(worker: Worker, workers: usize) {
    let plain = take_turns(worker.clone(), Runners::Plain, workers);
    let typed = take_turns(worker, Runners::Typed, workers * TYPED_FOR_EACH);
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

async fn take_turns(worker: Worker, runners: Runners, workers: usize) {
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
            let worker = worker.clone();
            work.spawn(async move {
                worker.hold(task).await;
                drop(place);
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
