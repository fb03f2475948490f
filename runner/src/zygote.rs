//! The helper process: single-threaded, started by the server from its own executable, living in
//! a tree of its own, and the parent of all runs of one slot. The server, which has many threads,
//! never forks.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::{fs::PermissionsExt, net::UnixStream},
    },
    path::Path,
    process::ExitCode,
};

use rustix::{
    fs::{MemfdFlags, Mode, OFlags, SealFlags},
    io::FdFlags,
    pipe::{PipeFlags, pipe_with},
    process::{Pid, WaitId, WaitIdOptions},
};
use tokio::time::{Duration, Instant};

use crate::{
    cgroup::{Meter, Usage},
    descriptors,
    feed::Feed,
    frame::{self, Ending, Exit, Hello, Kept, Kind, Order, Start, Stop},
    init::{self, Charge, Report},
    languages::Interpreter,
    off::{Off, Wall},
    seccomp::Filters,
    sys,
    tap::Tap,
    tree::{self, Owner},
    walls,
    warm::{self, Warm},
    watch::Watch,
};

/// The name under which the server starts its own executable as a helper. The directory of
/// precompiled headers may follow, or nothing in its place; then the path and the version of a Python
/// that is to be kept warm.
pub(crate) const ARGV: [&str; 2] = ["polycode-sandbox", "--serve-the-socket-on-stdin"];

/// Becomes a helper of the sandbox, and never comes back, if this process was started as one.
/// `main` calls this first, before there is any other thread.
pub fn sandbox_main_if_asked() {
    warm::main_if_asked();
    if std::env::args().take(2).eq(ARGV) {
        let given = |nth| std::env::args_os().nth(nth).filter(|text| !text.is_empty());
        let headers = given(2);
        let python = given(3).zip(given(4)).and_then(|(path, version)| {
            let (path, version) = (path.into_string().ok()?, version.into_string().ok()?);
            Some(Interpreter { path, version })
        });
        let code = match serve(headers.as_deref().map(Path::new), python, Off::default()) {
            Ok(()) => 0,
            Err(why) if has_left(&why) => 0,
            Err(why) => {
                // Nobody has set up tracing in a helper; the server's standard error is ours.
                let told = writeln!(io::stderr(), "sandbox helper: {why:#}");
                if told.is_ok() { 1 } else { 2 }
            }
        };
        std::process::exit(code);
    }
}

