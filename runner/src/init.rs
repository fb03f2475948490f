//! The first process of a run's namespaces: makes the run's own files, starts the program, reaps
//! what it leaves behind, and says how it ended. When this process ends, the kernel ends all
//! others of the namespace; so to stop a run is to kill this one.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags, ResolveFlags},
    mount::{MountFlags, mount},
    process::{DumpableBehavior, Pid, Signal, WaitOptions, WaitStatus},
    thread::UnshareFlags,
};
use serde::{Deserialize, Serialize};

use crate::{
    census::{self, Census},
    cgroup, feedback,
    frame::{self, Exit, Kept, Kind, Order, Stop},
    languages::ARTEFACT,
    off::{Off, Wall},
    program,
    seccomp::Filters,
    sys::{self, python::Python},
    tree::{BOX, WORK},
};

/// Who the program is inside, see `/etc/passwd` there.
const INSIDE_ID: u32 = 1000;
/// The largest file that is handed out of a run, in bytes.
const ARTEFACT_BYTES_MAX: u64 = 64 << 20;

/// Everything init needs, made before it exists.
pub(crate) struct Charge<'a> {
    pub(crate) order: &'a Order,
    pub(crate) blobs: &'a [Vec<u8>],
    pub(crate) filters: &'a Filters,
    /// Whether Landlock is there to be used.
    pub(crate) landlock: bool,
    pub(crate) off: Off,
    /// The groups that it is to join, by their files.
    pub(crate) groups: Vec<BorrowedFd<'a>>,
    /// Whether a group counts what the run uses; else init does.
    pub(crate) is_counted: bool,
    /// Whether programs may make sessions.
    pub(crate) sessions: bool,
    /// What was kept, where the order wants it.
    pub(crate) kept: Option<&'a OwnedFd>,
    /// The interpreter that the program is to be run by, in a copy of this process.
    pub(crate) python: Option<&'a Python>,
    pub(crate) stdin: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
    /// A byte comes when this process is mapped and limited; its end is the helper's end.
    pub(crate) go: OwnedFd,
    pub(crate) report: OwnedFd,
}

impl Charge<'_> {
    /// The program, where it is what was kept.
    pub(crate) fn program(&self) -> Option<&OwnedFd> {
        self.kept.filter(|_| self.order.kept == Kept::Program)
    }

    fn file(&self) -> Option<&OwnedFd> {
        self.kept.filter(|_| self.order.kept == Kept::File)
    }
}

/// What init found.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) exit: Exit,
    pub(crate) stop: Option<Stop>,
    pub(crate) disk_full: bool,
    pub(crate) census: Census,
}

/// Who the program is inside.
pub(crate) fn inside_id(off: Off) -> u32 {
    if off.has(Wall::Nobody) { 0 } else { INSIDE_ID }
}

/// The life of init, from its first moment; the answer is its exit code.
pub(crate) fn live(charge: &Charge<'_>) -> i32 {
    let mut to = File::from(charge.report.try_clone().expect("a descriptor is free"));
    let (report, taken) = match started(charge) {
        Ok((program, work)) => ended(program, &work, charge),
        Err(why) => (Report::of(Exit::NotStarted(format!("{why:#}"))), Vec::new()),
    };
    let told = taken
        .iter()
        .try_for_each(|(kind, bytes)| frame::write(&mut to, *kind, bytes))
        .and_then(|()| frame::write_json(&mut to, Kind::Ending, &report));
    i32::from(told.is_err())
}

impl Report {
    /// A report that knows nothing but this.
    pub(crate) fn of(exit: Exit) -> Self {
        Self { exit, stop: None, disk_full: false, census: Census::default() }
    }
}

