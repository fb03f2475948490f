//! How an answer is judged: by comparing what it prints, or by a program of the creator.

use serde::{Deserialize, Serialize};

use crate::{
    content::{FILES_MAX, Language, Limits, SourceFile, Starter, file_name_is_allowed},
    document::Refusal,
};

/// How many UTF-8 bytes a file of a judging program has at most: `testlib.h` has about 200,000.
pub const PROGRAM_FILE_BYTES_MAX: usize = 512 * 1024;
/// How many UTF-8 bytes all files of a judging program, or of all tests, have at most.
pub const PROGRAM_BYTES_MAX: usize = 1 << 20;
/// How often a program is run on one validator at most.
pub const PASSES_MAX: u8 = 16;
/// How many arguments a judging program is given at most, and how many bytes each has.
const ARGUMENTS_MAX: usize = 32;
const ARGUMENT_BYTES_MAX: usize = 256;

/// How an answer is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Judging {
    /// What it prints is compared with what is expected.
    #[default]
    Compare,
    /// A program reads what it printed, and decides.
    Custom(Box<Program>),
    /// A program talks with it, and decides.
    Interactive(Box<Program>),
    /// The creator's tests are built and run together with its files. The first file of `tests`
    /// is what is started; where one is called like a file of the answer, it takes its place. Exit
    /// code 0 is accepted, if what is expected, where anything is, was printed; any other is not.
    UnitTest { tests: Vec<Starter> },
}

/// A judging program. It is started as `program input answer feedback_directory arguments…`, and
/// ends with 42 for accepted or 43 for wrong
/// (<https://icpc.io/problem-package-format/spec/legacy-icpc.html>, "Output Validators").
/// Anything else is its own failure, which costs nobody points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Program {
    pub language: Language,
    pub files: Vec<SourceFile>,
    pub limits: Limits,
    #[serde(default)]
    pub arguments: Vec<String>,
    /// How often an answer is run on one validator at most: with 42 the program may write
    /// `nextpass.in`, which is the input of the next pass.
    #[serde(default = "once")]
    pub passes: u8,
    /// What `score.txt` says of an answer that earns the whole weight of a validator; what it says
    /// is divided by this. Without that file 42 earns all. 43 never earns anything.
    #[serde(default = "whole")]
    pub full_score: u32,
}

const fn once() -> u8 {
    1
}

const fn whole() -> u32 {
    1
}

impl Default for Program {
    fn default() -> Self {
        Self {
            language: Language::Python,
            files: vec![],
            limits: Self::LIMITS,
            arguments: vec![],
            passes: once(),
            full_score: whole(),
        }
    }
}

impl Program {
    /// What it may use unless somebody says otherwise: more than an answer, which it must outlast.
    pub const LIMITS: Limits = Limits {
        cpu_ms: 10_000,
        wall_ms: 30_000,
        memory_bytes: 1 << 30,
        processes: 32,
        output_bytes: 8 << 20,
        disk_bytes: 64 << 20,
    };

    fn check(&self) -> Result<(), Refusal> {
        check_files(&self.files)?;
        let argument = |one: &String| one.len() <= ARGUMENT_BYTES_MAX && !one.contains('\0');
        if self.arguments.len() > ARGUMENTS_MAX || !self.arguments.iter().all(argument) {
            return Err(Refusal::TooLong);
        }
        let fits = self.limits.are_bearable()
            && (1..=PASSES_MAX).contains(&self.passes)
            && self.full_score > 0;
        if fits { Ok(()) } else { Err(Refusal::BadLimits) }
    }

    fn is_there(&self) -> bool {
        self.files
            .iter()
            .any(|file| file.name == self.language.main_file() && !file.text.trim().is_empty())
    }
}

impl Judging {
    /// The judging program, if there is one.
    pub fn program(&self) -> Option<&Program> {
        match self {
            Self::Custom(program) | Self::Interactive(program) => Some(program),
            Self::Compare | Self::UnitTest { .. } => None,
        }
    }

