//! Counting and limiting a run as a whole, by the kernel's control groups where this machine gives
//! them. What it gives is found out by doing: a group is made, a child let loose in it past its
//! limit, and seen killed.

use std::{
    fs,
    io::{self, ErrorKind, Read, Seek},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, Mode, OFlags};

use crate::{frame::Walls, off::Off, sys};

mod v1;
mod v2;

/// What a run has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) cpu_us: u64,
    /// The most at once that this meter knows of.
    pub(crate) memory_bytes: u64,
    pub(crate) out_of_memory: bool,
    pub(crate) processes_hit: bool,
}

/// Counts and limits the runs of one helper, one after the other.
pub(crate) enum Meter {
    V2(v2::Groups),
    V1(v1::Groups),
    /// No cgroup can be used: why not. Init takes a census instead.
    Census(String),
}

impl Meter {
    /// The best meter that was seen to work here. Opens all it needs, so that it goes on working
    /// when the file system is left behind.
    pub(crate) fn probe() -> Self {
        let v2 = match v2::Groups::make() {
            Ok(groups) => match proved(Self::V2(groups)) {
                Ok(meter) => return meter,
                Err(why) => why,
            },
            Err(why) => why,
        };
        match v1::Groups::make().and_then(|groups| proved(Self::V1(groups))) {
            Ok(meter) => meter,
            Err(v1) => Self::Census(format!("v2: {v2:#}; v1: {v1:#}")),
        }
    }

    /// This level in words.
    pub(crate) fn level(&self) -> &'static str {
        match self {
            Self::V2(_) => "cgroup v2 (memory, processes, processor time)",
            Self::V1(_) => "cgroup v1 (memory, processes, processor time)",
            Self::Census(_) => "rlimits for each process, memory and time summed every 5 ms",
        }
    }

    /// Whether all runs together have fewer shares of the processors than the server, whatever they
    /// start; else, why not.
    pub(crate) fn shares(&self) -> Result<(), &str> {
        match self {
            Self::V2(groups) => groups.shares(),
            Self::V1(groups) => groups.shares(),
            Self::Census(_) => Err("there are no groups"),
        }
    }

    /// Readies a group for a run within `walls`.
    pub(crate) fn begin(&mut self, walls: &Walls) -> anyhow::Result<()> {
        match self {
            Self::V2(groups) => groups.begin(walls),
            Self::V1(groups) => groups.begin(walls),
            Self::Census(_) => Ok(()),
        }
    }

    /// The group of the present run, if it starts in it.
    pub(crate) fn group(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::V2(groups) => groups.group(),
            Self::V1(_) | Self::Census(_) => None,
        }
    }

    /// The files of the groups that a run has to join by itself.
    pub(crate) fn groups(&self) -> Vec<BorrowedFd<'_>> {
        match self {
            Self::V1(groups) => groups.tasks(),
            Self::V2(_) | Self::Census(_) => Vec::new(),
        }
    }

    /// Whether groups count what a run uses.
    pub(crate) fn counts(&self) -> bool {
        !matches!(self, Self::Census(_))
    }

    /// What the run has used since it began; `None` if only init knows.
    pub(crate) fn usage(&self) -> Option<Usage> {
        match self {
            Self::V2(groups) => groups.usage().ok(),
            Self::V1(groups) => groups.usage().ok(),
            Self::Census(_) => None,
        }
    }

    /// Tidies up after a run of which nothing is alive.
    pub(crate) fn end(&mut self) {
        match self {
            Self::V2(groups) => groups.end(),
            Self::V1(groups) => groups.end(),
            Self::Census(_) => {}
        }
    }
}

/// Puts the calling process, an init without children, into `groups`. Each thread for itself and by
/// itself: to move another one, the kernel waits until no processor is about to fork, 10 ms and more.
pub(crate) fn join(groups: &[BorrowedFd<'_>]) -> io::Result<()> {
    for tasks in groups {
        rustix::io::write(tasks, b"0")?;
    }
    Ok(())
}

/// Limits a child to 8 MiB, lets it take 32 and answers with the meter if that got it killed.
fn proved(mut meter: Meter) -> anyhow::Result<Meter> {
    const LIMIT: u64 = 8 << 20;
    let walls = Walls {
        cpu_ms: 1000,
        wall_ms: 1000,
        memory_bytes: LIMIT,
        processes: 4,
        output_bytes: 0,
        disk_bytes: 0,
    };
    meter.begin(&walls)?;
    let body = || {
        if join(&meter.groups()).is_err() {
            return 1;
        }
        // Written, not only reserved, and looked at, so that it is not optimised away.
        let taken = vec![1_u8; 32 << 20];
        i32::from(taken.iter().any(|&byte| byte != 1))
    };
    let (child, _) = sys::clone_init(meter.group(), Off::default(), &[], body)?;
    let ended = rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty())?;
    let killed = ended.is_some_and(|(_, status)| status.terminating_signal().is_some());
    let usage = meter.usage().unwrap_or_default();
    meter.end();
    anyhow::ensure!(killed && usage.out_of_memory, "a child passed its memory limit unharmed");
    Ok(meter)
}

