//! Small packages of our own, which use what the public ones do not.

use std::{
    fs,
    io::{Cursor, Write},
    path::{Path, PathBuf},
};

use domain::content::{Comparison, Group, Language, Limits};
use package::Imported;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{code, names};

#[test]
fn a_complete_package_needs_no_repair() {
    let imported = read("sum");
    let content = &imported.content;
    assert_eq!(content.title, "Sum of Two");
    assert_eq!(content.tags, ["arithmetic", "easy"]);
    assert!(content.repairs.is_empty(), "{:?}", content.repairs);
    assert!(content.assumed.is_empty(), "{:?}", content.assumed);
    assert_eq!(names(content, true), ["1"]);
    assert_eq!(names(content, false), ["01", "10", "10-big"]);
    let code = code(content);
    let limits = Limits {
        cpu_ms: 1_500,
        wall_ms: 4_500,
        memory_bytes: 128 << 20,
        output_bytes: 4 << 20,
        ..Limits::default()
    };
    assert_eq!(code.limits, limits);
    assert_eq!(code.comparison, Comparison { case_sensitive: true, ..Comparison::default() });
    assert!(code.groups.is_empty());
    assert!(code.validators.iter().all(|one| one.weight == 1));
}

#[test]
fn a_picture_is_a_blob_that_the_statement_names() {
    let imported = read("sum");
    let statement = &imported.content.statement;
    let (start, rest) = statement.split_once("![](blob:").expect("the picture is shown");
    assert_eq!(start, "Add $a$ and $b$.\n\n");
    let (sha256, rest) = rest.split_once(')').expect("its name ends");
    assert_eq!(rest, "\n\n## Input\n\nTwo integers.");
    let (_, bytes) = imported.blobs.iter().find(|(blob, _)| blob.sha256 == sha256).unwrap();
    assert!(bytes.starts_with(b"<svg"));
    assert_eq!(imported.statements[1], ("de".to_owned(), "Addiere $a$ und $b$.".to_owned()));
}

#[test]
fn programs_of_the_package_are_starters_and_the_solution() {
    let imported = read("sum");
    let code = code(&imported.content);
    let solution = code.solution.as_ref().unwrap();
    assert_eq!(solution.language, Language::Python);
    assert_eq!(solution.files[0].name, "main.py");
    assert!(solution.files[0].text.contains("print(a + b)"));
    let starter = |language| {
        let starter = code.starters.iter().find(|one| one.language == language).unwrap();
        starter.files[0].text.as_str()
    };
    assert!(starter(Language::C).contains("scanf"));
    assert!(starter(Language::Python).starts_with("def main():"), "a tool is no starter");
}

#[test]
fn nested_groups_become_one_list() {
    let imported = read("ladder");
    let code = code(&imported.content);
    let group = |name: &str, weight, all_or_nothing| Group {
        name: name.to_owned(),
        weight,
        all_or_nothing,
    };
    let expected = [
        group("secret", 10, false),
        group("a", 20, true),
        group("b", 30, false),
        group("c/x", 10, true),
        group("c/y", 20, true),
    ];
    assert_eq!(code.groups, expected);
    let of =
        |name: &str| code.validators.iter().find(|one| one.name == name && !one.shown).unwrap();
    assert_eq!(of("loose").group, Some(0));
    assert_eq!(of("b/2").group, Some(2));
    assert_eq!(of("c/y/1").group, Some(4));
    assert!(code.validators.iter().all(|one| one.weight == u32::from(!one.shown)));
    assert_eq!(imported.content.repairs.len(), 1, "{:?}", imported.content.repairs);
    assert!(imported.content.repairs[0].contains("only if secret/a passes"));
}