/// The body of the executable `polycode-sandbox-without`: a helper with holes, for tests.
pub fn sandbox_main_without() -> ExitCode {
    let name = std::env::current_exe().unwrap_or_default();
    let name = name.file_name().and_then(|name| name.to_str());
    let walls = name.and_then(|name| name.strip_prefix("without-")).unwrap_or_default();
    // Left open by mistake, as any library might: not even the flag for it is set.
    let left_open = File::open("/usr");
    let unmarked = left_open.as_ref().map(|fd| rustix::io::fcntl_setfd(fd, FdFlags::empty()));
    let served = match unmarked {
        Ok(Ok(())) => Off::named(walls).and_then(|off| serve(None, None, off)),
        _ => Err(anyhow::anyhow!("nothing could be left open")),
    };
    if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The body of the executable `polycode-sandbox`, which exists to be started by the server.
pub fn sandbox_main() -> ExitCode {
    sandbox_main_if_asked();
    let told = writeln!(io::stderr(), "this program is started by the runner, not by hand");
    if told.is_ok() { ExitCode::from(64) } else { ExitCode::FAILURE }
}

/// The nice value that weighs half of the usual one, as groups of runs do; programs have a higher
/// one beside it, for where the kernel does not look at sessions.
const SESSION_NICE: i32 = 3;

/// A helper, ready for runs.
struct Zygote {
    control: UnixStream,
    owner: Owner,
    meter: Meter,
    filters: Filters,
    landlock: bool,
    off: Off,
    /// What the last order that asked for an artefact made: sealed, so that no run can change it
    /// for the next.
    kept: Option<OwnedFd>,
    warm: Option<Warm>,
}

fn serve(headers: Option<&Path>, python: Option<Interpreter>, off: Off) -> anyhow::Result<()> {
    let executable =
        rustix::fs::open("/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let mut zygote = Zygote::prepare(headers, off)?;
    let mut hello: Hello = walls::found(zygote.owner, &zygote.meter, zygote.landlock);
    if let Some(python) = python {
        let sessions = zygote.meter.shares().is_ok();
        let warm = Warm::start(executable, python, sessions, zygote.landlock);
        hello.walls.push(walls::warm(warm.as_ref().err()));
        zygote.warm = warm.ok();
    }
    frame::write_json(&mut zygote.control, Kind::Hello, &hello)?;
    while let Some((kind, payload)) = frame::read(&mut zygote.control)? {
        if matches!(kind, Kind::Halt | Kind::Input) {
            // The run ended by itself before this came.
            continue;
        }
        if kind == Kind::Artefact {
            zygote.kept = Some(sealed(&payload)?);
            continue;
        }
        anyhow::ensure!(kind == Kind::Order, "an order was expected");
        let mut order: Order = serde_json::from_slice(&payload)?;
        zygote.off.widen(&mut order.walls);
        let mut blobs = Vec::new();
        for _ in 0..=order.files.len() {
            let blob = frame::read(&mut zygote.control)?.filter(|(kind, _)| *kind == Kind::Blob);
            blobs.push(blob.ok_or_else(|| anyhow::anyhow!("a blob was expected"))?.1);
        }
        let stdin = blobs.pop().expect("one more than files");
        let talk = order.talks.then(|| descriptors::receive(&zygote.control)).transpose()?;
        let ending = zygote.run(&order, &blobs, &stdin, talk)?;
        frame::write_json(&mut zygote.control, Kind::Ending, &ending)?;
    }
    Ok(())
}

/// Whether the server hung up, which is how it stops a run.
fn has_left(why: &anyhow::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    let why = why.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(why, Some(BrokenPipe | ConnectionAborted | ConnectionReset))
}

impl Zygote {
    fn prepare(headers: Option<&Path>, off: Off) -> anyhow::Result<Self> {
        let control = UnixStream::from(rustix::stdio::stdin().try_clone_to_owned()?);
        let null = File::open("/dev/null")?;
        rustix::stdio::dup2_stdin(&null)?;
        // Before the tree is entered, in which there are no groups to be seen.
        let meter = Meter::probe();
        if meter.shares().is_err() {
            give_way()?;
        }
        let landlock = walls::has_landlock() && !off.has(Wall::Landlock);
        if rustix::process::geteuid().is_root() {
            // Without the right to do this there are no groups that would give any rights.
            if rustix::thread::set_thread_groups(&[]).is_err() {
                tracing::debug!("supplementary groups stay");
            }
        }
        let owner = tree::enter(headers, off)?;
        let filters = Filters::compile(meter.shares().is_ok())?;
        Ok(Self { control, owner, meter, filters, landlock, off, kept: None, warm: None })
    }

    /// Carries out one order. Fails only if this helper is of no more use.
    fn run(
        &mut self,
        order: &Order,
        blobs: &[Vec<u8>],
        stdin: &[u8],
        talk: Option<[OwnedFd; 2]>,
    ) -> anyhow::Result<Ending> {
        if order.artefact.is_some() {
            self.kept = None;
        }
        let wanted = order.kept != Kept::Nothing;
        anyhow::ensure!(!wanted || self.kept.is_some(), "nothing was kept");
        self.meter.begin(&order.walls)?;
        if let Some(warm) = self.warm.as_mut().filter(|_| order.start == Start::Copy) {
            warm.restored()?;
        }
        let started = Instant::now();
        let waited_before = sys::children_usage().0;
        let [stdout, stderr, report] = [pipe()?, pipe()?, pipe()?];
        let go = pipe_with(PipeFlags::CLOEXEC)?;
        let (stdin, feed, said) = input(order.open, stdin, talk, stdout.1)?;
        let charge = Charge {
            order,
            blobs,
            filters: &self.filters,
            landlock: self.landlock,
            off: self.off,
            groups: self.meter.groups(),
            is_counted: self.meter.counts(),
            sessions: self.meter.shares().is_ok(),
            python: None,
            kept: self.kept.as_ref().filter(|_| wanted),
            stdin,
            stdout: said,
            stderr: stderr.1,
            go: go.0,
            report: report.1,
        };
        let mut ours = vec![go.1.as_fd(), self.control.as_fd()];
        // Input ends when we say so, not when init does.
        ours.extend(feed.as_ref().and_then(Feed::pipe));
        let (pid, init) = self.clone_init(&charge, ours)?;
        // Our copies of its ends, of which it must not be us who holds the last.
        drop(charge);
        let let_go = self.let_go(pid, &go.1);
        if let_go.is_err() {
            // Init takes the end of this pipe for ours, and ends too.
            drop(go.1);
        }
        let output = order.walls.output_bytes as usize;
        let mut watch = Watch {
            init: &init,
            control: &self.control,
            meter: &self.meter,
            walls: &order.walls,
            started,
            stop: None,
            memory_bytes: 0,
            feed,
            taps: [
                Tap::new(stdout.0, Kind::Stdout, order.streamed, output),
                Tap::new(stderr.0, Kind::Stderr, order.streamed, output),
                Tap::new(report.0, Kind::Ending, false, frame::PAYLOAD_BYTES_MAX),
            ],
        };
        let watched = watch.until_end();
        rustix::process::waitid(WaitId::PidFd(init.as_fd()), WaitIdOptions::EXITED)?;
        let (wall, usage) = (started.elapsed(), self.meter.usage());
        let (stop, seen, [_, _, report]) = (watch.stop, watch.memory_bytes, watch.taps);
        self.meter.end();
        watched?;
        let mut report = self.reported(&report.into_bytes(), let_go)?;
        // Init, killed, tells of no census; but the kernel reaps its children for it, and counts.
        report.census.cpu_us =
            report.census.cpu_us.max(sys::children_usage().0.saturating_sub(waited_before));
        let mut ending = ending(report, stop, usage, wall);
        ending.memory_bytes = ending.memory_bytes.max(seen);
        ending.kept = self.kept.is_some();
        Ok(ending)
    }

    /// Starts the init of `charge`, which does not inherit `ours`.
    fn clone_init<'a>(
        &'a self,
        charge: &Charge<'_>,
        mut ours: Vec<BorrowedFd<'a>>,
    ) -> anyhow::Result<(Pid, OwnedFd)> {
        let group = self.meter.group();
        if let Some(warm) = self.warm.as_ref().filter(|_| charge.order.start == Start::Copy) {
            let order = sealed(&warm::written(charge.order, charge.blobs)?)?;
            return warm.clone_init(group, charge, &order);
        }
        ours.extend(self.warm.as_ref().map(AsFd::as_fd));
        Ok(sys::clone_init(group, self.off, &ours, || init::live(charge))?)
    }

    /// Makes `init` a user outside, and tells it to go on.
    fn let_go(&self, init: Pid, go: &OwnedFd) -> anyhow::Result<()> {
        let proc = Path::new("/proc").join(init.as_raw_nonzero().to_string());
        let (uid, gid) = match self.owner {
            Owner::Unused(id) => (id, id),
            Owner::Ours { uid, gid } => (uid, gid),
        };
        // The machine, short of memory, is to take it from runs before all others.
        fs::write(proc.join("oom_score_adj"), "1000")?;
        fs::write(proc.join("setgroups"), "deny")?;
        let inside = init::inside_id(self.off);
        fs::write(proc.join("uid_map"), format!("{inside} {uid} 1"))?;
        fs::write(proc.join("gid_map"), format!("{inside} {gid} 1"))?;
        rustix::io::write(go, b"g")?;
        Ok(())
    }

    /// Reads what init reported and keeps the artefact. Init that was killed reports nothing.
    fn reported(&mut self, mut bytes: &[u8], let_go: anyhow::Result<()>) -> anyhow::Result<Report> {
        if let Err(why) = let_go {
            return Ok(Report::of(Exit::NotStarted(format!("{why:#}"))));
        }
        while let Ok(Some((kind, payload))) = frame::read(&mut bytes) {
            if kind == Kind::Artefact {
                self.kept = Some(sealed(&payload)?);
                frame::write(&mut self.control, Kind::Artefact, &payload)?;
            } else if kind == Kind::Feedback {
                frame::write(&mut self.control, kind, &payload)?;
            } else {
                return Ok(serde_json::from_slice(&payload)?);
            }
        }
        Ok(Report::of(Exit::Stopped))
    }
}

/// Moves this helper to a session of its own, in which its runs stay. Where the kernel divides the
/// processors between sessions, as most do, it has half of the server's shares, see sched(7).
fn give_way() -> anyhow::Result<()> {
    rustix::process::setsid()?;
    let nice = || fs::write("/proc/self/autogroup", SESSION_NICE.to_string());
    let mut tries = 1..20;
    // An ordinary user is let do this ten times a second, with all others.
    while nice().is_err_and(|why| why.kind() == io::ErrorKind::WouldBlock) && tries.next().is_some()
    {
        std::thread::sleep(Duration::from_millis(60));
    }
    Ok(())
}

/// What a run reads, what feeds that, and where it writes: to `stdout`, if it does not talk.
fn input(
    open: bool,
    stdin: &[u8],
    talk: Option<[OwnedFd; 2]>,
    stdout: OwnedFd,
) -> anyhow::Result<(OwnedFd, Option<Feed>, OwnedFd)> {
    Ok(match talk {
        Some([stdin, stdout]) => (stdin, None, stdout),
        None if open => {
            let (stdin, feed) = fed(stdin)?;
            (stdin, feed, stdout)
        }
        None => (sealed(stdin)?, None, stdout),
    })
}

/// A pipe out of a run. Only our end does not block.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}

/// A pipe into a run that begins with `first`. Only our end does not block.
fn fed(first: &[u8]) -> io::Result<(OwnedFd, Option<Feed>)> {
    let (theirs, ours) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((theirs, Some(Feed::new(ours, first))))
}

/// A file in memory that nobody can change: a program, or standard input, for which a pipe would
/// need somebody to fill it.
fn sealed(bytes: &[u8]) -> anyhow::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know the flag, and need none.
    let file = rustix::fs::memfd_create("polycode", flags | MemfdFlags::EXEC)
        .or_else(|_| rustix::fs::memfd_create("polycode", flags))?;
    let mut writer = File::from(file);
    writer.write_all(bytes)?;
    writer.set_permissions(fs::Permissions::from_mode(0o555))?;
    let seals = SealFlags::SEAL | SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK;
    rustix::fs::fcntl_add_seals(&writer, seals)?;
    // What is open for writing cannot be executed.
    let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
    Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

fn ending(report: Report, stop: Option<Stop>, usage: Option<Usage>, wall: Duration) -> Ending {
    let census = report.census;
    let usage = usage.unwrap_or(Usage {
        cpu_us: census.cpu_us,
        memory_bytes: census.memory_bytes,
        out_of_memory: false,
        processes_hit: census.processes_hit,
    });
    let out_of_memory = usage.out_of_memory.then_some(Stop::Memory);
    Ending {
        exit: report.exit,
        stop: stop.or(report.stop).or(out_of_memory),
        processes_hit: usage.processes_hit,
        kept: false,
        disk_full: report.disk_full,
        cpu_ms: u32::try_from(usage.cpu_us / 1000).unwrap_or(u32::MAX),
        wall_ms: u32::try_from(wall.as_millis()).unwrap_or(u32::MAX),
        memory_bytes: usage.memory_bytes,
    }
}
