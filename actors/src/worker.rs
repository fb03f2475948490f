//! A worker: takes one submission after the other from the queue, runs it, brings back its verdict.

mod signs;

use std::{sync::Arc, time::Duration};

use domain::{
    command::{Answer, AnyCommand},
    frame::Why,
    ids::SubmissionId,
    ports::AppendError,
    rows::Topic,
    run::{Job, Outcome, Progress, ValidatorResult, Verdict},
    session::{RunKind, RunResult},
    stream::Stream,
    submission::{ATTEMPTS_MAX, Command, QueueRow, Shown, Submitted, out_of_order},
};
use ractor::{ActorRef, rpc::CallResult};
use tokio::{sync::watch, task::JoinSet};

use self::signs::Signs;
use crate::{
    ask::Meta,
    console::Consoles,
    deps::Deps,
    directory::Directory,
    output::{Outputs, Told},
    prepare,
    queue::{Left, Msg, Runners, Task, leases::RENEW},
};

/// How long it waits for a store that is away.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a program may run into which somebody types.
const TYPED_WALL_MS: u32 = 60_000;

/// How many bytes of a conversation are kept, as of any output.
const CONVERSATION_MAX: usize = 16 * 1024;

/// What a worker works with.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) deps: Deps,
    pub(crate) directory: Arc<Directory>,
    pub(crate) outputs: Arc<Outputs>,
    pub(crate) consoles: Arc<Consoles>,
    pub(crate) queue: ActorRef<Msg>,
    pub(crate) runners: Runners,
    pub(crate) stopping: watch::Receiver<Stopping>,
}

/// How far the node is with stopping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stopping {
    #[default]
    Not,
    /// Nothing new is taken.
    TakesNothing,
    /// What still runs is given back.
    GivesBack,
}

