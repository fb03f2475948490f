//! Runs many programs, and counts what is there before and after: files, mounts, groups,
//! processes, descriptors. They must be the same. `soak_runner 10000`.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use domain::{
    content::{Language, Limits, SourceFile},
    ids::SubmissionId,
    judging::Judging,
    ports::Sandbox,
    run::{Input, Job, Verdict},
};
use runner::{Config, NamespaceSandbox};

/// So that both slots and the change of languages take part.
const RUNS_PER_JOB: u32 = 25;
const SLOTS: usize = 2;

fn main() -> anyhow::Result<()> {
    runner::sandbox_main_if_asked();
    let runs = std::env::args().nth(1).map_or(Ok(10_000), |runs| runs.parse())?;
    tokio::runtime::Runtime::new()?.block_on(soak(runs))
}

async fn soak(runs: u32) -> anyhow::Result<()> {
    let sandbox = NamespaceSandbox::new(Config { slots: SLOTS, ..Config::default() }).await?;
    // Both helpers are started, and whatever is made once is made.
    two(&sandbox).await?;
    let mut out = std::io::stdout();
    let before = Counts::now();
    writeln!(out, "before {before:?}")?;
    for _ in 0..runs.div_ceil(2 * RUNS_PER_JOB) {
        two(&sandbox).await?;
    }
    let after = Counts::now();
    writeln!(out, "after  {after:?} ({runs} runs)")?;
    let (rss, pss) = helpers().iter().fold((0, 0), |most: (u64, u64), helper| {
        (most.0.max(kib(helper, "Rss:")), most.1.max(kib(helper, "Pss:")))
    });
    writeln!(out, "an idle helper: {rss} KiB resident, {pss} KiB its share")?;
    anyhow::ensure!(before == after, "something stayed behind");
    Ok(())
}

/// A compiled and an interpreted program at once, which leave what they can.
async fn two(sandbox: &NamespaceSandbox) -> anyhow::Result<()> {
    let c = "#include <fcntl.h>\n#include <sys/stat.h>\n#include <unistd.h>\n\
             int main(void) { open(\"left\", O_CREAT | O_WRONLY, 0644); mkfifo(\"pipe\", 0644);\n\
             if (!fork()) { setsid(); sleep(60); } write(1, \"hello\\n\", 6); }";
    let python = "import os\nos.symlink('/', 'left'); os.mkdir('/tmp/left')\nprint('hello')";
    let (c, python) = (job(Language::C, "main.c", c), job(Language::Python, "main.py", python));
    let (c, python) = tokio::join!(sandbox.run(&c, &|_| ()), sandbox.run(&python, &|_| ()));
    for outcome in [c, python] {
        let well = outcome.results.iter().all(|result| result.verdict == Verdict::Accepted);
        anyhow::ensure!(well && !outcome.results.is_empty(), "{outcome:?}");
    }
    Ok(())
}

fn job(language: Language, name: &str, text: &str) -> Job {
    let input = |validator| Input {
        validator,
        expected: Some(Bytes::from_static(b"hello\n")),
        ..Input::default()
    };
    Job {
        submission: SubmissionId::from_u128(1),
        language,
        files: vec![SourceFile { name: name.to_owned(), text: text.to_owned() }],
        limits: Limits { wall_ms: 30_000, ..Limits::default() },
        inputs: (0..u16::try_from(RUNS_PER_JOB).unwrap_or(1)).map(input).collect(),
        judging: Judging::Compare,
    }
}

/// How much there is of what a run could leave behind.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    /// Where everybody may write, of users that nobody has.
    files: usize,
    mounts: usize,
    helper_mounts: usize,
    groups: usize,
    processes: usize,
    descriptors: usize,
    helper_descriptors: usize,
    /// Helpers that hold more than the one program that they are to keep.
    hoarders: usize,
    shared_memory: usize,
}

impl Counts {
    fn now() -> Self {
        let helpers = helpers();
        let runs = helpers.iter().flat_map(|helper| children_of(helper));
        let names: Vec<_> = helpers.iter().map(|id| format!("polycode-{id}")).collect();
        let dirs = ["/tmp", "/var/tmp", "/dev/shm"];
        let open = |id: &String| entries(&format!("/proc/{id}/fd"));
        let is_kept = |path: &PathBuf| {
            fs::read_link(path).is_ok_and(|to| to.starts_with("/memfd:polycode (deleted)"))
        };
        let kept = |id: &String| open(id).iter().filter(|path| is_kept(path)).count();
        Self {
            files: dirs.iter().flat_map(|dir| entries(dir)).filter(|path| is_nobodys(path)).count(),
            mounts: lines("/proc/self/mountinfo"),
            helper_mounts: helpers.iter().map(|id| lines(&format!("/proc/{id}/mountinfo"))).sum(),
            groups: groups(Path::new("/sys/fs/cgroup"), &names, 0),
            processes: helpers.len() + runs.count(),
            descriptors: entries("/proc/self/fd").len(),
            helper_descriptors: helpers.iter().map(|id| open(id).len() - kept(id)).sum(),
            hoarders: helpers.iter().filter(|id| kept(id) > 1).count(),
            shared_memory: lines("/proc/sysvipc/shm"),
        }
    }
}

fn helpers() -> Vec<String> {
    children_of(&std::process::id().to_string())
}

fn children_of(parent: &str) -> Vec<String> {
    let processes = entries("/proc").into_iter().filter_map(|path| {
        let status = fs::read_to_string(path.join("status")).ok()?;
        let found = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim() == parent;
        found.then(|| path.file_name()?.to_str().map(str::to_owned))?
    });
    processes.collect()
}

fn entries(dir: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn lines(path: &str) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

fn is_nobodys(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::symlink_metadata(path).is_ok_and(|found| found.uid() >= 0x7000_0000)
}

/// The groups of our helpers, and those below them.
fn groups(dir: &Path, names: &[String], depth: u32) -> usize {
    let below = fs::read_dir(dir).into_iter().flatten().flatten();
    let below = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let count = below.map(|entry| {
        let ours = names.iter().any(|name| entry.path().to_string_lossy().contains(name.as_str()));
        usize::from(ours) + if depth < 6 { groups(&entry.path(), names, depth + 1) } else { 0 }
    });
    count.sum()
}

fn kib(helper: &str, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{helper}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
