//! A worker: runs one submission that was taken from the queue, and brings back its verdict.

mod signs;

use std::sync::Arc;

use domain::{
    ports::Sandbox,
    run::{Job, Outcome, Progress, ValidatorResult, Verdict},
    session::{RunKind, RunResult},
    submission::{ATTEMPTS_MAX, Shown},
};
use tokio::{sync::watch, task::JoinSet};

use self::signs::Signs;
use crate::{
    console::Consoles,
    desk::{Begun, Desk},
    output::{Outputs, Told},
    queue::{Left, Task, leases::RENEW},
};

/// How long a program may run into which somebody types.
const TYPED_WALL_MS: u32 = 60_000;

/// How many bytes of a conversation are kept, as of any output.
const CONVERSATION_MAX: usize = 16 * 1024;

/// What a worker works with.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) desk: Arc<dyn Desk>,
    pub(crate) sandbox: Arc<dyn Sandbox>,
    pub(crate) outputs: Arc<Outputs>,
    pub(crate) consoles: Arc<Consoles>,
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

impl Stopping {
    /// Waits until the node is that far.
    pub(crate) async fn reached(self, stopping: &mut watch::Receiver<Self>) {
        // A node that is killed gives nothing back.
        if stopping.wait_for(|stopping| self <= *stopping).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Worker {
    /// Runs what was taken, and says meanwhile that this runner is there.
    pub(crate) async fn hold(self, task: Task) {
        let told = self.outputs.begin(task.submission, task.epoch);
        let mut run = JoinSet::new();
        run.spawn(self.clone().judge(task, told.clone()));
        let mut renew = tokio::time::interval(RENEW);
        renew.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let judged = loop {
            tokio::select! {
                judged = run.join_next() => break judged,
                _ = renew.tick() => self.desk.renew(task).await,
            }
        };
        // A panic in here must cost nobody a verdict: the task goes back to the queue.
        let left = if let Some(Ok(left)) = judged { left } else { Left::ForOthers };
        told.end();
        self.desk.finish(task, left).await;
    }

    async fn judge(self, task: Task, told: Told) -> Left {
        let Begun { attempt, kind, job, validators } = match self.desk.begin(task).await {
            Ok(begun) => begun,
            Err(left) => return left,
        };
        let ran = tokio::select! {
            ran = self.run(job, kind, &validators, &told) => ran,
            () = self.gives_back() => {
                self.desk.give_back(task, attempt).await;
                return Left::ForOthers;
            }
        };
        // Failed on our side, and worth another try.
        let Some(outcome) = ran.filter(|ran| attempt >= ATTEMPTS_MAX || !failed(ran)) else {
            return Left::ForOthers;
        };
        self.desk.judge(task, attempt, outcome, validators).await;
        Left::Done
    }

    async fn gives_back(&self) {
        Stopping::GivesBack.reached(&mut self.stopping.clone()).await;
    }

    /// Runs it; `None` if the sandbox has not given a sign of life for too long.
    async fn run(
        &self,
        job: Job,
        kind: RunKind,
        validators: &[Shown],
        told: &Told,
    ) -> Option<Outcome> {
        let tell = |progress| {
            if let Progress::Judged(result) = &progress {
                told.tell_result(&RunResult::of(result, &shown(kind, result, validators)));
            }
            told.tell(progress);
        };
        self.sandboxed(job, kind, told, &tell).await
    }

    /// In the sandbox.
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
        let sandbox = &self.sandbox;
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
}

/// Whether something of it failed on our side. What its creator is told of was no fault of ours, and
/// would come out alike again.
fn failed(outcome: &Outcome) -> bool {
    let fails = |one: &ValidatorResult| {
        one.verdict == Verdict::InternalError && one.judge_message.is_empty()
    };
    outcome.results.iter().any(fails)
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