impl Worker {
    /// Works until the queue is gone, or the node stops.
    pub(crate) async fn work(mut self) {
        let (queue, runners) = (self.queue.clone(), self.runners);
        let mut stopping = self.stopping.clone();
        loop {
            let taken = tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping != Stopping::Not) => return,
                taken = queue.call(|reply| Msg::Take(runners, reply), None) => taken,
            };
            let Ok(CallResult::Success(task)) = taken else { return };
            self.hold(task).await;
        }
    }

    /// Runs what was taken, and says meanwhile that this runner is there.
    async fn hold(&mut self, task: Task) {
        let Task { submission, lease } = task;
        let told = self.outputs.begin(submission);
        let mut run = JoinSet::new();
        run.spawn(self.clone().judge(submission, told.clone()));
        let mut renew = tokio::time::interval(RENEW);
        let judged = loop {
            tokio::select! {
                judged = run.join_next() => break judged,
                _ = renew.tick() => drop(self.queue.cast(Msg::Renew { submission, lease })),
            }
        };
        // A panic in here must cost nobody a verdict: the task goes back to the queue.
        let left = if let Some(Ok(left)) = judged { left } else { Left::ForOthers };
        told.end();
        self.queue.cast(Msg::Finished { submission, lease, left }).ok();
    }

    async fn judge(self, submission: SubmissionId, told: Told) -> Left {
        let Some((row, attempt)) = self.take(submission).await else { return Left::Done };
        let ran = tokio::select! {
            ran = self.run(submission, &row.submitted, attempt, &told) => Some(ran),
            () = self.gives_back() => None,
        };
        if ran.is_none() {
            self.tell(submission, Command::GiveBack { attempt }).await;
        }
        let Some((outcome, validators)) = ran.flatten() else { return Left::ForOthers };
        let outcome = Box::new(outcome);
        self.tell(submission, Command::Judge { outcome, validators, attempts: attempt }).await;
        Left::Done
    }

    async fn gives_back(&self) {
        let mut stopping = self.stopping.clone();
        stopping.wait_for(|stopping| *stopping == Stopping::GivesBack).await.ok();
    }

    /// Takes a submission: from now on this attempt counts, whatever becomes of this server.
    /// Answers its row and which attempt it is; `None` if there is nothing to be run any more.
    async fn take(&self, submission: SubmissionId) -> Option<(QueueRow, u32)> {
        let row = loop {
            match self.deps.store.row(Topic::Queue, &submission.to_string()).await {
                Ok(row) => break row?.value?,
                Err(error) => {
                    tracing::warn!(%submission, %error, "a submission cannot be read yet");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        };
        let row: QueueRow = serde_json::from_slice(&row).ok()?;
        let session = self.deps.store.head(Stream::Session(row.submitted.session)).await;
        if matches!(session, Err(AppendError::Gone)) {
            // Nobody is left to tell; this takes it out of the queue.
            let (outcome, validators) = out_of_order("the answer was erased");
            let outcome = Box::new(outcome);
            let command = Command::Judge { outcome, validators, attempts: 0 };
            self.tell(submission, command).await;
            return None;
        }
        let taken = self.tell(submission, Command::Take).await?;
        Some((row, u32::try_from(taken.get("attempt")?.as_u64()?).ok()?))
    }

    /// Runs it; `None` if that failed on our side and is worth another try.
    async fn run(
        &self,
        submission: SubmissionId,
        submitted: &Submitted,
        attempt: u32,
        told: &Told,
    ) -> Option<(Outcome, Vec<Shown>)> {
        match prepare::surely(&self.deps, submission, submitted).await {
            Ok((job, validators)) => {
                let tell = |progress| {
                    if let Progress::Judged(result) = &progress {
                        let known = shown(submitted.kind, result, &validators);
                        told.tell_result(&RunResult::of(result, &known));
                    }
                    told.tell(progress);
                };
                let outcome = self.sandboxed(job, submitted.kind, told, &tell).await?;
                // What its creator is told of was no fault of ours, and would come out alike again.
                let fails = |one: &ValidatorResult| {
                    one.verdict == Verdict::InternalError && one.judge_message.is_empty()
                };
                let again = outcome.results.iter().any(fails) && attempt < ATTEMPTS_MAX;
                (!again).then_some((outcome, validators))
            }
            Err(missing) => {
                tracing::error!(%submission, missing, "a run lacks something");
                Some(out_of_order(missing))
            }
        }
    }

    /// In the sandbox; `None` if that has not given a sign of life for too long.
    async fn sandboxed(
        &self,
        mut job: Job,
        kind: RunKind,
        told: &Told,
        tell: &(dyn Fn(Progress) + Send + Sync),
    ) -> Option<Outcome> {
        let is_typed = kind == RunKind::Interactive;
        if is_typed {
            job.limits.wall_ms = TYPED_WALL_MS;
        }
        let signs = Signs::new(&job);
        let tell = |progress| {
            signs.seen();
            tell(progress);
        };
        let sandbox = &self.deps.sandbox;
        if matches!(kind, RunKind::Free | RunKind::Interactive) {
            let mut typing = self.consoles.listen(job.submission, told.clone(), is_typed);
            let mut outcome = signs.watch(sandbox.converse(&job, &mut typing, &tell)).await?;
            if let Some(result) = outcome.results.first_mut().filter(|_| is_typed) {
                let mut said = told.conversation();
                said.truncate(said.floor_char_boundary(CONVERSATION_MAX));
                result.stdout = said;
            }
            return Some(outcome);
        }
        signs.watch(sandbox.run(&job, &tell)).await
    }

    /// Tells a submission something, however long that takes. Answers what it answers.
    async fn tell(&self, submission: SubmissionId, command: Command) -> Option<serde_json::Value> {
        let meta = Meta { is_first: false, ..Meta::of_node() };
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

/// What the candidate may know of the validator that `result` is of.
fn shown(kind: RunKind, result: &ValidatorResult, validators: &[Shown]) -> Shown {
    let known = validators.get(usize::from(result.validator));
    match (kind, known) {
        (RunKind::Free | RunKind::Interactive, _) => Shown { name: String::new(), shown: true },
        (_, Some(known)) => known.clone(),
        (_, None) => Shown { name: String::new(), shown: false },
    }
}
