//! The output validator of a package, when it brings one.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use domain::{
    content::Limits,
    judging::{Judging, PASSES_MAX, PROGRAM_FILE_BYTES_MAX, Program},
};

use crate::{
    notes::Notes,
    program::{Unfit, assemble},
    settings::Settings,
    tree::Tree,
    yaml::{get, number},
};

/// Processor time of a validator at most, in s, and its memory, in MiB.
const CPU_S_MAX: f64 = 60.0;
const MEMORY_MIB_MAX: f64 = 2048.0;
/// How many passes there are when a package names no number (2025-09).
const PASSES_USUAL: f64 = 2.0;

/// Whether a package means to judge by a program of its own.
pub(crate) fn is_wanted(tree: &Tree, settings: &Settings) -> bool {
    settings.is("custom") || is_interactive(tree, settings) || !programs(tree).is_empty()
}

fn is_interactive(tree: &Tree, settings: &Settings) -> bool {
    settings.is("interactive") || tree.below("data").any(|(path, _)| path.ends_with(".interaction"))
}

/// How answers are judged. `wholes` are what `score.txt` may say at most in each case.
pub(crate) fn read(
    tree: &Tree,
    settings: &Settings,
    wholes: &BTreeSet<Option<u32>>,
    notes: &mut Notes,
) -> Judging {
    if !is_wanted(tree, settings) {
        return Judging::Compare;
    }
    let talks = is_interactive(tree, settings);
    let Some(mut program) = program(tree, talks, notes) else { return Judging::Compare };
    program.arguments.clone_from(&settings.validator_flags);
    program.limits = limits(settings);
    program.passes = passes(settings, notes);
    program.full_score = full_score(&program, wholes, notes);
    let program = Box::new(program);
    if talks { Judging::Interactive(program) } else { Judging::Custom(program) }
}

/// The programs of a package by their names: a folder each, or a file. In 2023-07 there is one.
fn programs(tree: &Tree) -> BTreeMap<&str, Vec<(&str, &Bytes)>> {
    let mut programs: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (path, bytes) in tree.below("output_validators") {
        let inside = path.strip_prefix("output_validators/").unwrap_or(path);
        let (name, file) = inside.split_once('/').unwrap_or((inside, inside));
        programs.entry(name).or_default().push((file, bytes));
    }
    for (path, bytes) in tree.below("output_validator") {
        let file = path.strip_prefix("output_validator/").unwrap_or(path);
        programs.entry("").or_default().push((file, bytes));
    }
    programs
}

fn program(tree: &Tree, talks: bool, notes: &mut Notes) -> Option<Program> {
    let programs = programs(tree);
    let what = if talks { "talk with the answer" } else { "judge answers" };
    let Some((name, files)) = programs.first_key_value() else {
        notes.repair(if talks {
            "The answer is to talk with a program that the package does not include. Write it, or \
             make the answer read an input and print an output."
        } else {
            "Answers are to be judged by a program that the package does not include. They are \
             compared word by word for now: see whether each input has only one right answer."
        });
        return None;
    };
    if programs.len() > 1 {
        let others = programs.len() - 1;
        notes.repair(format!(
            "The package has {others} more validators than “{name}”, and all would have to accept. \
             Here one judges: put them together."
        ));
    }
    let unfit = match assemble(files, PROGRAM_FILE_BYTES_MAX) {
        Ok((language, files)) => {
            return Some(Program { language, files, ..Program::default() });
        }
        Err(Unfit::Script) => "is built or started by a script",
        Err(Unfit::Language) => "is in no language that can be run here",
        Err(Unfit::Files) => "has files in folders, too large ones, or some that are no text",
    };
    notes.repair(format!(
        "The program that is to {what} {unfit}. Answers are compared word by word for now: put a \
         program in its place, or see whether each input has only one right answer."
    ));
    None
}

fn limits(settings: &Settings) -> Limits {
    let named = |key| number(get(&settings.limits, key)).filter(|number| *number > 0.0);
    let usual = Program::LIMITS;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "capped")]
    let (cpu_ms, memory_bytes) = (
        named("validation_time").map(|s| (s.min(CPU_S_MAX) * 1000.0).ceil() as u32),
        named("validation_memory").map(|mib| (mib.min(MEMORY_MIB_MAX).ceil() as u64) << 20),
    );
    let cpu_ms = cpu_ms.unwrap_or(usual.cpu_ms);
    let memory_bytes = memory_bytes.unwrap_or(usual.memory_bytes);
    Limits { cpu_ms, wall_ms: cpu_ms.saturating_mul(3), memory_bytes, ..usual }
}

fn passes(settings: &Settings, notes: &mut Notes) -> u8 {
    if !settings.is("multi-pass") {
        return 1;
    }
    let named = number(get(&settings.limits, "validation_passes")).unwrap_or(PASSES_USUAL);
    if named > f64::from(PASSES_MAX) {
        notes.repair(format!(
            "Each case is to be run up to {named} times; {PASSES_MAX} is the most here. See whether \
             that is enough."
        ));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let passes = named.clamp(1.0, f64::from(PASSES_MAX)) as u8;
    passes
}

/// What `score.txt` says of an answer that earns everything.
fn full_score(program: &Program, wholes: &BTreeSet<Option<u32>>, notes: &mut Notes) -> u32 {
    let scores = program.files.iter().any(|file| file.text.contains("score.txt"));
    if !scores {
        return 1;
    }
    let mut wholes = wholes.iter();
    if let (Some(Some(whole)), None) = (wholes.next(), wholes.next()) {
        return *whole;
    }
    notes.repair(
        "The validator gives points (“score.txt”), and the package does not say of all cases alike \
         how many there are to be had. Say which score earns everything.",
    );
    1
}
