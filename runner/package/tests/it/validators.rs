//! Packages that judge by a program of their own.

use std::{
    io::{Cursor, Read, Write},
    path::PathBuf,
};

use bytes::Bytes;
use domain::{
    content::{Code, Component, Content, Language},
    judging::{Judging, Program},
    run::Verdict,
};
use package::{Expected, Imported, Unwritable};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{code, names};

#[test]
fn a_validator_in_a_folder_is_taken_over_with_its_headers_limits_and_flags() {
    let imported = read("any-order");
    assert!(imported.content.repairs.is_empty(), "{:?}", imported.content.repairs);
    let Judging::Custom(program) = &code(&imported.content).judging else { panic!("custom") };
    assert_eq!(program.language, Language::Cpp);
    assert_eq!(file_names(program), ["main.cpp", "verdict.h"]);
    assert_eq!(program.arguments, ["strict"]);
    assert_eq!((program.limits.cpu_ms, program.limits.memory_bytes), (5_000, 1 << 30));
    assert_eq!((program.passes, program.full_score), (1, 1));
}

#[test]
fn an_interactive_package_needs_no_answers() {
    let imported = read("guess");
    assert!(imported.content.repairs.is_empty(), "{:?}", imported.content.repairs);
    let Judging::Interactive(program) = &code(&imported.content).judging else { panic!("talks") };
    assert_eq!((program.language, file_names(program)), (Language::Python, vec!["main.py"]));
    assert_eq!(names(&imported.content, false), ["2", "3", "4"]);
}

#[test]
fn a_scoring_validator_knows_what_earns_everything_and_groups_keep_their_points() {
    let imported = read("share");
    assert!(imported.content.repairs.is_empty(), "{:?}", imported.content.repairs);
    let code = code(&imported.content);
    assert_eq!(code.judging.program().unwrap().full_score, 10);
    let groups: Vec<_> =
        code.groups.iter().map(|one| (&*one.name, one.weight, one.all_or_nothing)).collect();
    assert_eq!(groups, [("a", 10, true), ("b", 20, false)]);
}

#[test]
fn a_multi_pass_package_says_how_often() {
    let imported = read("twice");
    assert!(imported.content.repairs.is_empty(), "{:?}", imported.content.repairs);
    let Judging::Custom(program) = &code(&imported.content).judging else { panic!("custom") };
    assert_eq!(program.passes, 2);
}

#[test]
fn flags_of_groups_go_to_the_program_with_each_case() {
    let imported = packed(&[
        ("problem.yaml", "name: x\nvalidation: custom\nvalidator_flags: all"),
        ("output_validators/v.py", "exit(42)"),
        ("data/secret/g/testdata.yaml", "output_validator_flags: here 3"),
        ("data/secret/g/1.in", ""),
        ("data/secret/2.in", ""),
    ]);
    let code = code(&imported.content);
    assert_eq!(code.judging.program().unwrap().arguments, ["all"]);
    let arguments: Vec<_> = code.validators.iter().map(|one| one.arguments.clone()).collect();
    assert_eq!(arguments, [vec![], vec!["here".to_owned(), "3".to_owned()]]);
}

#[test]
fn a_validator_that_cannot_run_here_is_to_be_repaired_and_says_why() {
    let why = |files: &[(&str, &str)]| {
        let usual = [("problem.yaml", "name: x\nvalidation: custom"), ("data/secret/1.in", "")];
        let imported = packed(&[&usual[..], files].concat());
        imported.content.repairs.join(" ")
    };
    assert!(
        why(&[("output_validators/v/build", ""), ("output_validators/v/v.c", "")])
            .contains("built or started by a script")
    );
    assert!(why(&[("output_validators/v.cob", "")]).contains("no language that can be run here"));
    assert!(why(&[]).contains("does not include"));
    let two = [("output_validators/a.py", "exit(42)"), ("output_validators/b.py", "exit(42)")];
    assert!(why(&two).contains("1 more validators than “a.py”"));
}

#[test]
fn what_is_expected_of_submissions_is_read_from_folders_and_marks() {
    let imported = read("any-order");
    let expected: Vec<_> = imported
        .submissions
        .iter()
        .map(|one| (&*one.path, one.program.as_ref().unwrap().0, &*one.expected))
        .collect();
    let python = Language::Python;
    assert_eq!(
        expected,
        [
            ("accepted/backwards.py", python, &[Expected::Accepted][..]),
            ("accepted/forwards.c", Language::C, &[Expected::Accepted]),
            ("mixed/early.py", python, &[Expected::WrongAnswer, Expected::RuntimeError]),
            ("run_time_error/crash.py", python, &[Expected::RuntimeError]),
            ("time_limit_exceeded/forever.py", python, &[Expected::TimeLimit]),
            ("wrong_answer/twice.py", python, &[Expected::WrongAnswer]),
        ]
    );
    let verdicts = [Verdict::Accepted, Verdict::WallLimit];
    assert!(Expected::TimeLimit.is_met(&verdicts) && !Expected::Accepted.is_met(&verdicts));
    assert!(!Expected::Accepted.is_met(&[]), "what did not compile is not accepted");
}

#[test]
fn a_package_that_is_written_and_read_again_is_the_same() {
    for name in ["any-order", "guess", "share", "twice", "sum"] {
        let once = read(name);
        let find = |sha256: &str| {
            let (_, bytes) = once.blobs.iter().find(|(blob, _)| blob.sha256 == sha256)?;
            Some(bytes.clone())
        };
        let zip = package::write_zip(&once.content, &find).unwrap();
        let again = package::read_zip(Cursor::new(zip)).unwrap();
        assert_eq!(again.content.repairs, Vec::<String>::new(), "{name}");
        let same = Content { assumed: again.content.assumed.clone(), ..once.content.clone() };
        assert_eq!(again.content, same, "{name}");
        assert!(again.blobs.iter().all(|blob| once.blobs.contains(blob)), "{name}");
    }
}

#[test]
fn what_a_package_cannot_say_is_refused_or_told() {
    let none = |_: &str| None;
    assert_eq!(package::write_zip(&Content::default(), &none), Err(Unwritable::Quiz));
    let mut content = read("any-order").content;
    let missing = package::write_zip(&content, &none).unwrap_err();
    assert_eq!(missing, Unwritable::Missing("1".to_owned()));
    code_of(&mut content).validators[1].weight = 3;
    let zip = package::write_zip(&content, &|_| Some(Bytes::new())).unwrap();
    let mut zip = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    let mut yaml = String::new();
    zip.by_name("problem.yaml").unwrap().read_to_string(&mut yaml).unwrap();
    assert!(yaml.starts_with("# Not said here: what each case weighs.\n"), "{yaml}");
    code_of(&mut content).judging = Judging::UnitTest { tests: vec![] };
    assert_eq!(package::write_zip(&content, &none), Err(Unwritable::UnitTests));
}

fn code_of(content: &mut Content) -> &mut Code {
    let Component::Code(code) = &mut content.component else { panic!("code") };
    code
}

fn file_names(program: &Program) -> Vec<&str> {
    program.files.iter().map(|file| file.name.as_str()).collect()
}

fn read(name: &str) -> Imported {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    package::read_directory(&path).unwrap()
}

fn packed(files: &[(&str, &str)]) -> Imported {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, text) in files {
        zip.start_file(*path, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    package::read_zip(zip.finish().unwrap()).unwrap()
}
