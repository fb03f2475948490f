//! A worker: takes one submission after the other from the queue, runs it, brings back its verdict.

use std::{sync::Arc, time::Duration};

use domain::{
    command::{Answer, AnyCommand},
    frame::Why,
    ids::{CommandId, SubmissionId},
    run::{Outcome, Progress, ValidatorResult, Verdict},
    session::{RunKind, RunResult},
    stream::{Origin, Stream},
    submission::{Command, Shown, Submitted},
};
use ractor::{ActorRef, rpc::CallResult};
use tokio::task::JoinSet;

use crate::{
    ask::Meta,
    deps::Deps,
    directory::Directory,
    output::Outputs,
    prepare,
    queue::{Msg, Task},
};

/// A job that failed so often on our side gets an honest verdict instead of another try.
const ATTEMPTS_MAX: u32 = 3;
/// How long it waits for a store that is away.
const AGAIN: Duration = Duration::from_secs(1);

/// What a worker works with.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) deps: Deps,
    pub(crate) directory: Arc<Directory>,
    pub(crate) outputs: Arc<Outputs>,
    pub(crate) queue: ActorRef<Msg>,
}

impl Worker {
    /// Works until the queue is gone.
    pub(crate) async fn work(self) {
        while let Ok(CallResult::Success(task)) = self.queue.call(Msg::Take, None).await {
            let submission = task.submission;
            let mut run = JoinSet::new();
            run.spawn(self.clone().judge(task));
            // A panic in here must cost nobody a verdict: the task goes back to the queue.
            let is_judged = matches!(run.join_next().await, Some(Ok(true)));
            self.outputs.end(submission);
            self.queue.cast(Msg::Finished { submission, is_judged }).ok();
        }
    }

    /// Whether this submission is done with.
    async fn judge(self, task: Task) -> bool {
        let Task { submission, row, attempt } = task;
        self.outputs.begin(submission);
        let judged = if ATTEMPTS_MAX < attempt {
            Some(out_of_order("this could not be run on our side, three times"))
        } else {
            self.run(submission, &row.submitted, attempt).await
        };
        let Some((outcome, validators)) = judged else { return false };
        let command = Command::Judge { outcome: Box::new(outcome), validators, attempts: attempt };
        self.bring_back(submission, command).await;
        true
    }

    /// Runs it; `None` if that failed on our side and is worth another try.
    async fn run(
        &self,
        submission: SubmissionId,
        submitted: &Submitted,
        attempt: u32,
    ) -> Option<(Outcome, Vec<Shown>)> {
        match prepare::surely(&self.deps, submission, submitted).await {
            Ok((job, validators)) => {
                let tell = |progress| {
                    if let Progress::Judged(result) = &progress {
                        let known = shown(submitted.kind, result, &validators);
                        self.outputs.tell_result(submission, &RunResult::of(result, &known));
                    }
                    self.outputs.tell(submission, progress);
                };
                let outcome = self.deps.sandbox.run(&job, &tell).await;
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

    /// Brings back a verdict, however long that takes: it is not to be run again.
    async fn bring_back(&self, submission: SubmissionId, command: Command) {
        let meta = Meta {
            origin: Origin::Node,
            command_id: CommandId::derived(&format!("{submission}/judge")),
            received_at: None,
            is_first: false,
        };
        let to = Stream::Submission(submission);
        loop {
            let command = AnyCommand::Submission(command.clone());
            match self.directory.ask(to, meta, command).await {
                Answer::Done { .. } => return,
                Answer::Refused(Why { retry_after_ms: Some(_), .. }) => {
                    tokio::time::sleep(AGAIN).await;
                }
                Answer::Refused(why) => {
                    tracing::error!(%submission, why = why.code, "a verdict was refused");
                    return;
                }
            }
        }
    }
}

/// What the candidate may know of the validator that `result` is of.
fn shown(kind: RunKind, result: &ValidatorResult, validators: &[Shown]) -> Shown {
    let known = validators.get(usize::from(result.validator));
    match (kind, known) {
        (RunKind::Free, _) => Shown { name: String::new(), shown: true },
        (_, Some(known)) => known.clone(),
        (_, None) => Shown { name: String::new(), shown: false },
    }
}

/// A verdict on us, in words that the candidate sees.
fn out_of_order(why: &str) -> (Outcome, Vec<Shown>) {
    let result = ValidatorResult::unmeasured(0, Verdict::InternalError, why.to_owned());
    let (compiler_output, isolation) = (String::new(), String::new());
    let outcome = Outcome { compiled: true, compiler_output, results: vec![result], isolation };
    (outcome, vec![Shown { name: String::new(), shown: true }])
}
