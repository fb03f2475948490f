//! What is seen of one hostile run from outside: before, while and after it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use domain::{
    content::Language,
    ports::Sandbox,
    run::{Channel, Job, Outcome, Progress, ValidatorResult, Verdict},
};
use runner::NamespaceSandbox;
use tokio::time::{Duration, Instant};

use super::Canaries;
use crate::stage::{alive, helpers, job};

/// Everything that a probe may look at.
pub(super) struct Evidence {
    pub(super) job: Job,
    pub(super) outcome: Outcome,
    /// What was told, and when after the first moment.
    pub(super) told: Vec<(Duration, Progress)>,
    /// Processes of the run that lived when the verdict was told.
    pub(super) alive: Vec<String>,
    pub(super) before: Machine,
    pub(super) after: Machine,
    pub(super) most: Most,
    /// How long a run that does nothing took before, and how long right after.
    pub(super) idle: Duration,
    pub(super) next: Duration,
    pub(super) next_verdict: Verdict,
    /// The same again, once in the same slot and twice at once; empty where nothing asks for it.
    pub(super) again: Vec<Outcome>,
    pub(super) canaries: Result<(), String>,
}

/// The part of a machine that a run might have changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) helpers: Vec<String>,
    /// The mounts of this process, and those of its helpers.
    pub(super) mounts: Vec<String>,
    pub(super) helper_mounts: Vec<String>,
    /// Groups of runs, below those of our helpers.
    pub(super) groups: Vec<PathBuf>,
    pub(super) shared_memory: bool,
    /// What lies where everybody may write, and belongs to users that nobody has.
    pub(super) strays: Vec<PathBuf>,
    pub(super) cores: Vec<PathBuf>,
    pub(super) helper_file: Option<(u64, std::time::SystemTime)>,
    pub(super) open_files: u64,
    /// Kills by memory among the server's own group; it is not a run.
    pub(super) own_kills: String,
    /// Read by and used by the helpers: bytes, and processor time in ticks of 10 ms.
    pub(super) helper_read_bytes: u64,
    pub(super) helper_ticks: u64,
}

/// The most that was seen at once while the run lasted; 0 where nothing shows it.
#[derive(Debug, Default)]
pub(super) struct Most {
    pub(super) tasks: u64,
    pub(super) memory_bytes: u64,
    pub(super) helper_grown_bytes: u64,
}

impl Evidence {
    /// Runs `job`, and looks.
    pub(super) async fn of(
        job: Job,
        sandbox: &NamespaceSandbox,
        repeat: Option<&NamespaceSandbox>,
        canaries: &Canaries,
    ) -> Self {
        let idle = nothing(sandbox).await.0.max(nothing(sandbox).await.0);
        let before = Machine::now();
        let resident = helper_memory("VmRSS:");
        for helper in helpers() {
            // Makes the peak start again. Without the right to do this it is a higher one.
            if fs::write(format!("/proc/{helper}/clear_refs"), "5").is_err() {
                println!("the peak of a helper is that of its life");
            }
        }
        let (told, start) = (Mutex::new(Vec::new()), Instant::now());
        let tell = |progress| told.lock().unwrap().push((start.elapsed(), progress));
        let done = Arc::new(AtomicBool::new(false));
        let watcher = std::thread::spawn({
            let (groups, done) = (group_dirs(), Arc::clone(&done));
            move || watch(&groups, &done)
        });
        let outcome = sandbox.run(&job, &tell).await;
        let alive = alive();
        done.store(true, Ordering::Relaxed);
        let mut most = watcher.join().unwrap();
        most.helper_grown_bytes = helper_memory("VmHWM:").saturating_sub(resident);
        let (next, next_verdict) = nothing(sandbox).await;
        let after = Machine::now();
        let mut again = Vec::new();
        if let Some(two) = repeat {
            again.push(sandbox.run(&job, &|_| ()).await);
            let (one, other) = tokio::join!(two.run(&job, &|_| ()), two.run(&job, &|_| ()));
            again.extend([one, other]);
        }
        let told = told.into_inner().unwrap();
        let canaries = canaries.untouched();
        Self {
            job,
            outcome,
            told,
            alive,
            before,
            after,
            most,
            idle,
            next,
            next_verdict,
            again,
            canaries,
        }
    }

    pub(super) fn result(&self) -> Option<&ValidatorResult> {
        self.outcome.results.first()
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.result().map_or(Verdict::CompileError, |result| result.verdict)
    }

    /// All that the program and its compiler printed, of every time it ran.
    pub(super) fn printed(&self) -> String {
        let outcomes = std::iter::once(&self.outcome).chain(&self.again);
        outcomes
            .flat_map(|outcome| {
                let results = outcome.results.iter().flat_map(|r| [&r.stdout, &r.stderr]);
                results.chain([&outcome.compiler_output]).map(|text| format!("{text}\n"))
            })
            .collect()
    }

    /// How long the run lasted as whoever asked for it saw it, from its start to its verdict.
    pub(super) fn took(&self) -> Duration {
        let at = |is: fn(&Progress) -> bool| {
            self.told.iter().find(|(_, p)| is(p)).map_or(Duration::ZERO, |(at, _)| *at)
        };
        let start = at(|p| matches!(p, Progress::Running { .. }));
        at(|p| matches!(p, Progress::Judged(_))).saturating_sub(start)
    }

    /// What a shared machine may add to any time.
    pub(super) fn slack(&self) -> Duration {
        self.idle.max(self.next.min(self.idle * 4)) * 10
    }

