//! Contents: what a question shows and how its answer is checked.

use serde::{Deserialize, Serialize};

use crate::{blob::Blob, judging::Judging};

/// One version of an exercise or a quiz, as its creator wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Content {
    /// One line.
    pub title: String,
    /// Markdown (CommonMark with tables), math between `$…$` and `$$…$$`.
    pub statement: String,
    /// Content tags, by which results are grouped.
    pub tags: Vec<String>,
    /// What the candidate does.
    pub component: Component,
    /// What is to be repaired before a test can use it; empty when it is ready.
    pub repairs: Vec<String>,
    /// What an import had to assume ("2 s, as the package names no limit").
    pub assumed: Vec<String>,
}

/// What the candidate does with a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Component {
    Quiz(Quiz),
    Code(Box<Code>),
}

impl Default for Component {
    fn default() -> Self {
        Self::Quiz(Quiz::default())
    }
}

/// A question with choices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Quiz {
    pub choices: Vec<Choice>,
    /// Several choices may be picked. Shown to the candidate.
    pub several: bool,
    /// Each right pick counts and each wrong one takes away; otherwise all or nothing.
    pub partial: bool,
}

/// One choice of a quiz.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Choice {
    /// Markdown.
    pub text: String,
    /// Never sent to a candidate.
    pub right: bool,
}

/// A question answered by a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Code {
    /// Languages allowed, the first is offered first.
    pub languages: Vec<Language>,
    /// What the editor holds at first, by language.
    pub starters: Vec<Starter>,
    /// The creator's own solution, to try the validators on. Never sent to a candidate.
    pub solution: Option<Starter>,
    pub limits: Limits,
    pub comparison: Comparison,
    pub validators: Vec<Validator>,
    /// Groups of validators, scored each as a whole; empty when each validator counts for itself.
    pub groups: Vec<Group>,
    #[serde(default)]
    pub judging: Judging,
}

/// The files that the editor holds at first, for one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Starter {
    pub language: Language,
    pub files: Vec<SourceFile>,
}

/// One file of source text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct SourceFile {
    /// A plain name, see [`file_name_is_allowed`].
    pub name: String,
    pub text: String,
}

/// How many characters a file name has at most.
pub const FILE_NAME_MAX: usize = 64;
/// How many files an answer has at most.
pub const FILES_MAX: usize = 16;
/// How many UTF-8 bytes a file of source has at most.
pub const FILE_BYTES_MAX: usize = 128 * 1024;

/// Whether `name` may name a source file: letters, digits, `.`, `_` and `-`, no leading `.` or
/// `-`, so that it can climb nowhere and is no option of a compiler.
pub fn file_name_is_allowed(name: &str) -> bool {
    (1..=FILE_NAME_MAX).contains(&name.len())
        && !name.starts_with(['.', '-'])
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// A programming language, by its name in URLs and events. What it means is the runner's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum Language {
    Python,
    C,
    Cpp,
    Javascript,
    Java,
    Rust,
    Go,
    Typescript,
    Csharp,
    Kotlin,
    Ruby,
    Php,
    Haskell,
    Ocaml,
    Pascal,
    Perl,
    Lua,
    R,
    Bash,
    Sqlite,
    Fortran,
    Ada,
    D,
    Nim,
    Lisp,
    Scheme,
    Prolog,
    Tcl,
    Awk,
}

