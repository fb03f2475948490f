//! Everything that runs submissions here: the queue, its workers, the consoles of what runs.

use std::{sync::Arc, time::Duration};

use domain::{
    cluster::Subject,
    frame::Why,
    ids::SubmissionId,
    rows::Topic,
    run::{Outcome, Typed, ValidatorResult, Verdict},
    session::RunKind,
    stream::Stream,
    submission::{Command, QueueRow, Shown},
};
use ractor::{Actor, ActorCell};
use tokio::sync::watch;

use crate::{
    ask::Meta,
    console::Consoles,
    crew,
    desk::Near,
    directory::Directory,
    output::Outputs,
    queue::{
        Arguments, Queue,
        counter::{AtCounter, Counter},
    },
    worker::{Stopping, Worker},
};

/// How long a queue that failed waits before it begins anew.
const AGAIN: Duration = Duration::from_secs(1);
/// The shard that the queue goes with.
const SHARD: u16 = 0;

/// See the module.
pub(crate) struct Runs {
    directory: Arc<Directory>,
    outputs: Arc<Outputs>,
    consoles: Arc<Consoles>,
    stopping: watch::Sender<Stopping>,
    is_alone: bool,
}

impl Runs {
    pub(crate) fn new(directory: Arc<Directory>, outputs: Arc<Outputs>, is_alone: bool) -> Self {
        let stopping = watch::Sender::new(Stopping::Not);
        Self { directory, outputs, consoles: Arc::default(), stopping, is_alone }
    }

    /// Takes and runs what waits, wherever the queue is.
    pub(crate) fn work(&self, workers: usize) -> impl Future<Output = ()> + use<> {
        let deps = self.directory.deps();
        let counter = AtCounter(Arc::clone(&deps.wire));
        let worker = Worker {
            desk: Arc::new(Near { directory: Arc::clone(&self.directory), counter }),
            sandbox: Arc::clone(&deps.sandbox),
            outputs: Arc::clone(&self.outputs),
            consoles: Arc::clone(&self.consoles),
            stopping: self.stopping.subscribe(),
        };
        crew::work(worker, workers)
    }

    /// Keeps the queue here while its shard is this node's. Should it fail, it begins anew from its
    /// table.
    pub(crate) async fn keep_queue(self: Arc<Self>) {
        let placement = self.directory.placement();
        let mut owned = placement.watch();
        loop {
            let epoch = placement.epoch_of(SHARD);
            if epoch.is_none() {
                owned.changed().await.ok();
                continue;
            }
            let moved = async {
                while placement.epoch_of(SHARD) == epoch && owned.changed().await.is_ok() {}
            };
            tokio::select! {
                () = moved => {}
                () = self.queue() => tokio::time::sleep(AGAIN).await,
            }
            // Whoever has the queue next says where they are.
            self.outputs.forget_waiting();
        }
    }

    /// The queue, until it fails.
    async fn queue(&self) {
        let deps = self.directory.deps().clone();
        let wire = Arc::clone(&deps.wire);
        let hold = (!self.is_alone).then(|| self.directory.placement().hold_of(SHARD));
        let arguments = Arguments { deps, outputs: Arc::clone(&self.outputs), hold };
        let (queue, ended) = match Actor::spawn(None, Queue, arguments).await {
            Ok(spawned) => spawned,
            Err(error) => return tracing::error!(%error, "the run queue does not start"),
        };
        let _stop = StopOnDrop(queue.get_cell());
        let _serving = match wire.serve(Subject::Runs, Arc::new(Counter { queue })).await {
            Ok(serving) => serving,
            Err(error) => return tracing::error!(%error, "the run queue cannot be served"),
        };
        ended.await.ok();
        tracing::error!("the run queue failed; it begins anew");
    }

    /// See [`Node::finish_runs`](crate::node::Node::finish_runs).
    pub(crate) async fn finish(&self, within: Duration) {
        crew::finish(&self.stopping, within).await;
    }

    /// See [`Node::pass`](crate::node::Node::pass).
    pub(crate) async fn pass(&self, submission: SubmissionId, typed: Typed) -> Result<(), Why> {
        let passed = self.consoles.pass(submission, typed.clone());
        if passed.is_err() && typed == Typed::Stop && self.waits(submission).await {
            let meta = Meta::of_node();
            let command = domain::command::AnyCommand::Submission(stopped());
            self.directory.ask(Stream::Submission(submission), meta, command).await;
            return Ok(());
        }
        passed
    }

    /// Whether this is a person's own run that waits.
    async fn waits(&self, submission: SubmissionId) -> bool {
        let row = self.directory.deps().store.row(Topic::Queue, &submission.to_string()).await;
        let row = row.ok().flatten().and_then(|row| row.value);
        let row: Option<QueueRow> = row.and_then(|row| serde_json::from_slice(&row).ok());
        row.is_some_and(|row| matches!(row.submitted.kind, RunKind::Free | RunKind::Interactive))
    }
}

/// The verdict on a run that was stopped before it began.
fn stopped() -> Command {
    let result = ValidatorResult::unmeasured(0, Verdict::Stopped, String::new());
    let (compiler_output, isolation) = (String::new(), String::new());
    let outcome = Outcome { compiled: true, compiler_output, results: vec![result], isolation };
    let validators = vec![Shown { name: String::new(), shown: true }];
    Command::Judge { outcome: Box::new(outcome), validators, attempts: 0 }
}

/// Ends an actor with the task that started it.
struct StopOnDrop(ActorCell);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.kill();
    }
}