    /// The creator's tests of answers in `language`.
    pub fn tests(&self, language: Language) -> Option<&Starter> {
        match self {
            Self::UnitTest { tests } => tests.iter().find(|one| one.language == language),
            Self::Compare | Self::Custom(_) | Self::Interactive(_) => None,
        }
    }

    /// Whether it can be kept at all.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Compare => Ok(()),
            Self::Custom(program) | Self::Interactive(program) => program.check(),
            Self::UnitTest { tests } => tests.iter().try_for_each(|one| {
                // It would stand in the place of the answer.
                let main = one.language.main_file();
                let is_answer = one.files.iter().any(|file| file.name == main);
                if is_answer { Err(Refusal::BadFileName) } else { check_files(&one.files) }
            }),
        }
    }

    /// What a test cannot do without, as a stable word, for answers in `languages`.
    pub(crate) fn missing(&self, languages: &[Language]) -> Option<&'static str> {
        match self {
            Self::Compare => None,
            Self::Custom(program) | Self::Interactive(program) => {
                (!program.is_there()).then_some("judging_program")
            }
            Self::UnitTest { .. } => {
                let written = |language: &Language| {
                    self.tests(*language).is_some_and(|tests| !tests.files.is_empty())
                };
                (!languages.iter().all(written)).then_some("unit_tests")
            }
        }
    }
}

fn check_files(files: &[SourceFile]) -> Result<(), Refusal> {
    if files.len() > FILES_MAX {
        return Err(Refusal::TooManyParts);
    }
    let is_alone = |name: &str| files.iter().filter(|other| other.name == name).count() == 1;
    if !files.iter().all(|file| file_name_is_allowed(&file.name) && is_alone(&file.name)) {
        return Err(Refusal::BadFileName);
    }
    let bytes: usize = files.iter().map(|file| file.text.len()).sum();
    let long = files.iter().any(|file| file.text.len() > PROGRAM_FILE_BYTES_MAX);
    if long || bytes > PROGRAM_BYTES_MAX { Err(Refusal::TooLong) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judging_program_that_could_not_run_is_refused_with_the_reason() {
        let check = |change: fn(&mut Program)| {
            let mut program = program("print(42)");
            change(&mut program);
            Judging::Custom(Box::new(program)).check()
        };
        assert_eq!(check(|_| ()), Ok(()));
        assert_eq!(check(|one| one.files[0].name = "../main.py".into()), Err(Refusal::BadFileName));
        assert_eq!(check(|one| one.files.push(one.files[0].clone())), Err(Refusal::BadFileName));
        assert_eq!(check(|one| one.limits.cpu_ms = 0), Err(Refusal::BadLimits));
        assert_eq!(check(|one| one.limits.memory_bytes = 1 << 40), Err(Refusal::BadLimits));
        assert_eq!(check(|one| one.passes = 0), Err(Refusal::BadLimits));
        assert_eq!(check(|one| one.full_score = 0), Err(Refusal::BadLimits));
        let long = |one: &mut Program| one.files[0].text = "x".repeat(PROGRAM_FILE_BYTES_MAX + 1);
        assert_eq!(check(long), Err(Refusal::TooLong));
        assert_eq!(check(|one| one.arguments.push("\0".into())), Err(Refusal::TooLong));
    }

    #[test]
    fn what_judges_must_be_written_before_a_test_uses_it() {
        let languages = [Language::Python, Language::C];
        let custom = |text| Judging::Custom(Box::new(program(text)));
        assert_eq!(custom(" \n").missing(&languages), Some("judging_program"));
        assert_eq!(custom("exit(42)").missing(&languages), None);
        let file = SourceFile { name: "test.py".to_owned(), text: "import main".to_owned() };
        let tests = vec![Starter { language: Language::Python, files: vec![file] }];
        let tests = Judging::UnitTest { tests };
        assert_eq!((tests.check(), tests.missing(&languages[..1])), (Ok(()), None));
        assert_eq!(tests.missing(&languages), Some("unit_tests"), "there are none in C");
    }

    fn program(text: &str) -> Program {
        let file = SourceFile { name: "main.py".to_owned(), text: text.to_owned() };
        Program { files: vec![file], ..Program::default() }
    }
}
