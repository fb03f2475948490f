//! Everything that runs submissions here: the queue, its workers, the consoles of what runs.

use std::{sync::Arc, time::Duration};

use domain::{
    frame::Why,
    ids::SubmissionId,
    rows::Topic,
    run::{Outcome, Typed, ValidatorResult, Verdict},
    session::RunKind,
    stream::Stream,
    submission::{Command, QueueRow, Shown},
};
use ractor::{Actor, ActorCell, ActorRef};
use tokio::{sync::watch, task::JoinSet, time::timeout};

use crate::{
    ask::Meta,
    console::Consoles,
    directory::Directory,
    output::Outputs,
    queue::{Msg, Queue, Runners},
    worker::{Stopping, Worker},
};

/// How long a queue that failed waits before it begins anew.
const AGAIN: Duration = Duration::from_secs(1);
/// How long giving back may take.
const GIVING_BACK: Duration = Duration::from_secs(3);
/// How many workers for runs into which people type there are for each other worker: such a run
/// waits for its person most of the time, and costs little meanwhile.
const TYPED_FOR_EACH: usize = 4;

/// See the module.
pub(crate) struct Runs {
    directory: Arc<Directory>,
    outputs: Arc<Outputs>,
    consoles: Arc<Consoles>,
    stopping: watch::Sender<Stopping>,
}

impl Runs {
    pub(crate) fn new(directory: Arc<Directory>, outputs: Arc<Outputs>) -> Self {
        let stopping = watch::Sender::new(Stopping::Not);
        Self { directory, outputs, consoles: Arc::default(), stopping }
    }

    /// The queue and its workers; should the queue fail, they begin anew from its table.
    pub(crate) async fn go_on(self: Arc<Self>, workers: usize) {
        loop {
            let arguments = (self.directory.deps().clone(), Arc::clone(&self.outputs));
            match Actor::spawn(None, Queue, arguments).await {
                Ok((queue, mut ended)) => {
                    let _stop = StopOnDrop(queue.get_cell());
                    tokio::select! {
                        _ = &mut ended => tracing::error!("the run queue failed; it begins anew"),
                        () = self.work(&queue, workers) => return,
                    }
                }
                Err(error) => tracing::error!(%error, "the run queue does not start"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Keeps all workers at work, until the node stops.
    async fn work(&self, queue: &ActorRef<Msg>, workers: usize) {
        let mut work = JoinSet::new();
        let plain = std::iter::repeat_n(Runners::Plain, workers);
        let typed = std::iter::repeat_n(Runners::Typed, workers * TYPED_FOR_EACH);
        for runners in plain.chain(typed) {
            work.spawn(self.keep_working(queue.clone(), runners));
        }
        if workers == 0 {
            std::future::pending::<()>().await;
        }
        while work.join_next().await.is_some() {}
    }

    /// One worker, and another in its place should it fail.
    fn keep_working(
        &self,
        queue: ActorRef<Msg>,
        runners: Runners,
    ) -> impl Future<Output = ()> + use<> {
        let (directory, outputs) = (Arc::clone(&self.directory), Arc::clone(&self.outputs));
        let (consoles, stopping) = (Arc::clone(&self.consoles), self.stopping.subscribe());
        let deps = directory.deps().clone();
        let worker = Worker { deps, directory, outputs, consoles, queue, runners, stopping };
        async move {
            let mut work = JoinSet::new();
            work.spawn(worker.clone().work());
            while let Some(Err(failed)) = work.join_next().await {
                tracing::error!(%failed, "a worker failed; another takes its place");
                work.spawn(worker.clone().work());
            }
        }
    }

    /// See [`Node::finish_runs`](crate::node::Node::finish_runs).
    pub(crate) async fn finish(&self, within: Duration) {
        self.stopping.send_replace(Stopping::TakesNothing);
        // Closed is it when the last worker is gone.
        if timeout(within, self.stopping.closed()).await.is_err() {
            self.stopping.send_replace(Stopping::GivesBack);
            if timeout(GIVING_BACK, self.stopping.closed()).await.is_err() {
                tracing::warn!("some runs could not be given back; their attempts count");
            }
        }
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
