//! The table, and what is made of its rows.

use std::fmt::Write;

use super::{detect::number, *};

#[test]
fn every_language_has_a_row() {
    for language in Language::ALL {
        assert!(TABLE.iter().any(|row| row.language == language), "{language:?}");
        assert!(!package(language).is_empty());
    }
}

#[test]
fn every_command_knows_its_tools() {
    for row in TABLE {
        let tool = tool(row);
        let files = [row.language.main_file().to_owned()];
        let commands = [tool.compile(&files), Some(tool.run(&files, true, 64 << 20))];
        for command in commands.into_iter().flatten() {
            assert!(!command.join(" ").contains(['{', '}']), "{command:?}");
            assert!(command.first().is_some_and(|path| path.starts_with('/')), "{command:?}");
        }
        let made = row.run.split([' ', '/']).any(|word| word == "main");
        assert_eq!(made, !row.compile.is_empty(), "{:?} runs what it made", row.language);
    }
}

#[test]
fn all_sources_are_compiled_and_nothing_else() {
    let tool = tool(row(Language::C));
    let files = ["main.c", "more.c", "more.h", "notes.txt"].map(str::to_owned);
    let command = tool.compile(&files).unwrap();
    assert_eq!(command.iter().filter(|word| word.starts_with('m')).count(), 3, "and `main`");
    assert!(command.contains(&"more.c".to_owned()) && !command.contains(&"more.h".to_owned()));
    assert_eq!(command[0], "/usr/bin/gcc");
    assert!(!command.contains(&"-static".to_owned()));
}

#[test]
fn output_is_unbuffered_only_when_somebody_waits_for_it() {
    let python = tool(row(Language::Python));
    assert!(python.run(&[], true, 0).contains(&"-u".to_owned()));
    assert!(!python.run(&[], false, 0).contains(&"-u".to_owned()));
}

#[test]
fn a_heap_is_as_large_as_the_content_allows() {
    let java = tool(row(Language::Java));
    assert!(java.run(&[], false, 64 << 20).contains(&"-Xmx64m".to_owned()));
}

#[test]
fn a_version_is_found_in_what_tools_say() {
    for (said, version) in [
        ("gcc (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright", Some("12.2.0")),
        ("This is perl 5, version 36, subversion 0 (v5.36.0) built for", Some("5.36.0")),
        ("go version go1.19.8 linux/amd64", Some("1.19.8")),
        ("Lua 5.4.4  Copyright (C) 1994-2022 Lua.org, PUC-Rio", Some("5.4.4")),
        ("x86_64-linux-gnu-gdc-12 (Debian 12.2.0-14)", Some("12.2.0")),
        ("SBCL 2.2.9.debian", Some("2.2.9")),
        ("command not found", None),
    ] {
        assert_eq!(number(said), version);
    }
}

/// The document for people lists the same languages.
#[test]
fn the_document_has_the_table() {
    let document = include_str!("../../../docs/languages.md");
    let mut lines = String::new();
    for row in TABLE {
        let (name, main) =
            (row.name.replace(" ({})", "").replace(" {}", ""), row.language.main_file());
        let how = if row.compile.is_empty() { "run" } else { "compiled" };
        writeln!(lines, "| {name} | `{main}` | {how} | `{}` |", row.package).unwrap();
    }
    assert!(document.contains(&lines), "docs/languages.md should have:\n{lines}");
}

fn row(language: Language) -> &'static Row {
    TABLE.iter().find(|row| row.language == language).unwrap()
}

fn tool(row: &'static Row) -> Tool {
    let name = |names: &'static str| names.split('|').next().unwrap();
    let path = |name| PathBuf::from(format!("/usr/bin/{name}"));
    let paths = row.tools.split(' ').map(name).map(|name| (name, path(name))).collect();
    Tool {
        row,
        paths,
        version: String::new(),
        identity: String::new(),
        links_statically: false,
        first: None,
    }
}