impl Language {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 29] = [
        Self::Python,
        Self::C,
        Self::Cpp,
        Self::Javascript,
        Self::Java,
        Self::Rust,
        Self::Go,
        Self::Typescript,
        Self::Csharp,
        Self::Kotlin,
        Self::Ruby,
        Self::Php,
        Self::Haskell,
        Self::Ocaml,
        Self::Pascal,
        Self::Perl,
        Self::Lua,
        Self::R,
        Self::Bash,
        Self::Sqlite,
        Self::Fortran,
        Self::Ada,
        Self::D,
        Self::Nim,
        Self::Lisp,
        Self::Scheme,
        Self::Prolog,
        Self::Tcl,
        Self::Awk,
    ];

    /// Those whose programs read text and print text, which is what most questions are about: not
    /// SQL, which answers only questions made for it.
    pub fn general() -> Vec<Self> {
        Self::ALL.into_iter().filter(|language| *language != Self::Sqlite).collect()
    }

    /// The file that is run or compiled first. Java wants the class `Main` in it.
    pub const fn main_file(self) -> &'static str {
        match self {
            Self::Python => "main.py",
            Self::C => "main.c",
            Self::Cpp => "main.cpp",
            Self::Javascript => "main.js",
            Self::Java => "Main.java",
            Self::Rust => "main.rs",
            Self::Go => "main.go",
            Self::Typescript => "main.ts",
            Self::Csharp => "main.cs",
            Self::Kotlin => "main.kt",
            Self::Ruby => "main.rb",
            Self::Php => "main.php",
            Self::Haskell => "main.hs",
            Self::Ocaml => "main.ml",
            Self::Pascal => "main.pas",
            Self::Perl => "main.pl",
            Self::Lua => "main.lua",
            Self::R => "main.R",
            Self::Bash => "main.sh",
            Self::Sqlite => "main.sql",
            Self::Fortran => "main.f90",
            Self::Ada => "main.adb",
            Self::D => "main.d",
            Self::Nim => "main.nim",
            Self::Lisp => "main.lisp",
            Self::Scheme => "main.scm",
            Self::Prolog => "main.pro",
            Self::Tcl => "main.tcl",
            Self::Awk => "main.awk",
        }
    }
}

/// What one run of a program may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Limits {
    /// Processor time of all its processes, in ms.
    pub cpu_ms: u32,
    /// Time on the wall, in ms.
    pub wall_ms: u32,
    /// Memory of all its processes, in bytes.
    #[cfg_attr(test, ts(type = "number"))]
    pub memory_bytes: u64,
    /// Processes and threads at once.
    pub processes: u32,
    /// Bytes on standard output and on standard error, each.
    pub output_bytes: u32,
    /// Bytes in files.
    pub disk_bytes: u32,
}

impl Limits {
    /// Whether a program could run within them, and a machine bear it.
    pub fn are_bearable(&self) -> bool {
        (1..=60_000).contains(&self.cpu_ms)
            && (1..=300_000).contains(&self.wall_ms)
            && (1 << 20..=4 << 30).contains(&self.memory_bytes)
            && (1..=256).contains(&self.processes)
            && self.output_bytes <= 64 << 20
            && self.disk_bytes <= 256 << 20
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu_ms: 2_000,
            wall_ms: 6_000,
            memory_bytes: 256 << 20,
            processes: 32,
            output_bytes: 8 << 20,
            disk_bytes: 16 << 20,
        }
    }
}

/// How an output is compared with the expected one: the ICPC default validator's flags
/// (<https://icpc.io/problem-package-format/spec/legacy-icpc.html>, "default output validator").
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Comparison {
    pub case_sensitive: bool,
    pub space_change_sensitive: bool,
    /// Tolerance for numbers, absolute; within either is right.
    pub float_absolute: Option<f64>,
    /// Tolerance for numbers, relative to the expected one.
    pub float_relative: Option<f64>,
}

impl Eq for Comparison {}

/// One hidden or shown check: given this input, expect this output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Validator {
    pub name: String,
    pub input: Blob,
    pub expected: Blob,
    /// Shown: the candidate sees input, expected output and own output. Hidden: passed or failed.
    pub shown: bool,
    pub weight: u32,
    /// Its group, by index into [`Code::groups`].
    pub group: Option<u16>,
    /// Overrides [`Code::comparison`].
    pub comparison: Option<Comparison>,
    /// What the judging program is given besides its own arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, ts(as = "Option<Vec<String>>", optional))]
    pub arguments: Vec<String>,
}

/// Validators that are scored together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Group {
    pub name: String,
    /// Points of the whole group, out of the sum over all groups.
    pub weight: u32,
    /// Counts as much as the worst of its validators, so that all must pass where none passes in
    /// part; otherwise in proportion to the weights that passed.
    pub all_or_nothing: bool,
}
