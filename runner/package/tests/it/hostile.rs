//! Packages that are not what they say they are.

use std::{
    fs,
    io::{Cursor, Write},
    os::unix::fs::symlink,
};

use package::Refusal;
use tempfile::TempDir;
use zip::{ZipWriter, write::SimpleFileOptions};

#[test]
fn a_name_that_leads_out_is_refused() {
    for name in ["../evil", "data/../../evil", "/etc/passwd", "C:/evil"] {
        assert_eq!(refused(&[(name, "")]), Refusal::Outside(name.to_owned()));
    }
    assert_eq!(refused(&[("a\\..\\evil", "")]), Refusal::BadName("a\\\\..\\\\evil".to_owned()));
    let deep = format!("{}x", "a/".repeat(12));
    assert_eq!(refused(&[(&deep, "")]), Refusal::TooDeep(deep.clone()));
}

#[test]
fn a_link_in_a_zip_is_refused() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink("data", "/etc", SimpleFileOptions::default()).unwrap();
    let refusal = package::read_zip(zip.finish().unwrap()).unwrap_err();
    assert_eq!(refusal, Refusal::NotAFile("data".to_owned()));
}

#[test]
fn an_encrypted_zip_is_refused() {
    let mut zip = packed(&[("problem.yaml", "name: x")]).into_inner();
    // The flag is the lowest bit at byte 6 of a local header and at byte 8 of a central one.
    for (magic, flags) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        let at = zip.windows(4).position(|window| window == magic).unwrap();
        zip[at + flags] |= 1;
    }
    let refusal = package::read_zip(Cursor::new(zip)).unwrap_err();
    assert_eq!(refusal, Refusal::Encrypted("problem.yaml".to_owned()));
}

#[test]
fn what_is_no_package_is_refused() {
    let none = package::read_zip(Cursor::new(b"GIF89a")).unwrap_err();
    assert_eq!(none, Refusal::NotAZip);
    let whole = packed(&[("problem.yaml", "name: x")]).into_inner();
    let half = package::read_zip(Cursor::new(&whole[..whole.len() / 2])).unwrap_err();
    assert_eq!(half, Refusal::NotAZip);
    assert_eq!(refused(&[]), Refusal::NoProblemYaml);
    assert_eq!(refused(&[("a/b/problem.yaml", "name: x")]), Refusal::NoProblemYaml);
    assert_eq!(refused(&[("x.txt", ""), ("y/z", "")]), Refusal::NoProblemYaml);
}

#[test]
fn a_damaged_file_is_refused() {
    let mut zip = packed(&[("problem.yaml", "name: some words that are stored")]).into_inner();
    let at = zip.windows(4).position(|window| window == b"some").unwrap();
    zip[at] ^= 1;
    let refusal = package::read_zip(Cursor::new(zip)).unwrap_err();
    assert_eq!(refusal, Refusal::Unreadable("problem.yaml".to_owned()));
}

#[test]
fn yaml_that_is_none_is_refused_with_its_place() {
    for yaml in ["name: [", "- a\n- b", "a: 1\na: 2", "just words"] {
        let refusal = refused(&[("problem.yaml", yaml)]);
        assert!(matches!(&refusal, Refusal::Yaml { path, .. } if path == "problem.yaml"), "{yaml}");
    }
    let files = [("problem.yaml", ""), ("data/testdata.yaml", "\t: [")];
    let refusal = refused(&files).to_string();
    assert!(refusal.starts_with("“data/testdata.yaml” is not valid YAML: "), "{refusal}");
}

#[test]
fn yaml_that_multiplies_itself_is_refused() {
    let level = |level: u32| {
        let inner = if level == 0 { "x, ".to_owned() } else { format!("*a{}, ", level - 1) };
        format!("a{level}: &a{level} [{}]\n", inner.repeat(9))
    };
    let yaml: String = (0..12).map(level).collect();
    assert!(matches!(refused(&[("problem.yaml", &yaml)]), Refusal::Yaml { .. }));
}

#[test]
fn constants_that_multiply_are_left_as_they_are() {
    let constant =
        |level: u32| format!("  a{level}: '{}'\n", format!("{{{{a{}}}}}", level + 1).repeat(10));
    let yaml: String = (0..12).map(constant).collect();
    let long = "x".repeat(100_000);
    let yaml = format!("name: x\nconstants:\n{yaml}  long: {long}\n");
    let text = format!("{{{{a0}}}}{}", "{{long}}".repeat(10_000));
    let files = [("problem.yaml", &*yaml), ("statement/problem.en.md", &*text)];
    let imported = package::read_zip(packed(&files)).unwrap();
    assert_eq!(imported.content.statement, text);
}

#[test]
fn many_faults_are_told_only_so_often() {
    let inputs: Vec<_> = (0..300).map(|case| format!("data/secret/{case}.in")).collect();
    let mut files = vec![("problem.yaml", "name: x")];
    files.extend(inputs.iter().map(|path| (path.as_str(), "")));
    let imported = package::read_zip(packed(&files)).unwrap();
    assert_eq!(imported.content.repairs.len(), 41);
    assert_eq!(imported.content.repairs[40], "There is more like this.");
}

#[test]
fn a_link_in_a_directory_is_followed_only_inside() {
    let root = TempDir::new().unwrap();
    let path = |name: &str| root.path().join("p").join(name);
    fs::create_dir_all(path("data/secret")).unwrap();
    fs::write(path("problem.yaml"), "name: x").unwrap();
    fs::write(path("data/secret/1.in"), "1").unwrap();
    symlink("1.in", path("data/secret/1.ans")).unwrap();
    let imported = package::read_directory(&path("")).unwrap();
    assert_eq!(imported.blobs.len(), 1, "the answer is the input");

    fs::write(root.path().join("outside"), "secret").unwrap();
    symlink("../../../outside", path("data/secret/2.in")).unwrap();
    let refusal = package::read_directory(&path("")).unwrap_err();
    assert_eq!(refusal, Refusal::Outside("data/secret/2.in".to_owned()));
    fs::remove_file(path("data/secret/2.in")).unwrap();

    symlink("..", path("data/secret/loop")).unwrap();
    let refusal = package::read_directory(&path("")).unwrap_err();
    assert_eq!(refusal, Refusal::NotAFile("data/secret/loop".to_owned()));
}

#[test]
fn a_directory_that_is_not_there_is_refused() {
    let root = TempDir::new().unwrap();
    let refusal = package::read_directory(&root.path().join("none")).unwrap_err();
    assert!(matches!(refusal, Refusal::Unreadable(_)));
    assert_eq!(package::read_directory(root.path()), Err(Refusal::NoProblemYaml));
}

fn refused(files: &[(&str, &str)]) -> Refusal {
    package::read_zip(packed(files)).unwrap_err()
}

fn packed(files: &[(&str, &str)]) -> Cursor<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (path, text) in files {
        zip.start_file(*path, stored).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap()
}