fn started(charge: &Charge<'_>) -> anyhow::Result<(Pid, OwnedFd)> {
    let mut byte = [0];
    anyhow::ensure!(rustix::io::read(&charge.go, &mut byte)? == 1, "the helper has gone");
    cgroup::join(&charge.groups)?;
    become_nobody(charge)?;
    let work = furnish(charge)?;
    rustix::stdio::dup2_stdin(&charge.stdin)?;
    rustix::stdio::dup2_stdout(&charge.stdout)?;
    rustix::stdio::dup2_stderr(&charge.stderr)?;
    if !charge.off.has(Wall::Capabilities) {
        program::give_up_capabilities()?;
    }
    Ok((start(charge)?, work))
}

/// Becomes the run's user, and one whom nobody may trace or read.
fn become_nobody(charge: &Charge<'_>) -> anyhow::Result<()> {
    let inside = inside_id(charge.off);
    let gid = rustix::process::Gid::from_raw(inside);
    let uid = rustix::process::Uid::from_raw(inside);
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    let open = charge.off.has(Wall::Tracing);
    let dumpable = if open { DumpableBehavior::Dumpable } else { DumpableBehavior::NotDumpable };
    rustix::process::set_dumpable_behavior(dumpable)?;
    // Changing users clears this, so it comes after; the poll is for a helper that died before.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut go = [PollFd::new(&charge.go, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    anyhow::ensure!(poll(&mut go, Some(&now))? == 0, "the helper has gone");
    // Hides the names of groups outside; not having it lets nothing out.
    if sys::unshare(UnshareFlags::NEWCGROUP).is_err() {
        rustix::thread::set_name(c"init")?;
    }
    rustix::system::sethostname(b"sandbox")?;
    Ok(())
}

/// Mounts the run's own files and puts the order's into the work directory.
fn furnish(charge: &Charge<'_>) -> anyhow::Result<OwnedFd> {
    let placed = charge.file().map(rustix::fs::fstat).transpose()?;
    // What was compiled is none of what the program writes.
    let placed = placed.map_or(0, |file| u64::try_from(file.st_size).unwrap_or(0));
    let space = charge.order.walls.disk_bytes + placed.next_multiple_of(4096);
    // Metadata is memory too: as many files as there are pages, and some.
    let options = format!("mode=755,size={space},nr_inodes={}", 64 + space / 4096);
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", BOX, "tmpfs", flags, std::ffi::CString::new(options)?.as_c_str())?;
    let flags = flags | MountFlags::NOEXEC;
    if charge.off.has(Wall::Proc) {
        // The machine's stays in sight.
    } else if mount("proc", "/proc", "proc", flags, c"subset=pid").is_err()
        && mount("proc", "/proc", "proc", flags, None::<&std::ffi::CStr>).is_err()
    {
        // Some hosts forbid it; then an empty directory must hide the helper's. But a census
        // without it would see nobody, and limit nothing.
        anyhow::ensure!(charge.is_counted, "neither a control group nor a /proc is to be had here");
        mount("tmpfs", "/proc", "tmpfs", flags | MountFlags::RDONLY, c"size=0,nr_inodes=1")?;
    }
    for dir in [WORK, "/box/tmp", "/box/shm"] {
        fs::create_dir(dir)?;
    }
    std::env::set_current_dir(WORK)?;
    let work = rustix::fs::open(".", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    if let Some(directory) = &charge.order.feedback {
        rustix::fs::mkdirat(&work, directory.as_str(), Mode::from(0o755))?;
    }
    for (name, bytes) in charge.order.files.iter().zip(charge.blobs) {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&work, name.as_str(), flags, Mode::from(0o644))?;
        File::from(file).write_all(bytes)?;
    }
    if let Some(kept) = charge.file() {
        place(&work, kept)?;
    }
    Ok(work)
}

/// Copies what was kept into the work directory: whatever a run does to it, the next one gets it
/// as it was.
fn place(work: &OwnedFd, kept: &OwnedFd) -> anyhow::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let to = rustix::fs::openat(work, ARTEFACT, flags, Mode::from(0o444))?;
    let mut at = 0;
    while rustix::fs::sendfile(&to, kept, Some(&mut at), 1 << 30)? > 0 {}
    Ok(())
}