/// A group's directory.
#[derive(Debug)]
struct Dir(OwnedFd);

impl Dir {
    fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    fn make(&self, name: &str) -> io::Result<Self> {
        rustix::fs::mkdirat(&self.0, name, Mode::from(0o755))?;
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    fn file(&self, name: &str, flags: OFlags) -> io::Result<fs::File> {
        let flags = flags | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, name, flags, Mode::empty())?.into())
    }

    fn write(&self, name: &str, value: impl std::fmt::Display) -> io::Result<()> {
        let file = self.file(name, OFlags::WRONLY)?;
        rustix::io::write(file, format!("{value}").as_bytes())?;
        Ok(())
    }

    fn reader(&self, name: &str) -> io::Result<fs::File> {
        self.file(name, OFlags::RDONLY)
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Reads an open file of a group again, from its start.
fn reread(mut file: &fs::File) -> io::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// The number in a file that holds nothing else.
fn number(file: &fs::File) -> anyhow::Result<u64> {
    Ok(reread(file)?.trim().parse()?)
}

/// The number after `key` in a file of keys and numbers; 0 without that key.
fn number_of(file: &fs::File, key: &str) -> anyhow::Result<u64> {
    let text = reread(file)?;
    let found = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    Ok(found.map_or(Ok(0), |number| number.trim().parse())?)
}

/// The directory of the group in which this process is, of the hierarchy that `/proc` lists as
/// `named`, and that is mounted where `is_it` says so of a mount's type and options.
fn own_group(
    named: impl Fn(&str) -> bool,
    is_it: impl Fn(&str, &str) -> bool,
) -> anyhow::Result<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let path = groups.lines().find_map(|line| {
        let (_, line) = line.split_once(':')?;
        let (controllers, path) = line.split_once(':')?;
        named(controllers).then_some(path)
    });
    let path = path.ok_or_else(|| anyhow::anyhow!("no such hierarchy"))?;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    for line in mounts.lines() {
        let Some((before, after)) = line.split_once(" - ") else { continue };
        let mut after = after.split(' ');
        let (kind, options) = (after.next().unwrap_or(""), after.nth(1).unwrap_or(""));
        let mut before = before.split(' ').skip(3);
        let (Some(root), Some(at)) = (before.next(), before.next()) else { continue };
        if let (true, Ok(below)) = (is_it(kind, options), Path::new(path).strip_prefix(root)) {
            return Ok(Path::new(at).join(below));
        }
    }
    anyhow::bail!("not mounted")
}

/// What the group of all helpers of a server is called, which divides the processors between them
/// and it; its process id follows where servers share a group.
const RUNS: &str = "polycode-runs";

/// The directory `name` below `parent`, made if it is not there.
fn dir_below(parent: &Path, name: &str) -> io::Result<PathBuf> {
    let runs = parent.join(name);
    match fs::create_dir(&runs) {
        Err(why) if why.kind() != ErrorKind::AlreadyExists => Err(why),
        _ => Ok(runs),
    }
}

/// How a helper's group is called.
fn own_name() -> String {
    format!("polycode-{}", std::process::id())
}

/// Removes groups of helpers, and of their servers, that were killed before they could.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let of_server = name.to_str().and_then(|name| name.strip_prefix("polycode-runs-"));
        let pid = of_server.or(name.to_str().and_then(|name| name.strip_prefix("polycode-")));
        let pid = pid.and_then(|pid| pid.parse::<u32>().ok());
        if pid.is_none_or(|pid| Path::new("/proc").join(pid.to_string()).exists()) {
            continue;
        }
        if of_server.is_some() {
            sweep(&entry.path());
        }
        let runs = fs::read_dir(entry.path()).into_iter().flatten().flatten();
        let runs = runs.filter(|run| run.file_name().as_encoded_bytes().starts_with(b"run-"));
        for group in runs.map(|run| run.path()).chain([entry.path()]) {
            if let Err(why) = fs::remove_dir(&group) {
                tracing::debug!(%why, "a group is in use, or another helper swept it first");
            }
        }
    }
}
