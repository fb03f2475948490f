//! Where a runner turns with what it has taken: to begin it, and with what came of it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{
    command::{Answer, AnyCommand},
    frame::Why,
    ids::{CommandId, SubmissionId},
    ports::AppendError,
    rows::Topic,
    run::{Job, Outcome},
    session::RunKind,
    stream::Stream,
    submission::{Command, QueueRow, Shown, out_of_order},
};

use crate::{
    ask::Meta,
    directory::Directory,
    prepare,
    queue::{Left, Runners, Task, counter::AtCounter},
};

/// How long it waits for a store that is away.
const AGAIN: Duration = Duration::from_secs(1);

/// Something to run.
pub(crate) struct Begun {
    /// Which attempt this is.
    pub(crate) attempt: u32,
    pub(crate) kind: RunKind,
    pub(crate) job: Job,
    /// What the candidate may know of its validators.
    pub(crate) validators: Vec<Shown>,
}

/// See the module. Everything is tried until it is done, however long that takes.
#[async_trait]
pub(crate) trait Desk: Send + Sync {
    /// Waits for something to run, for a while.
    async fn take(&self, runners: Runners, ticket: CommandId) -> Option<Task>;

    /// What was asked for under `ticket` is wanted no more.
    async fn leave(&self, ticket: CommandId);

    /// Says that the runner is there.
    async fn renew(&self, task: Task);

    /// Begins it: from now on this attempt counts, whatever becomes of the runner. Fails with how it
    /// is left if there is nothing to run.
    async fn begin(&self, task: Task) -> Result<Begun, Left>;

    /// Brings back what came of it.
    async fn judge(&self, task: Task, attempt: u32, outcome: Outcome, validators: Vec<Shown>);

    /// Gives it back unfinished: this attempt does not count.
    async fn give_back(&self, task: Task, attempt: u32);

    /// The runner leaves it.
    async fn finish(&self, task: Task, left: Left);
}

/// The desk of a node with a store.
pub(crate) struct Near {
    pub(crate) directory: Arc<Directory>,
    pub(crate) counter: AtCounter,
}

#[async_trait]
impl Desk for Near {
    async fn take(&self, runners: Runners, ticket: CommandId) -> Option<Task> {
        self.counter.take(runners, ticket).await
    }

    async fn leave(&self, ticket: CommandId) {
        self.counter.leave(ticket).await;
    }

    async fn renew(&self, task: Task) {
        self.counter.renew(task).await;
    }

    async fn begin(&self, task: Task) -> Result<Begun, Left> {
        let row = self.row(task.submission).await.ok_or(Left::Done)?;
        let attempt = self.take_up(task, &row).await?;
        let deps = self.directory.deps();
        match prepare::surely(deps, task.submission, &row.submitted).await {
            Ok((job, validators)) => {
                Ok(Begun { attempt, kind: row.submitted.kind, job, validators })
            }
            Err(missing) => {
                tracing::error!(submission = %task.submission, missing, "a run lacks something");
                self.give_up(task, attempt, missing).await;
                Err(Left::Done)
            }
        }
    }

    async fn judge(&self, task: Task, attempt: u32, outcome: Outcome, validators: Vec<Shown>) {
        let outcome = Box::new(outcome);
        let command = Command::Judge { outcome, validators, attempts: attempt };
        self.tell(task, "judge", command).await;
    }

    async fn give_back(&self, task: Task, attempt: u32) {
        self.tell(task, "give_back", Command::GiveBack { attempt }).await;
    }

    async fn finish(&self, task: Task, left: Left) {
        self.counter.finish(task, left).await;
    }
}

impl Near {
    /// Its row of the table; `None` once it is judged, or erased.
    async fn row(&self, submission: SubmissionId) -> Option<QueueRow> {
        let store = &self.directory.deps().store;
        let row = loop {
            match store.row(Topic::Queue, &submission.to_string()).await {
                Ok(row) => break row?.value?,
                Err(error) => {
                    tracing::warn!(%submission, %error, "a submission cannot be read yet");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        };
        serde_json::from_slice(&row).ok()
    }

    /// Stores the attempt. Answers which one it is.
    async fn take_up(&self, task: Task, row: &QueueRow) -> Result<u32, Left> {
        let session = Stream::Session(row.submitted.session);
        if matches!(self.directory.deps().store.head(session).await, Err(AppendError::Gone)) {
            // Nobody is left to tell; this takes it out of the queue.
            self.give_up(task, 0, "the answer was erased").await;
            return Err(Left::Done);
        }
        let taken = self.tell(task, "take", Command::Take).await;
        let attempt = taken.and_then(|taken| taken.get("attempt")?.as_u64());
        if let Some(attempt) = attempt.and_then(|attempt| u32::try_from(attempt).ok()) {
            return Ok(attempt);
        }
        // Given up, judged or erased; or taken, and the owner that knew which attempt this is was
        // lost. That one counts, and the next runner has the next.
        let is_there = self.row(task.submission).await.is_some();
        Err(if is_there { Left::ForOthers } else { Left::Done })
    }

    async fn give_up(&self, task: Task, attempt: u32, why: &str) {
        let (outcome, validators) = out_of_order(why);
        self.judge(task, attempt, outcome, validators).await;
    }

    /// Tells a submission something, however long that takes: once, however often it is said under
    /// one lease. Answers what it answers.
    async fn tell(&self, task: Task, what: &str, command: Command) -> Option<serde_json::Value> {
        let Task { submission, lease, .. } = task;
        let command_id = CommandId::derived(&format!("{lease}/{what}"));
        let meta = Meta { command_id, is_first: false, ..Meta::of_node() };
        loop {
            let command = AnyCommand::Submission(command.clone());
            match self.directory.ask(Stream::Submission(submission), meta, command).await {
                Answer::Done { answer, .. } => return answer,
                Answer::Refused(Why { retry_after_ms: Some(_), .. }) => {
                    tokio::time::sleep(AGAIN).await;
                }
                // Who was erased needs nothing any more.
                Answer::Refused(why) if why.code == "gone" => return None,
                Answer::Refused(why) => {
                    tracing::error!(%submission, why = why.code, "a runner was refused");
                    return None;
                }
            }
        }
    }
}
