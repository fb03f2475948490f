//! What the program needs from the world: signatures only. Each port has a real implementation and
//! one in memory, and one contract suite holds both to their word.

use async_trait::async_trait;

use crate::run::{Job, Outcome, Progress};

/// Runs code that nobody trusts.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// Which walls stand on this machine, in words ("namespaces, seccomp, landlock, rlimits").
    fn isolation(&self) -> String;

    /// Compiles `job` and runs it on each of its inputs, telling what happens meanwhile by `tell`,
    /// which must not block. Always answers: what goes wrong on our side is
    /// [`InternalError`](crate::run::Verdict::InternalError). Dropping the future kills the run.
    async fn run(&self, job: &Job, tell: &(dyn Fn(Progress) + Send + Sync)) -> Outcome;
}
