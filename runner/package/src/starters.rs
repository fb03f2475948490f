//! Programs: what the editor holds at first, and the package's own solution.

use bytes::Bytes;
use domain::content::{FILE_BYTES_MAX, Language, SourceFile, Starter};

use crate::{notes::Notes, settings::Settings, tree::Tree};

/// The languages that a package allows; all unless it names some.
pub(crate) fn languages(settings: &Settings, notes: &mut Notes) -> Vec<Language> {
    let named = &settings.languages;
    if named.is_empty() || named.iter().any(|name| name == "all") {
        return Language::general();
    }
    let allowed =
        |language: &Language| named.iter().any(|name| names(*language).contains(&&**name));
    let languages: Vec<_> = Language::ALL.into_iter().filter(allowed).collect();
    if languages.is_empty() {
        notes.repair(format!(
            "The package allows only {}, which cannot be run here. Choose the languages.",
            named.join(", ")
        ));
        return Language::general();
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

/// What the format calls a language
/// (<https://icpc.io/problem-package-format/spec/2023-07-draft.html>, "languages").
fn names(language: Language) -> &'static [&'static str] {
    match language {
        Language::Python => &["python3", "python", "python3numpy"],
        Language::C => &["c"],
        Language::Cpp => &["cpp"],
        Language::Javascript => &["javascript"],
        Language::Java => &["java"],
        Language::Rust => &["rust"],
        Language::Go => &["go"],
        Language::Typescript => &["typescript"],
        Language::Csharp => &["csharp"],
        Language::Kotlin => &["kotlin"],
        Language::Ruby => &["ruby"],
        Language::Php => &["php"],
        Language::Haskell => &["haskell"],
        Language::Ocaml => &["ocaml"],
        Language::Pascal => &["pascal"],
        Language::Perl => &["perl"],
        Language::Lua => &["lua"],
        Language::R => &["r"],
        Language::Bash => &["bash"],
        Language::Sqlite => &["sqlite", "sql"],
        Language::Fortran => &["fortran"],
        Language::Ada => &["ada"],
        Language::D => &["d"],
        Language::Nim => &["nim"],
        Language::Lisp => &["commonlisp"],
        Language::Scheme => &["scheme"],
        Language::Prolog => &["prolog"],
        Language::Tcl => &["tcl"],
        Language::Awk => &["gawk", "awk"],
    }
}

/// How files of a language may end, besides as its main file does.
const OTHER_ENDS: [(Language, &str); 4] = [
    (Language::Python, "py3"),
    (Language::Cpp, "cc"),
    (Language::Cpp, "cxx"),
    (Language::Fortran, "f95"),
];

/// Whether a file that ends so is of `language`.
pub(crate) fn is_of(language: Language, end: &str) -> bool {
    let main = language.main_file().rsplit_once('.');
    main.is_some_and(|(_, own)| own == end) || OTHER_ENDS.contains(&(language, end))
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
    if !is_of(language, end) || bytes.len() > FILE_BYTES_MAX {
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
        Language::Javascript | Language::Typescript => {
            "function main() {\n  // Read from standard input and print the answer.\n}\n\nmain();\n"
        }
        Language::Java => {
            "public class Main {\n    public static void main(String[] args) {\n        // Read from \
             standard input and print the answer.\n    }\n}\n"
        }
        Language::Csharp => {
            "using System;\n\nclass Program {\n    static void Main() {\n        // Read from \
             standard input and print the answer.\n    }\n}\n"
        }
        Language::Rust => "fn main() {\n    // Read from standard input and print the answer.\n}\n",
        Language::Kotlin => {
            "fun main() {\n    // Read from standard input and print the answer.\n}\n"
        }
        Language::Go => {
            "package main\n\nfunc main() {\n\t// Read from standard input and print the answer.\n}\n"
        }
        Language::D => {
            "import std.stdio;\n\nvoid main() {\n    // Read from standard input and print the \
             answer.\n}\n"
        }
        Language::Php => "<?php\n// Read from standard input and print the answer.\n",
        Language::Haskell => {
            "main :: IO ()\nmain = do\n  -- Read from standard input and print the answer.\n  \
             return ()\n"
        }
        Language::Ocaml => "(* Read from standard input and print the answer. *)\nlet () = ()\n",
        Language::Pascal => "begin\n  { Read from standard input and print the answer. }\nend.\n",
        Language::Ada => {
            "procedure Main is\nbegin\n   --  Read from standard input and print the answer.\n   \
             null;\nend Main;\n"
        }
        Language::Fortran => {
            "program main\n  ! Read from standard input and print the answer.\nend program main\n"
        }
        Language::Prolog => "% Read from standard input and print the answer.\nmain.\n",
        Language::Lua => "-- Read from standard input and print the answer.\n",
        Language::Sqlite => "-- The input has made the tables. Print the answer.\n",
        Language::Lisp | Language::Scheme => "; Read from standard input and print the answer.\n",
        Language::Ruby
        | Language::Perl
        | Language::R
        | Language::Bash
        | Language::Nim
        | Language::Tcl
        | Language::Awk => "# Read from standard input and print the answer.\n",
    }
}
