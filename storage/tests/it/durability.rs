//! An append is answered after the disk has it: seen from outside, in the system calls.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

#[test]
fn an_append_is_answered_after_the_log_is_synced() {
    let Some(calls) = calls_of(&[]) else { return };
    assert!(synced_between(&calls), "no sync of the log between start and done:\n{calls}");
}

#[test]
fn the_check_notices_a_store_that_does_not_sync() {
    let Some(calls) = calls_of(&["unsynced"]) else { return };
    assert!(!synced_between(&calls), "a sync of the log where none was asked for:\n{calls}");
}

/// Whether the write-ahead log was synced between the words of the example.
fn synced_between(calls: &str) -> bool {
    let start = calls.find("\"start\\n\"").expect("the example says start");
    let done = calls.find("\"done\\n\"").expect("the example says done");
    let between = calls.get(start..done).expect("start comes before done");
    let mut lines = between.lines();
    lines.any(|line| line.contains("sync(") && line.contains("polycode.db-wal"))
}

/// The example's writes and syncs, or nothing where they cannot be seen.
fn calls_of(arguments: &[&str]) -> Option<String> {
    if Command::new("strace").arg("-V").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "strace must be there");
        eprintln!("left out: strace is not installed");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    let status = Command::new("strace")
        .args(["-f", "-y", "-e", "trace=fsync,fdatasync,write,pwrite64", "-o"])
        .arg(&trace)
        .arg(example())
        .arg(dir.path().join("data"))
        .args(arguments)
        .status()
        .unwrap();
    assert!(status.success());
    Some(fs::read_to_string(&trace).unwrap())
}

/// Cargo builds the examples for the tests of their package, beside them.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    profile.join("examples/append_once")
}
