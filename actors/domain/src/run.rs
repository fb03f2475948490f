//! Running code: what the runner is asked, what it tells while it works, what it answers.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    content::{Comparison, Language, Limits, SourceFile},
    ids::SubmissionId,
};

/// One submission to compile once and to run on each input.
#[derive(Clone, Debug)]
pub struct Job {
    pub submission: SubmissionId,
    pub language: Language,
    pub files: Vec<SourceFile>,
    pub limits: Limits,
    pub inputs: Vec<Input>,
}

/// One run of the program.
#[derive(Clone, Debug)]
pub struct Input {
    /// Which validator this is, by index; a free run on one's own input is 0.
    pub validator: u16,
    pub stdin: Bytes,
    /// What standard output must be; `None` for a free run, which is `accepted` when it ends well.
    pub expected: Option<Bytes>,
    pub comparison: Comparison,
    /// Whether output is streamed while it runs (never for a hidden validator).
    pub streamed: bool,
}

/// What a runner tells while it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The compiler runs.
    Compiling,
    /// The program runs on the input of this validator.
    Running { validator: u16 },
    /// New bytes. `offset` counts those before it in the same channel of the same run.
    Output { validator: u16, channel: Channel, offset: u64, bytes: Bytes },
    /// One input is judged.
    Judged(ValidatorResult),
}

/// What a person does with their own run while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// More standard input.
    Text(Bytes),
    /// Standard input ends.
    End,
    /// The run ends, as [`Verdict::Stopped`].
    Stop,
}

/// Where bytes came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Compiler,
    Stdout,
    Stderr,
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Outcome {
    /// `false`: nothing was run, see `compiler_output`.
    pub compiled: bool,
    /// What the compiler printed, at most 16 KiB of it.
    pub compiler_output: String,
    /// One for each input, in their order; empty when it did not compile.
    pub results: Vec<ValidatorResult>,
    /// Which walls stood ("namespaces, seccomp, landlock, cgroup v1", …).
    pub isolation: String,
}

/// How the program did on one input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ValidatorResult {
    pub validator: u16,
    pub verdict: Verdict,
    /// Processor time, in ms.
    pub cpu_ms: u32,
    /// Time on the wall, in ms.
    pub wall_ms: u32,
    /// Peak memory, in bytes.
    #[cfg_attr(test, ts(type = "number"))]
    pub memory_bytes: u64,
    /// In the person's words: "wrong on line 3", "killed by signal 11".
    pub detail: String,
    /// The first 16 KiB of standard output, for validators that are shown.
    pub stdout: String,
    /// The first 16 KiB of standard error.
    pub stderr: String,
}

/// The judgement of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Accepted,
    WrongAnswer,
    TimeLimit,
    WallLimit,
    MemoryLimit,
    OutputLimit,
    DiskLimit,
    ProcessLimit,
    RuntimeError,
    CompileError,
    Rejected,
    InternalError,
    /// By the person whose run it was.
    Stopped,
}