    /// The bytes told of one channel, and how many pieces they came in.
    pub(super) fn bytes(&self, of: Channel) -> (Vec<u8>, usize) {
        let mut pieces = 0;
        let mut all = Vec::new();
        for (_, progress) in &self.told {
            if let Progress::Output { channel, bytes, .. } = progress
                && *channel == of
            {
                all.extend_from_slice(bytes);
                pieces += 1;
            }
        }
        (all, pieces)
    }
}

/// A run that does nothing: how long it took.
async fn nothing(sandbox: &NamespaceSandbox) -> (Duration, Verdict) {
    let told = Mutex::new((Instant::now(), Duration::ZERO));
    let tell = |progress| {
        let mut told = told.lock().unwrap();
        match progress {
            Progress::Running { .. } => told.0 = Instant::now(),
            Progress::Judged(_) => told.1 = told.0.elapsed(),
            Progress::Compiling | Progress::Output { .. } => {}
        }
    };
    let mut job = job(Language::Python, "");
    job.limits.wall_ms = 10_000;
    let outcome = sandbox.run(&job, &tell).await;
    (told.into_inner().unwrap().1, outcome.results[0].verdict)
}

impl Machine {
    fn now() -> Self {
        let helpers = helpers();
        let lines = |path: String| -> Vec<String> {
            fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
        };
        let helper_mounts =
            helpers.iter().flat_map(|helper| lines(format!("/proc/{helper}/mountinfo")));
        let shared = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
        let key = 0x5eed.to_string();
        let program = env!("CARGO_BIN_EXE_polycode-sandbox");
        let files = fs::read_to_string("/proc/sys/fs/file-nr").unwrap_or_default();
        let files = files.split_whitespace().next().and_then(|n| n.parse().ok());
        Self {
            mounts: lines("/proc/self/mountinfo".to_owned()),
            helper_mounts: helper_mounts.collect(),
            groups: group_dirs().into_iter().flat_map(|dir| entries(&dir, "run-")).collect(),
            shared_memory: shared.lines().any(|l| l.split_whitespace().next() == Some(&key)),
            strays: ["/tmp", "/var/tmp", "/dev/shm"].iter().flat_map(|d| strays(d)).collect(),
            cores: ["/", ".", "/tmp"].iter().flat_map(|d| entries(Path::new(d), "core")).collect(),
            helper_file: fs::metadata(program).ok().map(|m| (m.len(), m.modified().unwrap())),
            open_files: files.unwrap_or(0),
            own_kills: own_kills(),
            helper_read_bytes: helpers.iter().map(|h| number_in(h, "io", "rchar:")).sum(),
            helper_ticks: helpers.iter().map(|helper| ticks(helper)).sum(),
            helpers,
        }
    }
}

/// Processor time of a helper itself.
fn ticks(helper: &str) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{helper}/stat")).unwrap_or_default();
    let after = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    after.split(' ').skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum()
}

fn number_in(helper: &str, file: &str, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{helper}/{file}")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn helper_memory(key: &str) -> u64 {
    helpers().iter().map(|helper| number_in(helper, "status", key) * 1024).max().unwrap_or(0)
}

fn strays(dir: &str) -> Vec<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let theirs = entries.filter(|e| e.metadata().is_ok_and(|m| m.uid() >= 0x7000_0000));
    theirs.map(|entry| entry.path()).collect()
}

fn entries(dir: &Path, start: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let named = entries.filter(|e| e.file_name().as_encoded_bytes().starts_with(start.as_bytes()));
    named.map(|entry| entry.path()).collect()
}

/// The groups of our helpers, in whatever hierarchies there are.
pub(super) fn group_dirs() -> Vec<PathBuf> {
    let names: Vec<String> = helpers().iter().map(|pid| format!("polycode-{pid}")).collect();
    let mut found = Vec::new();
    let mut open = vec![(PathBuf::from("/sys/fs/cgroup"), 0)];
    while let Some((dir, depth)) = open.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if names.iter().any(|name| entry.file_name() == name.as_str()) {
                found.push(entry.path());
            } else if depth < 5 {
                open.push((entry.path(), depth + 1));
            }
        }
    }
    found
}

fn own_kills() -> String {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = |named: &str| groups.lines().find_map(|line| Some(line.split_once(named)?.1));
    let v1 = own(":memory:").map(|own| format!("/sys/fs/cgroup/memory{own}/memory.oom_control"));
    let v2 = own("0::").map(|own| format!("/sys/fs/cgroup{own}/memory.events"));
    let events = v1.or(v2).and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    events.lines().filter(|line| line.starts_with("oom_kill ")).collect()
}

/// Looks at the groups again and again until the run is over.
fn watch(groups: &[PathBuf], done: &AtomicBool) -> Most {
    let number = |path: PathBuf| -> u64 {
        fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    };
    let mut most = Most::default();
    while !done.load(Ordering::Relaxed) {
        for group in groups {
            most.tasks = most.tasks.max(number(group.join("pids.current")));
            // A run's own: in the helper's, what earlier runs read from the disk is counted too.
            for run in entries(group, "run-") {
                let memory = number(run.join("memory.usage_in_bytes"));
                let memory = memory.max(number(run.join("memory.current")));
                most.memory_bytes = most.memory_bytes.max(memory);
            }
        }
        // Between two looks, not for anything.
        std::thread::park_timeout(Duration::from_millis(2));
    }
    most
}
