//! What the tests stand on: a sandbox, and jobs in a line.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock},
};

use bytes::Bytes;
use domain::{
    content::{Language, Limits, SourceFile},
    ids::SubmissionId,
    judging::Judging,
    ports::Sandbox,
    run::{Input, Job, Outcome, Progress, ValidatorResult},
};
use runner::{Config, NamespaceSandbox};

/// A sandbox whose helper is the executable of this crate.
pub(crate) async fn sandbox() -> NamespaceSandbox {
    sandbox_of(1).await
}

/// One with so many slots.
pub(crate) async fn sandbox_of(slots: usize) -> NamespaceSandbox {
    let helper = PathBuf::from(env!("CARGO_BIN_EXE_polycode-sandbox"));
    let python_fork_server = variable(WARM).is_some();
    let config = Config { helper, slots, python_fork_server, ..Config::default() };
    let sandbox = NamespaceSandbox::new(config).await.expect("this machine can hold a sandbox");
    let is_warm = sandbox.walls().iter().any(|wall| wall.1 && wall.0 == "Python's fork server");
    assert_eq!(is_warm, python_fork_server, "{:?}", sandbox.walls());
    if let Some(level) = variable(EXPECTED) {
        let found = sandbox.isolation();
        assert!(found.contains(&format!("cgroup {level}")), "{level} is expected: {found}");
    }
    sandbox
}

/// If set, every sandbox keeps an interpreter of Python warm.
pub(crate) const WARM: &str = "POLYCODE_PYTHON_FORK_SERVER";

/// If set, the version of control groups that every sandbox must have found: a machine that was
/// made to show one (`make test-vm`) is not to pass with less.
pub(crate) const EXPECTED: &str = "POLYCODE_EXPECT_CGROUP";

/// Whether this machine was made to show groups with all their controllers.
pub(crate) fn has_all_groups() -> bool {
    variable(EXPECTED).is_some()
}

/// One that keeps in `dir` what it compiles.
pub(crate) async fn sandbox_keeping(dir: &Path) -> NamespaceSandbox {
    sandbox().await.keeping(dir, 512 << 20).expect("a directory")
}

/// A job with one input that is streamed and expects nothing.
pub(crate) fn job(language: Language, text: &str) -> Job {
    job_of(language, &[(language.main_file(), text)])
}

/// The same, of several files.
pub(crate) fn job_of(language: Language, files: &[(&str, &str)]) -> Job {
    let file = |(name, text): &(&str, &str)| SourceFile {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    };
    Job {
        submission: SubmissionId::from_u128(1),
        language,
        files: files.iter().map(file).collect(),
        limits: Limits { cpu_ms: 1_000, wall_ms: 3_000, ..Limits::default() },
        inputs: vec![input("", None)],
        judging: Judging::Compare,
    }
}

/// An input that is streamed.
pub(crate) fn input(stdin: &str, expected: Option<&str>) -> Input {
    Input {
        stdin: Bytes::copy_from_slice(stdin.as_bytes()),
        expected: expected.map(|text| Bytes::copy_from_slice(text.as_bytes())),
        streamed: true,
        ..Input::default()
    }
}

/// Runs `job` in a new sandbox and answers with its only result.
pub(crate) async fn run(job: &Job) -> ValidatorResult {
    let outcome = sandbox().await.run(job, &|_| ()).await;
    assert!(outcome.compiled, "{}", outcome.compiler_output);
    outcome.results.into_iter().next().expect("one input, one result")
}

/// Runs `job` and keeps what was told.
pub(crate) async fn told(job: &Job) -> (Outcome, Vec<Progress>) {
    let told = Mutex::new(Vec::new());
    let outcome = sandbox().await.run(job, &|p| told.lock().unwrap().push(p)).await;
    (outcome, told.into_inner().unwrap())
}

/// The project's shared data, if it is here. In CI it must be.
pub(crate) fn shared() -> Option<PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(find_shared).clone()
}

fn find_shared() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");
    let path = PathBuf::from(variable("POLYCODE_SHARED").unwrap_or_else(|| beside.to_owned()));
    let found = path.is_dir().then_some(path);
    assert!(found.is_some() || !in_ci(), "no shared data in CI");
    found
}

/// Whether nothing may be left out that the tests' own script installs.
pub(crate) fn in_ci() -> bool {
    variable("CI").as_deref() == Some("true")
}

#[expect(clippy::disallowed_methods, reason = "tests have no command line of their own")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Inits of a helper: in namespaces of their own, as an interpreter that it keeps warm is not.
pub(crate) fn inits_of(helper: &str) -> Vec<String> {
    let is_init = |id: &String| {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
        ids.split_whitespace().count() > 1
    };
    children_of(helper).into_iter().filter(is_init).collect()
}

/// Processes of runs of this test's helpers that are alive: their state and name.
pub(crate) fn alive() -> Vec<String> {
    let runs = helpers().into_iter().flat_map(|helper| inits_of(&helper));
    runs.map(|id| fs::read_to_string(format!("/proc/{id}/status")).unwrap_or(id)).collect()
}

/// The helpers of this test, which has a process for itself.
pub(crate) fn helpers() -> Vec<String> {
    children_of(&std::process::id().to_string())
}

/// The children of a process.
pub(crate) fn children_of(id: &str) -> Vec<String> {
    processes().filter(|(_, parent)| parent == id).map(|(child, _)| child).collect()
}

/// All processes of the machine, each with its parent.
fn processes() -> impl Iterator<Item = (String, String)> {
    fs::read_dir("/proc").expect("/proc").flatten().filter_map(|entry| {
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim();
        Some((entry.file_name().to_str()?.to_owned(), parent.to_owned()))
    })
}