#[test]
fn legacy_groups_are_weighed_by_their_settings() {
    let cases = [
        ("range: 0 40\ngrader_flags: min", 40, true),
        ("accept_score: 7\ngrader_flags: min", 7, true),
        ("accept_score: 7\ngrader_flags: always_accept sum", 14, false),
        ("accept_score: 7\ngrader_flags: accept_if_any_accepted", 14, false),
        ("accept_score: 7\non_reject: break", 14, true),
        ("max_score: 12", 12, true),
        ("on_reject: break", 100, true),
    ];
    for (settings, weight, all_or_nothing) in cases {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let files = [
            ("problem.yaml", "name: x\ntype: scoring"),
            ("data/secret/g/testdata.yaml", settings),
            ("data/secret/g/1.in", ""),
            ("data/secret/g/2.in", ""),
        ];
        for (path, text) in files {
            zip.start_file(path, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        let imported = package::read_zip(zip.finish().unwrap()).unwrap();
        let expected = Group { name: "g".to_owned(), weight, all_or_nothing };
        assert_eq!(code(&imported.content).groups, [expected], "{settings}");
    }
}

#[test]
fn the_closest_flags_count() {
    let imported = read("ladder");
    let code = code(&imported.content);
    let tolerant = Comparison {
        float_absolute: Some(1e-4),
        float_relative: Some(1e-4),
        ..Comparison::default()
    };
    assert_eq!(code.comparison, tolerant);
    let of = |name: &str| {
        let one = code.validators.iter().find(|one| one.name == name && !one.shown).unwrap();
        one.comparison.clone()
    };
    assert_eq!(of("a/1"), None);
    let strict = Comparison { case_sensitive: true, ..Comparison::default() };
    assert_eq!(of("b/1"), Some(strict));
    let spaced = Comparison { space_change_sensitive: true, ..Comparison::default() };
    assert_eq!(of("b/2"), Some(spaced));
}

#[test]
fn markdown_constants_languages_and_caps_are_read() {
    let imported = read("ladder");
    let content = &imported.content;
    assert_eq!(content.title, "Ladder");
    assert_eq!(content.tags, ["graphs", "shortest path"]);
    assert_eq!(content.statement, "Climb at most 100 rungs. (Each costs *one*.)");
    assert_eq!(imported.statements[1].1, "Montez au plus 100 barreaux.");
    let code = code(content);
    assert_eq!(code.languages, [Language::Python, Language::Cpp]);
    assert_eq!((code.limits.cpu_ms, code.limits.memory_bytes), (3_000, 1 << 30));
    let capped = "1024 MiB of memory instead of the 4096 MiB that the package names";
    assert_eq!(content.assumed, [capped]);
}

#[test]
fn what_is_missing_makes_a_draft() {
    let imported = read("rough");
    let content = &imported.content;
    assert_eq!(content.title, "rough");
    assert_eq!(names(content, true), ["1"]);
    let code = code(content);
    assert_eq!(code.validators[0].expected.size, 0);
    assert_eq!(code.languages, Language::general());
    let parts = [
        "a drawing made in LaTeX",
        "“gone.png” is not in the package",
        "“plan” is a PDF",
        "allows only cobol",
        "no secret test cases",
        "“data/secret/2.ans” has no input",
        "talk with a program",
        "(“include”)",
        "“data/sample/1.in” has no answer",
    ];
    for (repair, part) in content.repairs.iter().zip(parts) {
        assert!(repair.contains(part), "{repair}");
    }
    assert_eq!(content.repairs.len(), parts.len(), "{:?}", content.repairs);
}

#[test]
fn a_zip_gives_the_same_as_the_directory() {
    for name in ["sum", "ladder", "rough"] {
        for inside in [format!("{name}/"), String::new()] {
            let zip = package::read_zip(zipped(&fixture(name), &inside)).unwrap();
            let mut directory = read(name);
            if inside.is_empty() && name == "rough" {
                // Nothing names this one but its folder.
                assert!(zip.content.repairs.iter().any(|repair| repair.contains("no name")));
                continue;
            }
            directory.content.title = zip.content.title.clone();
            assert_eq!(zip, directory, "{name}");
        }
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn read(name: &str) -> Imported {
    package::read_directory(&fixture(name)).unwrap()
}

fn zipped(root: &Path, inside: &str) -> Cursor<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{inside}{}", path.strip_prefix(root).unwrap().display());
            if path.is_dir() {
                zip.add_directory(name, SimpleFileOptions::default()).unwrap();
                folders.push(path);
            } else {
                zip.start_file(name, SimpleFileOptions::default()).unwrap();
                zip.write_all(&fs::read(path).unwrap()).unwrap();
            }
        }
    }
    zip.finish().unwrap()
}
