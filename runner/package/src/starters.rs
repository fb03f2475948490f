//! Programs: what the editor holds at first, and the package's own solution.

use bytes::Bytes;
use domain::content::{FILE_BYTES_MAX, Language, SourceFile, Starter};

use crate::{notes::Notes, settings::Settings, tree::Tree};

/// The languages that a package allows; all unless it names some.
pub(crate) fn languages(settings: &Settings, notes: &mut Notes) -> Vec<Language> {
    let named = &settings.languages;
    if named.is_empty() || named.iter().any(|name| name == "all") {
        return Language::ALL.to_vec();
    }
    let allowed =
        |language: &Language| named.iter().any(|name| names(*language).contains(&&**name));
    let languages: Vec<_> = Language::ALL.into_iter().filter(allowed).collect();
    if languages.is_empty() {
        notes.repair(format!(
            "The package allows only {}, which cannot be run here. Choose the languages.",
            named.join(", ")
        ));
        return Language::ALL.to_vec();
    }
    languages
}

/// What the format calls `language`.
pub(crate) fn format_name(language: Language) -> &'static str {
    names(language).first().expect("each language has a name")
}

/// Whether a starter is what an editor holds when nobody has written one.
pub(crate) fn is_usual(starter: &Starter) -> bool {
    *starter == program(starter.language, empty_program(starter.language).to_owned())
}

/// The names that the format has for a language.
fn names(language: Language) -> &'static [&'static str] {
    match language {
        Language::Python => &["python3", "python", "python3numpy"],
        Language::C => &["c"],
        Language::Cpp => &["cpp"],
        Language::Javascript => &["javascript"],
    }
}

/// How the files of a language end.
pub(crate) fn ends(language: Language) -> &'static [&'static str] {
    match language {
        Language::Python => &["py", "py3"],
        Language::C => &["c"],
        Language::Cpp => &["cpp", "cc", "cxx"],
        Language::Javascript => &["js"],
    }
}

/// What the editor holds at first: a file handed out with the package, or an empty program.
pub(crate) fn starters(tree: &Tree, languages: &[Language]) -> Vec<Starter> {
    let starter = |language| {
        let text = attached(tree, language).unwrap_or_else(|| empty_program(language).to_owned());
        program(language, text)
    };
    languages.iter().copied().map(starter).collect()
}

fn program(language: Language, text: String) -> Starter {
    let name = language.main_file().to_owned();
    Starter { language, files: vec![SourceFile { name, text }] }
}

/// The one attachment in a language, unless it is a tool that goes with the problem.
fn attached(tree: &Tree, language: Language) -> Option<String> {
    let tool =
        |path: &str| ["test", "tool", "gen", "visual"].iter().any(|word| path.contains(word));
    let mut files = tree
        .below("attachments")
        .filter(|(path, _)| !tool(&path.to_ascii_lowercase()))
        .filter_map(|(path, bytes)| source(path, bytes, language));
    files.next().filter(|_| files.next().is_none())
}

/// An accepted solution of a single file, in the first language that has one.
pub(crate) fn solution(tree: &Tree) -> Option<Starter> {
    Language::ALL.into_iter().find_map(|language| {
        let single = |(path, bytes): (&str, &Bytes)| {
            let alone = path.split('/').count() == 3;
            source(path, bytes, language).filter(|_| alone)
        };
        let text = tree.below("submissions/accepted").find_map(single)?;
        Some(program(language, text))
    })
}

/// The text of a file if it is a source in `language`.
fn source(path: &str, bytes: &Bytes, language: Language) -> Option<String> {
    let (_, end) = path.rsplit_once('.')?;
    if !ends(language).contains(&end) || bytes.len() > FILE_BYTES_MAX {
        return None;
    }
    let text = String::from_utf8(bytes.to_vec()).ok()?;
    let old = text.lines().next().is_some_and(|line| line.contains("python2"));
    (!old).then_some(text)
}

const fn empty_program(language: Language) -> &'static str {
    match language {
        Language::Python => {
            "def main():\n    # Read from standard input and print the answer.\n    pass\n\n\nmain()\n"
        }
        Language::C => {
            "#include <stdio.h>\n\nint main(void) {\n    // Read from standard input and print the \
             answer.\n    return 0;\n}\n"
        }
        Language::Cpp => {
            "#include <iostream>\n\nint main() {\n    // Read from standard input and print the \
             answer.\n    return 0;\n}\n"
        }
        Language::Javascript => {
            "function main() {\n  // Read from standard input and print the answer.\n}\n\nmain();\n"
        }
    }
}
