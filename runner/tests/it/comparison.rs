//! The comparison against the cases that came with the ICPC's own validator.

use std::{fs, path::Path};

use runner::compare::{compare, parse_flags};

use crate::stage::shared;

/// What a validator answers for a right output; 43 for a wrong one.
const RIGHT: &str = "42";

#[test]
fn the_comparison_judges_as_the_validator_does() {
    let Some(shared) = shared() else {
        println!("left out: the validator's own 24 cases, no shared data");
        return;
    };
    let cases = fs::read_dir(shared.join("data/checker-cases")).expect("the cases");
    let cases: Vec<_> = cases.flatten().map(|case| case.path()).collect();
    assert_eq!(cases.len(), 24);
    for case in cases {
        let read = |name: &str| fs::read(case.join(name)).unwrap_or_default();
        let flags = String::from_utf8(read("args.txt")).expect("flags are text");
        let how = parse_flags(&flags).expect("flags are known");
        let wanted = read("expected_exit_code.txt");
        let right = String::from_utf8_lossy(&wanted).trim() == RIGHT;
        let found = compare(&read("user.out"), &read("judge.ans"), &how);
        assert_eq!(found.is_ok(), right, "{} {found:?}", name(&case));
    }
}

fn name(case: &Path) -> String {
    case.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
