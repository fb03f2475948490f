//! Six public packages, each with exactly what is to come out of it.

use domain::content::{Comparison, Group, Language, Limits};
use package::Imported;

use super::{code, names, shared::real};

/// What is to come out of a package.
struct Expected {
    title: &'static str,
    shown: usize,
    hidden: usize,
    blobs: usize,
    comparison: Comparison,
    memory_mib: u64,
    repairs: &'static [&'static str],
    languages: &'static [&'static str],
    first_line: &'static str,
}

const USUAL: Expected = Expected {
    title: "",
    shown: 0,
    hidden: 0,
    blobs: 0,
    comparison: Comparison {
        case_sensitive: false,
        space_change_sensitive: false,
        float_absolute: None,
        float_relative: None,
    },
    memory_mib: 256,
    repairs: &[],
    languages: &["en"],
    first_line: "",
};

#[test]
fn hello_has_no_samples_and_names_its_memory() {
    let Some(imported) = real("hello") else { return };
    let expected = Expected {
        title: "Hello World!",
        hidden: 1,
        blobs: 2,
        memory_mib: 512,
        languages: &["en", "sv"],
        first_line: "## Input",
        ..USUAL
    };
    check(&imported, &expected);
    assert_eq!(names(&imported.content, false), ["hello"]);
    assert_eq!(imported.content.assumed, ["2 s, since the package names no time limit"]);
    assert!(imported.content.statement.ends_with("the string “Hello World!”."));
    assert!(imported.statements[1].1.starts_with("## Indata"));
}

#[test]
fn cowcrane_misses_its_picture() {
    let Some(imported) = real("cowcrane") else { return };
    let expected = Expected {
        title: "Cow Crane",
        shown: 4,
        hidden: 25,
        blobs: 30,
        repairs: &["The picture “crane” is not in the package. Add it, or leave it out."],
        first_line: "*[Photo](<https://secure.flickr.com/photos/misteraitch/2363608761/in/photostream/>) \
                     by Stuart Heath*",
        ..USUAL
    };
    check(&imported, &expected);
    assert_eq!(names(&imported.content, true)[0], "cowcrane-01");
    assert!(imported.content.statement.contains("and $1 \\leq t_m, t_l \\leq 10^8$."));
    assert!(imported.content.statement.contains("Print “`possible`” if"));
}

#[test]
fn tripletexting_takes_its_name_from_the_statement() {
    let Some(imported) = real("tripletexting") else { return };
    let expected = Expected {
        title: "Triple Texting",
        shown: 2,
        hidden: 11,
        blobs: 24,
        first_line: "Julia enjoys talking to her grandma, playing with legos,",
        ..USUAL
    };
    check(&imported, &expected);
}

#[test]
fn different_lacks_its_validator() {
    let Some(imported) = real("different") else { return };
    let expected = Expected {
        title: "A Different Problem",
        shown: 1,
        hidden: 2,
        blobs: 6,
        repairs: &[
            "Answers are to be judged by a program that the package does not include. They \
                    are compared word by word for now: see whether each input has only one right \
                    answer.",
        ],
        first_line: "Write a program that computes the difference between non-negative integers.",
        ..USUAL
    };
    check(&imported, &expected);
    assert_eq!(names(&imported.content, false), ["01", "02_extreme_cases"]);
}

#[test]
fn dexsave_compares_numbers() {
    let Some(imported) = real("dexsave") else { return };
    let expected = Expected {
        title: "DEX Save",
        shown: 3,
        hidden: 27,
        blobs: 60,
        comparison: Comparison {
            float_absolute: Some(1e-6),
            float_relative: Some(1e-6),
            ..Comparison::default()
        },
        repairs: &[
            "The picture “521px-Purple_d20” is not in the package. Add it, or leave it out.",
        ],
        first_line: "*Purple d20, public domain*",
        ..USUAL
    };
    check(&imported, &expected);
    assert!(imported.content.statement.contains("each of the form “`[+-]d`$x$”"));
}

#[test]
fn oddecho_is_scored_by_groups() {
    let Some(imported) = real("oddecho") else { return };
    let expected = Expected {
        title: "Odd Echo",
        shown: 2,
        hidden: 16,
        blobs: 36,
        languages: &["en", "sv"],
        first_line: "ECHO! Echo! Ech...",
        ..USUAL
    };
    check(&imported, &expected);
    let code = code(&imported.content);
    let group = |name: &str| Group { name: name.to_owned(), weight: 50, all_or_nothing: true };
    assert_eq!(code.groups, [group("subtask1"), group("subtask2")]);
    let of = |index| code.validators.iter().filter(|one| one.group == index).count();
    assert_eq!([of(None), of(Some(0)), of(Some(1))], [2, 3, 13]);
    assert!(code.validators.iter().all(|one| one.weight == u32::from(!one.shown)));
    assert!(imported.content.statement.ends_with(
        "| Group | Points | Constraints |\n| --- | --- | --- |\n| $1$ | $1$ | $N$ is always $5$ \
         |\n| $2$ | $1$ | No additional constraints |"
    ));
    assert!(imported.content.assumed[0].contains("“cave.jpg”"), "only the Swedish one shows it");
    let swedish = &imported.statements[1].1;
    assert!(swedish.starts_with("**EKO! Eko! Ek...**\n\n*CC-BY-SA 2.0 By William Craig"));
    assert!(swedish.contains("säger. ([https://sv.wikipedia.org/"), "the footnote is in the line");
}

fn check(imported: &Imported, expected: &Expected) {
    let (content, code) = (&imported.content, code(&imported.content));
    assert_eq!(content.title, expected.title);
    assert_eq!(names(content, true).len(), expected.shown);
    assert_eq!(names(content, false).len(), expected.hidden);
    assert_eq!(imported.blobs.len(), expected.blobs);
    assert_eq!(code.comparison, expected.comparison);
    assert!(code.validators.iter().all(|one| one.comparison.is_none()));
    let limits = Limits { memory_bytes: expected.memory_mib << 20, ..Limits::default() };
    assert_eq!(code.limits, limits);
    assert_eq!(code.languages, Language::general());
    assert_eq!(code.starters.len(), code.languages.len());
    assert_eq!(content.repairs, expected.repairs);
    let languages: Vec<_> = imported.statements.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(languages, expected.languages);
    assert_eq!(content.statement.lines().next(), Some(expected.first_line));
    assert_eq!(content.statement, imported.statements[0].1);
    for validator in &code.validators {
        for blob in [&validator.input, &validator.expected] {
            assert!(imported.blobs.iter().any(|(known, _)| known == blob), "{}", validator.name);
        }
    }
}
