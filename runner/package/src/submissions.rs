//! The submissions that a package brings, and what is to come of them.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::{
    content::{FILE_BYTES_MAX, Language, SourceFile},
    run::Verdict,
};

use crate::{program::assemble, tree::Tree};

/// A program whose fate is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Within `submissions`, with its folder: `accepted/sum.py`.
    pub path: String,
    /// `None` if it cannot be run here.
    pub program: Option<(Language, Vec<SourceFile>)>,
    /// Any of these is well.
    pub expected: Vec<Expected>,
}

/// What may be expected of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Accepted,
    WrongAnswer,
    TimeLimit,
    RuntimeError,
    CompileError,
    OutputLimit,
}

impl Expected {
    /// Whether `verdicts`, of all cases, are what is expected; none means that it did not compile.
    pub fn is_met(self, verdicts: &[Verdict]) -> bool {
        let any = |wanted: &[Verdict]| verdicts.iter().any(|verdict| wanted.contains(verdict));
        match self {
            Self::Accepted => {
                !verdicts.is_empty() && verdicts.iter().all(|one| *one == Verdict::Accepted)
            }
            Self::WrongAnswer => any(&[Verdict::WrongAnswer]),
            Self::TimeLimit => any(&[Verdict::TimeLimit, Verdict::WallLimit]),
            Self::RuntimeError => any(&[
                Verdict::RuntimeError,
                Verdict::MemoryLimit,
                Verdict::DiskLimit,
                Verdict::ProcessLimit,
            ]),
            Self::CompileError => verdicts.is_empty(),
            Self::OutputLimit => any(&[Verdict::OutputLimit]),
        }
    }

    /// Its name in the format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::WrongAnswer => "wrong_answer",
            Self::TimeLimit => "time_limit_exceeded",
            Self::RuntimeError => "run_time_error",
            Self::CompileError => "compiler_error",
            Self::OutputLimit => "output_limit",
        }
    }

    fn of_folder(folder: &str) -> Option<Self> {
        [Self::Accepted, Self::WrongAnswer, Self::TimeLimit, Self::RuntimeError]
            .into_iter()
            .find(|one| one.name() == folder)
    }

    /// As judging systems mark them in a source, after `@EXPECTED_RESULTS@:`.
    fn of_mark(mark: &str) -> Option<Self> {
        match mark {
            "CORRECT" | "ACCEPTED" => Some(Self::Accepted),
            "WRONG-ANSWER" | "WRONG_ANSWER" | "NO-OUTPUT" => Some(Self::WrongAnswer),
            "TIMELIMIT" | "TIME_LIMIT_EXCEEDED" => Some(Self::TimeLimit),
            "RUN-ERROR" | "RUN_TIME_ERROR" => Some(Self::RuntimeError),
            "COMPILER-ERROR" => Some(Self::CompileError),
            "OUTPUT-LIMIT" => Some(Self::OutputLimit),
            _ => None,
        }
    }
}

pub(crate) fn read(tree: &Tree) -> Vec<Submission> {
    let mut programs: BTreeMap<String, Vec<(&str, &Bytes)>> = BTreeMap::new();
    for (path, bytes) in tree.below("submissions") {
        let mut parts = path.splitn(4, '/').skip(1);
        let (Some(folder), Some(name)) = (parts.next(), parts.next()) else { continue };
        let file = parts.next().unwrap_or(name);
        programs.entry(format!("{folder}/{name}")).or_default().push((file, bytes));
    }
    let submission = |(path, files): (String, Vec<(&str, &Bytes)>)| {
        let marked = files.iter().flat_map(|(_, bytes)| marks(bytes)).collect::<Vec<_>>();
        let folder = path.split_once('/').and_then(|(folder, _)| Expected::of_folder(folder));
        let expected = if marked.is_empty() { folder.into_iter().collect() } else { marked };
        Submission { path, program: assemble(&files, FILE_BYTES_MAX).ok(), expected }
    };
    programs.into_iter().map(submission).filter(|one| !one.expected.is_empty()).collect()
}

fn marks(source: &Bytes) -> Vec<Expected> {
    let text = String::from_utf8_lossy(source);
    let Some((_, rest)) = text.split_once("@EXPECTED_RESULTS@:") else { return Vec::new() };
    let line = rest.lines().next().unwrap_or_default();
    line.split(',').filter_map(|mark| Expected::of_mark(mark.trim())).collect()
}
