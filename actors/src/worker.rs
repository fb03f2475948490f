//! A worker: takes one submission after the other from the queue, runs it, brings back its verdict.

use std::sync::Arc;

use domain::{
    command::{Answer, AnyCommand},
    content::{Code, Comparison, Component, Content, Validator},
    document::VersionRow,
    ids::{CommandId, SubmissionId},
    ports::Unavailable,
    rows::Topic,
    run::{Input, Job, Outcome, Progress, ValidatorResult, Verdict},
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
    queue::{Msg, Task},
};

/// A job that failed so often on our side gets an honest verdict instead of another try.
const ATTEMPTS_MAX: u32 = 3;

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

    /// Whether the verdict was taken in.
    async fn judge(self, task: Task) -> bool {
        let Task { submission, row, attempt } = task;
        self.outputs.begin(submission, u64::from(attempt));
        let (outcome, validators) = if ATTEMPTS_MAX < attempt {
            (out_of_order("this could not be run on our side, three times"), vec![])
        } else {
            match self.prepare(submission, &row.submitted).await {
                Ok((job, validators)) => {
                    let kind = row.submitted.kind;
                    let tell = |progress| {
                        if let Progress::Judged(result) = &progress {
                            let known = shown(kind, result, &validators);
                            self.outputs.tell_result(submission, &RunResult::of(result, &known));
                        }
                        self.outputs.tell(submission, progress);
                    };
                    (self.deps.sandbox.run(&job, &tell).await, validators)
                }
                Err(error) => {
                    tracing::warn!(%submission, %error, "a run could not be prepared");
                    return false;
                }
            }
        };
        let failed = outcome.results.iter().any(|one| one.verdict == Verdict::InternalError);
        if failed && attempt < ATTEMPTS_MAX {
            return false;
        }
        let command = Command::Judge { outcome: Box::new(outcome), validators, attempts: attempt };
        let meta = Meta {
            origin: Origin::Node,
            command_id: CommandId::derived(&format!("{submission}/judge")),
            received_at: None,
            is_first: false,
        };
        let asked = self.directory.ask(
            Stream::Submission(submission),
            meta,
            AnyCommand::Submission(command),
        );
        matches!(asked.await, Answer::Done { .. })
    }

    async fn prepare(
        &self,
        submission: SubmissionId,
        submitted: &Submitted,
    ) -> Result<(Job, Vec<Shown>), Unavailable> {
        let code = self.code(submitted).await?;
        let shown =
            |validator: &Validator| Shown { name: validator.name.clone(), shown: validator.shown };
        let validators = code.validators.iter().map(shown).collect();
        let mut inputs = vec![];
        match submitted.kind {
            RunKind::Free => inputs.push(free_input(submitted)),
            RunKind::All | RunKind::Final | RunKind::Examples => {
                for (validator, number) in code.validators.iter().zip(0_u16..) {
                    if validator.shown || submitted.kind != RunKind::Examples {
                        inputs.push(self.input(&code, validator, number).await?);
                    }
                }
            }
        }
        let (language, files) = (submitted.language, submitted.files.clone());
        Ok((Job { submission, language, files, limits: code.limits, inputs }, validators))
    }

    async fn code(&self, submitted: &Submitted) -> Result<Box<Code>, Unavailable> {
        let topic = Topic::Of(Stream::Content(submitted.content));
        let row = self.deps.store.row(topic, &format!("v{}", submitted.version)).await?;
        let value =
            row.and_then(|row| row.value).ok_or_else(|| anyhow::anyhow!("no such content"))?;
        let row: VersionRow<Content> =
            serde_json::from_slice(&value).map_err(anyhow::Error::from)?;
        match row.document.component {
            Component::Code(code) => Ok(code),
            Component::Quiz(_) => Err(anyhow::anyhow!("a quiz is not run").into()),
        }
    }

    async fn input(
        &self,
        code: &Code,
        validator: &Validator,
        number: u16,
    ) -> Result<Input, Unavailable> {
        let stdin = self.deps.blobs.get(&validator.input.sha256).await?;
        let expected = self.deps.blobs.get(&validator.expected.sha256).await?;
        let missing = || anyhow::anyhow!("the data of a validator is missing");
        Ok(Input {
            validator: number,
            stdin: stdin.ok_or_else(missing)?,
            expected: Some(expected.ok_or_else(missing)?),
            comparison: validator.comparison.clone().unwrap_or_else(|| code.comparison.clone()),
            streamed: validator.shown,
        })
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

fn free_input(submitted: &Submitted) -> Input {
    let stdin = submitted.stdin.clone().unwrap_or_default().into_bytes().into();
    Input { validator: 0, stdin, expected: None, comparison: Comparison::default(), streamed: true }
}

fn out_of_order(why: &str) -> Outcome {
    let result = ValidatorResult {
        validator: 0,
        verdict: Verdict::InternalError,
        cpu_ms: 0,
        wall_ms: 0,
        memory_bytes: 0,
        detail: why.to_owned(),
        stdout: String::new(),
        stderr: String::new(),
    };
    let (compiler_output, isolation) = (String::new(), String::new());
    Outcome { compiled: true, compiler_output, results: vec![result], isolation }
}