/// Starts the program as the second process, and knows whether it was.
fn start(charge: &Charge<'_>) -> anyhow::Result<Pid> {
    let (ours, theirs) = io::pipe()?;
    let pid = sys::fork(|| {
        let why = program::exec(charge);
        let told = (&theirs).write_all(format!("{why:#}").as_bytes());
        if told.is_ok() { 127 } else { 126 }
    })?;
    drop(theirs);
    let mut why = String::new();
    (&ours).read_to_string(&mut why)?;
    anyhow::ensure!(why.is_empty(), "{why}");
    Ok(pid)
}

/// Waits for the program's end, stops the rest, and takes out what the order asked for.
fn ended(program: Pid, work: &OwnedFd, charge: &Charge<'_>) -> (Report, Vec<(Kind, Vec<u8>)>) {
    let mut seen = Census::default();
    let (exit, stop) = if charge.is_counted {
        (wait_blocking(program), None)
    } else {
        census::wait(program, &charge.order.walls, &mut seen)
    };
    sys::kill_all_others();
    let wanted = charge.order.artefact.as_deref().filter(|_| exit == Exit::Code(0));
    let artefact = wanted.and_then(|name| collect(work, name, ARTEFACT_BYTES_MAX).ok());
    let mut taken: Vec<_> = artefact.map(|bytes| (Kind::Artefact, bytes)).into_iter().collect();
    if let Some(directory) = &charge.order.feedback {
        taken.extend(
            feedback::collect(work, directory).into_iter().map(|bytes| (Kind::Feedback, bytes)),
        );
    }
    let disk_full =
        rustix::fs::fstatvfs(work).is_ok_and(|space| space.f_bavail == 0 || space.f_favail == 0);
    (Report { exit, stop, disk_full, census: seen }, taken)
}

fn wait_blocking(program: Pid) -> Exit {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == program => return exit_of(status),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Exit::Stopped,
        }
    }
}

/// How a process that was waited for ended.
pub(crate) fn exit_of(status: WaitStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Stopped,
    }
}

/// Reads the file `name` of the directory `work`, in which untrusted programs wrote: it may be
/// anything, a link out of the directory or a pipe that never answers, and is taken only if it is
/// a plain file of at most `most` bytes.
pub(crate) fn collect(work: &OwnedFd, name: &str, most: u64) -> anyhow::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    let file = rustix::fs::openat2(work.as_fd(), name, flags, Mode::empty(), resolve)?;
    let file = File::from(file);
    let found = file.metadata()?;
    anyhow::ensure!(found.is_file() && found.len() <= most, "not to be taken out");
    let mut bytes = Vec::new();
    file.take(found.len()).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_no_plain_file_is_not_collected() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let within = |name: &str| dir.path().join(name);
        fs::write(outside.path().join("secret"), "secret").unwrap();
        fs::write(within("plain"), "plain").unwrap();
        symlink(outside.path().join("secret"), within("link")).unwrap();
        symlink(outside.path(), within("way")).unwrap();
        symlink("plain", within("inner-link")).unwrap();
        fs::create_dir(within("dir")).unwrap();
        File::create(within("huge")).unwrap().set_len(1 << 40).unwrap();
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, within("pipe"), fifo, Mode::from(0o644), 0).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(within("socket")).unwrap();
        let work = OwnedFd::from(File::open(dir.path()).unwrap());
        assert_eq!(collect(&work, "plain", ARTEFACT_BYTES_MAX).unwrap(), b"plain");
        let outside = format!("{}/secret", outside.path().display());
        for name in [
            "link",
            "way/secret",
            "inner-link",
            "dir",
            "huge",
            "pipe",
            "socket",
            "../x",
            &outside,
            "/etc/passwd",
        ] {
            assert!(collect(&work, name, ARTEFACT_BYTES_MAX).is_err(), "{name}");
        }
        drop(socket);
    }
}
