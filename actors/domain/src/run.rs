//! Running code: what the runner is asked, what it tells while it works, what it answers.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    content::{Code, Comparison, Language, Limits, SourceFile, Validator},
    ids::SubmissionId,
    judging::Judging,
    points::Share,
};

/// One submission to compile once and to run on each input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    pub submission: SubmissionId,
    pub language: Language,
    pub files: Vec<SourceFile>,
    pub limits: Limits,
    pub inputs: Vec<Input>,
    pub judging: Judging,
}

/// One run of the program.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Input {
    /// Which validator this is, by index; a free run on one's own input is 0.
    pub validator: u16,
    pub stdin: Bytes,
    /// What standard output must be; `None` for a free run, which is `accepted` when it ends well.
    pub expected: Option<Bytes>,
    pub comparison: Comparison,
    /// Whether output is streamed while it runs (never for a hidden validator).
    pub streamed: bool,
    /// What the judging program is given besides its own arguments.
    pub arguments: Vec<String>,
    /// The group that is worth nothing once one of it has failed: then those of it that nobody is
    /// shown are not run, and `rejected`.
    pub stops_with: Option<u16>,
}

impl Input {
    /// The run on `validator` of `code`, whose `data` are its input and what is expected.
    pub fn of(code: &Code, validator: &Validator, number: u16, data: (Bytes, Bytes)) -> Self {
        let group = validator.group.filter(|group| {
            code.groups.get(usize::from(*group)).is_some_and(|group| group.all_or_nothing)
        });
        Self {
            validator: number,
            stdin: data.0,
            expected: Some(data.1),
            comparison: validator.comparison.clone().unwrap_or_else(|| code.comparison.clone()),
            streamed: validator.shown,
            arguments: validator.arguments.clone(),
            stops_with: group,
        }
    }
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
    /// The first 16 KiB of standard output, for validators that are shown; of an interactive run
    /// what was said: `>` before lines of the program, `<` before lines to it.
    pub stdout: String,
    /// The first 16 KiB of standard error.
    pub stderr: String,
    /// What part of the validator's weight was earned; without it all if `accepted`, else nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional, type = "number"))]
    pub share: Option<Share>,
    /// What the judging program says to its creator, at most 16 KiB. Never for a candidate.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(test, ts(optional, as = "Option<String>"))]
    pub judge_message: String,
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

impl ValidatorResult {
    /// What part of its validator's weight it earned.
    pub fn earned(&self) -> Share {
        let all_or_nothing =
            if self.verdict == Verdict::Accepted { Share::WHOLE } else { Share::NONE };
        self.share.unwrap_or(all_or_nothing)
    }

    /// A run that never took place, or of which nothing is known but this.
    pub fn unmeasured(validator: u16, verdict: Verdict, detail: String) -> Self {
        Self {
            validator,
            verdict,
            cpu_ms: 0,
            wall_ms: 0,
            memory_bytes: 0,
            detail,
            stdout: String::new(),
            stderr: String::new(),
            share: None,
            judge_message: String::new(),
        }
    }
}
