//! What each line of `must_not` in the manifest is looked for with.

use domain::run::{Channel, Verdict};
use tokio::time::Duration;

use super::{CANARY, evidence::Evidence};

/// Fails with what was seen.
pub(super) type Probe = fn(&Evidence) -> Result<(), String>;

/// The probe of each line.
#[rustfmt::skip]
pub(super) const PROBES: &[(&str, Probe)] = &[
    ("any process of the run alive 200 ms after the verdict", nobody_alive),
    ("alive after verdict", nobody_alive),
    ("sleep left alive", nobody_alive),
    ("chain alive after the verdict (kill by pid list loses this race; pid-namespace init kill or cgroup.kill does not)", nobody_alive),
    ("process of the compile phase alive in the run phase or later", nobody_alive),
    ("host load or pids outside the run changed", helpers_unharmed),
    ("the supervisor, another run or any host process got a signal", helpers_unharmed),
    ("SIGPIPE kills the supervisor", helpers_unharmed),
    ("verdict later than wall limit + 250 ms", in_time),
    ("run hangs", in_time),
    ("the in-sandbox init is stoppable so that the run hangs past its wall limit", in_time),
    ("compiler runs past the wall limit", compiled_in_time),
    ("compiler memory or time unbounded", compiled_in_time),
    ("compiler time or memory unbounded", compiled_in_time),
    ("verdict waits for the daemon", long_before_the_limit),
    ("result delayed until the background child closes stdout", long_before_the_limit),
    ("writer of 64 MiB stdin blocks the supervisor", long_before_the_limit),
    ("collector blocks on opening the FIFO (needs O_NONBLOCK and an S_ISREG check on the fd)", long_before_the_limit),
    ("more than limits.pids tasks at once", few_tasks),
    ("host OOM killer kills something outside the run", nobody_else_killed),
    ("peak RSS of the run above memory limit + 10 %", memory_held),
    ("sum of RSS of all processes above memory limit (per-process RLIMIT_AS is not enough)", memory_held),
    ("tmpfs pages escape both the memory and the disk limit", |e| memory_held(e).and(files_held(e))),
    ("host disk use changed after the run", nothing_writable),
    ("more than limits.disk_mib on any host file system", nothing_writable),
    ("inodes of the host file system used", nothing_writable),
    ("2 GiB object file on host disk or in the compile cache", nothing_writable),
    ("`ipcs -m` on the host or in the next run shows key 0x5eed", |e| unless(e.after.shared_memory, "the segment is there")),
    ("clean-up of the run takes more than 100 ms of the worker", |e| {
        within(e.next, Duration::from_millis(100) + e.slack(), "the next run")
    }),
    ("clean-up overflows the stack, fails on PATH_MAX or on mode 000", |e| helpers_unharmed(e).and(nothing_left(e))),
    ("left-overs on the host", nothing_left),
    ("collecting output files reads 1 TiB", |e| {
        let read = e.after.helper_read_bytes - e.before.helper_read_bytes;
        unless(read > 64 << 20, &format!("{read} bytes were read"))
    }),
    ("file-nr of the host near file-max", few_descriptors),
    ("more than limits.output_kib + 64 KiB held in memory by the supervisor", output_held),
    ("a line-splitting reader buffers the whole line", output_held),
    ("verdict later than 500 ms after the limit is passed", |e| {
        let last = e.told.iter().rev().find(|(_, p)| matches!(p, domain::run::Progress::Output { .. }));
        let (Some((last, _)), Some((end, _))) = (last, e.told.last()) else { return Err("nothing was told".to_owned()) };
        within(end.saturating_sub(*last), Duration::from_millis(500) + e.slack(), "the verdict")
    }),
    ("one stored event per byte: frames must be coalesced (≤ 50/s)", |e| {
        let (most, pieces) = (e.took().as_millis() / 20 + 2, e.bytes(Channel::Stdout).1);
        unless(pieces as u128 > most, &format!("{pieces} frames, {most} are the most"))
    }),
    ("first byte visible to a subscriber later than 100 ms", |e| {
        let first = e.told.iter().find(|(_, p)| matches!(p, domain::run::Progress::Output { channel: Channel::Stdout, .. }));
        let running = e.told.iter().find(|(_, p)| matches!(p, domain::run::Progress::Running { .. }));
        let (Some((first, _)), Some((running, _))) = (first, running) else { return Err("nothing was told".to_owned()) };
        within(first.saturating_sub(*running), Duration::from_millis(100) + e.slack(), "the first byte")
    }),
    ("CPU used above cpu limit + 1 s", |e| {
        let used = e.result().map_or(0, |r| r.cpu_ms);
        unless(used > e.job.limits.cpu_ms + 1000, &format!("{used} ms were used"))
    }),
    ("CPU time reported near 0 (rusage of waited children misses re-parented ones; cgroup cpu.stat/cpuacct does not)", |e| {
        let used = e.result().map_or(0, |r| r.cpu_ms);
        // What the program itself takes, without those it starts, is less.
        unless(used < 60, &format!("{used} ms were counted"))
    }),
    ("survives the soft limit", |e| in_time(e).and(nobody_alive(e))),
    ("a waiter with WUNTRACED takes the stop for an exit", |e| is(e, Verdict::WallLimit)),
    ("verdict InternalError", |e| unless(e.verdict() == Verdict::InternalError, "it is one")),
    ("reported signal is not SIGABRT (a program that is pid 1 of its namespace ignores it and dies of SIGSEGV/HLT)", |e| detail(e, "signal 6 ")),
    ("host secrets readable", |e| denied(e, &["/etc/shadow", "/root/.ssh", "canary.txt", "/home", "/proc/kcore"]).and(no_canary(e))),
    ("an environment variable of the host process reaches the run", |e| denied(e, &["env"])),
    ("second run sees PERSIST-* of the first", |e| denied(e, &["left-over"])),
    ("processes of other runs visible", |e| denied(e, &["sees"])),
    ("expected output or other tests inside the sandbox", |e| denied(e, &["expected output", "stdin carries only"])),
    ("any fd ≥ 3 inherited", |e| denied(e, &["no inherited fd"])),
    ("a listener on host loopback sees a connection", |e| e.canaries.clone().and(denied(e, &["('127.0.0.1', 5432)"]))),
    ("abstract socket \\0polycode-canary of the host reachable (needs its own network namespace)", |e| denied(e, &["polycode-canary"])),
    ("a sandboxed program reaches the VM host over vsock (CID 2)", |e| denied(e, &["socket(AF_VSOCK)", "AF_NETLINK", "AF_ALG"])),
    ("mount table changed", |e| unless(e.before.mounts != e.after.mounts || e.before.helper_mounts != e.after.helper_mounts, "it is another").and(denied(e, &["mount tmpfs"]))),
    ("a nested user namespace is created (opens nf_tables etc.: most local root exploits of the last years)", |e| denied(e, &["unshare NEWUSER", "clone3 NEWUSER", "setns"])),
    ("any capability, missing no_new_privs or seccomp", |e| denied(e, &["new privs", "capabilities empty", "seccomp", "setuid(0)"])),
    ("a device other than null, zero, full, random, urandom can be opened", |e| denied(e, &["mknod block", "open vda", "open /dev/kvm"])),
    ("the in-sandbox init (supervisor code, status pipe) can be traced or its fds stolen", |e| denied(e, &["ptrace attach parent", "process_vm_readv", "open /proc/1/mem", "pidfd_getfd"])),
    ("io_uring usable from a run", |e| denied(e, &["io_uring_setup"])),
    ("bpf usable from a run", |e| denied(e, &["bpf MAP_CREATE", "bpf PROG_LOAD"])),
    ("perf_event_open usable from a run", |e| denied(e, &["perf_event_open sw", "perf_event_open hw"])),
    ("keyctl usable from a run", |e| denied(e, &["add_key", "keyctl", "request_key"])),
    ("misc_syscalls usable from a run", |e| denied(e, &["userfaultfd", "personality", "setns", "fanotify_init"])),
    ("a filter for x86-64 only is side-stepped by the i386 or x32 ABI", |e| {
        // The first of the two may end the program, which is as good.
        if e.verdict() == Verdict::RuntimeError { breached(e) } else { denied(e, &["int80", "x32"]) }
    }),
    ("opened for writing", |e| denied(e, &["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger"])),
    ("core file written", |e| unless(e.before.cores != e.after.cores, "a core file appeared").and(denied(e, &["raise RLIMIT_CORE"]))),
    ("a character appears in the terminal of the operator", |e| denied(e, &["open /dev/tty", "TIOCSTI", "TIOCLINUX"])),
    ("host clock or scheduling class changed", |e| denied(e, &["clock_settime", "adjtimex", "sched FIFO", "nice -20"])),
    ("the agent/init binary is writable or replaceable from inside", |e| {
        unless(e.before.helper_file != e.after.helper_file, "the helper's file changed").and(denied(e, &["open /proc/1/exe"]))
    }),
    ("EOF on the pipes taken as the end of the run", |e| {
        let wall = e.result().map_or(0, |r| r.wall_ms);
        unless(wall < 450, &format!("over after {wall} ms"))
    }),
    ("busy loop of the reader after EOF", |e| {
        // Ticks are 10 ms; the program waits for 50 of them.
        let used = e.after.helper_ticks - e.before.helper_ticks;
        unless(used > 25, &format!("{used} ticks were used"))
    }),
    ("bytes altered in the stored result", |e| {
        let (bytes, tail) = (e.bytes(Channel::Stdout).0, b"\xed\xa0\x80\xf4\x90\x80\x80\xc0\x80\x1b[2");
        unless(bytes != (0..=255).chain(*tail).collect::<Vec<u8>>(), &format!("{bytes:?}"))
    }),
    ("JSON/terminal/web output broken: U+0000 (PostgreSQL text!), ESC sequences, lone surrogates", |e| {
        let json = serde_json::to_string(&e.outcome).map_err(|why| why.to_string())?;
        let back = serde_json::from_str(&json).map_err(|why| why.to_string())?;
        unless(e.outcome != back, "it comes back otherwise").and(unless(e.printed().contains('\0'), "a NUL"))
    }),
    ("panic in from_utf8", |e| is(e, Verdict::Accepted)),
    ("code point split over two frames shown as U+FFFD", |e| unless(e.printed().contains('\u{fffd}'), "a U+FFFD")),
    ("verdict taken from bytes the program wrote; exit code not 7", |e| detail(e, "exit code 7")),
    ("supervisor logs or stores the whole argv", |e| {
        let len = format!("{:?}", e.outcome).len();
        unless(len > 80 << 10, &format!("{len} bytes are kept"))
    }),
    ("missing output taken for an error", |e| is(e, Verdict::Accepted)),
    ("canary.txt or canary.d changed in content, owner, mode or time", |e| e.canaries.clone()),
    ("content of canary.txt in the collected artifacts", no_canary),
    ("anything written by compile or run phase of one submission is read by another one", the_same_again),
    ("the cached binary is the inode that the run can write", the_same_again),
    ("text of a host file in the diagnostics (the compile phase needs the same sandbox as the run)", no_canary),
    ("host file in the binary", |e| is(e, Verdict::CompileError).and(no_canary(e))),
    ("host file or environment in the binary", |e| is(e, Verdict::CompileError).and(no_canary(e))),
    ("diagnostics unbounded", |e| {
        let len = e.outcome.compiler_output.len();
        unless(len > 17 << 10, &format!("{len} bytes"))
    }),
];

/// Lines that no probe of a run answers: where they are looked for instead, or why nowhere.
pub(super) const ELSEWHERE: &[(&str, &str)] = &[
    ("subscribers slowed", "a sandbox has none; the bus drops frames of slow ones: storage/tests"),
    (
        "other runs slowed below their fair share",
        "not measured: a shared machine does not tell; no wall does it but one slot less than processors",
    ),
    (
        "a core_pattern pipe handler of the host is started (RLIMIT_CORE=0 does not stop pipe handlers, RLIMIT_CORE=1 does)",
        "would need a handler for the whole machine; `the_limits_of_the_kernel_are_set` sees the 1",
    ),
    ("limits or filter lost over the exec", "`a_program_from_memory_is_as_confined`"),
    (
        "collector that checks, then opens, follows the link (TOCTOU)",
        "a run's files are not collected, only a compiler's: `what_is_no_plain_file_is_not_collected`",
    ),
    ("a file appears outside the work dir", "refused before: `names_that_climb_are_refused`"),
    ("panic", "`names_that_climb_are_refused`"),
    (
        "shell interprets a name",
        "refused before, and there is no shell: `names_that_climb_are_refused`",
    ),
    ("a compiler takes a name for an option", "refused before: `names_that_climb_are_refused`"),
    (
        "memory of the API server grows by more than the request limit",
        "the gateway's: a frame and a body have limits of their own",
    ),
];

fn unless(bad: bool, what: &str) -> Result<(), String> {
    if bad { Err(what.to_owned()) } else { Ok(()) }
}

fn within(took: Duration, most: Duration, what: &str) -> Result<(), String> {
    unless(took > most, &format!("{what} took {took:?}; {most:?} are the most on this machine now"))
}

fn is(e: &Evidence, verdict: Verdict) -> Result<(), String> {
    unless(e.verdict() != verdict, &format!("{:?}", e.verdict()))
}

fn detail(e: &Evidence, text: &str) -> Result<(), String> {
    let detail = e.result().map_or("", |result| &result.detail);
    unless(!detail.contains(text), detail)
}

/// No line says that something was not refused.
pub(super) fn breached(e: &Evidence) -> Result<(), String> {
    let printed = e.printed();
    let lines: Vec<_> = printed.lines().filter(|line| line.contains("BREACH")).collect();
    unless(!lines.is_empty(), &lines.join("; "))
}

/// The program tried each of these, and was refused.
fn denied(e: &Evidence, what: &[&str]) -> Result<(), String> {
    breached(e)?;
    let printed = e.printed();
    let tried = |what: &str| printed.lines().any(|l| l.starts_with("DENIED") && l.contains(what));
    let missing: Vec<_> = what.iter().filter(|what| !tried(what)).collect();
    unless(!missing.is_empty(), &format!("never tried: {missing:?}"))
}

fn no_canary(e: &Evidence) -> Result<(), String> {
    let told = |of| String::from_utf8_lossy(&e.bytes(of).0).into_owned();
    let all = [e.printed(), told(Channel::Stdout), told(Channel::Stderr), told(Channel::Compiler)];
    let words = [CANARY.trim(), "root:", "CARGO_MANIFEST_DIR="];
    unless(all.iter().any(|text| words.iter().any(|word| text.contains(word))), "it was read")
}

fn nobody_alive(e: &Evidence) -> Result<(), String> {
    unless(!e.alive.is_empty(), &format!("{:?}", e.alive))
}

/// The helper lives, is the same, and runs on; no group has more than its run.
fn helpers_unharmed(e: &Evidence) -> Result<(), String> {
    let (before, after) = (&e.before.helpers, &e.after.helpers);
    unless(before != after, &format!("helpers were {before:?}, are {after:?}"))?;
    unless(e.next_verdict != Verdict::Accepted, "the next run failed").and(nobody_alive(e))
}

fn in_time(e: &Evidence) -> Result<(), String> {
    let limit = Duration::from_millis(e.job.limits.wall_ms.into());
    within(e.took(), limit + Duration::from_millis(250) + e.slack(), "the verdict")
}

fn long_before_the_limit(e: &Evidence) -> Result<(), String> {
    let limit = Duration::from_millis(e.job.limits.wall_ms.into());
    within(e.took(), limit * 2 / 3 + e.slack(), "the verdict")
}

/// The compiler's own limits are 20 s and 1 GiB.
fn compiled_in_time(e: &Evidence) -> Result<(), String> {
    let end = e.told.last().map_or(Duration::ZERO, |(at, _)| *at);
    within(end, Duration::from_millis(20_250) + e.slack(), "the compiler")?;
    let most = e.most.memory_bytes;
    unless(most > (1 << 30) * 11 / 10, &format!("{most} bytes of memory"))
}

fn few_tasks(e: &Evidence) -> Result<(), String> {
    let printed = e.result().and_then(|r| r.stdout.strip_prefix("threads="));
    let printed = printed.and_then(|text| text.lines().next()?.parse::<u64>().ok()).unwrap_or(0);
    // Init is one more than the run's own.
    let most = e.most.tasks.saturating_sub(1).max(printed);
    unless(most > e.job.limits.processes.into(), &format!("{most} tasks"))
}

fn nobody_else_killed(e: &Evidence) -> Result<(), String> {
    unless(e.before.own_kills != e.after.own_kills, "a kill in the server's group")
        .and(helpers_unharmed(e))
}

fn memory_held(e: &Evidence) -> Result<(), String> {
    // What a language itself takes is given on top.
    let held = e.job.limits.memory_bytes + (16 << 20);
    // Where no group holds it, it is looked at now and then: a program that is quick on a machine
    // that is slow gets further.
    let most = if e.outcome.isolation.contains("cgroup") { held * 11 / 10 } else { 3 * held };
    let used = e.result().map_or(0, |r| r.memory_bytes).max(e.most.memory_bytes);
    unless(used > most, &format!("{used} bytes of memory; {most} are the most"))
}

fn files_held(e: &Evidence) -> Result<(), String> {
    let printed = e.printed();
    let written = printed.lines().find_map(|line| line.strip_prefix("MiB written in all "));
    // The program fills three directories, one after the other.
    let most = 3 * u64::from(e.job.limits.disk_bytes >> 20);
    let written = written.and_then(|n| n.trim().parse::<u64>().ok()).unwrap_or(0);
    unless(written > most, &format!("{written} MiB were written"))
}

/// The helper's tree, of which each run has a copy, has no file system of the machine that could
/// be written: devices, and `/proc`, over which each run mounts its own, hold no files.
fn nothing_writable(e: &Evidence) -> Result<(), String> {
    let open = e.after.helper_mounts.iter().filter(|line| {
        let mut words = line.split(' ').skip(4);
        let (at, options) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        !options.split(',').any(|o| o == "ro")
            && !at.starts_with("/dev/")
            && !at.starts_with("/proc")
    });
    let open: Vec<_> = open.collect();
    unless(e.after.helper_mounts.is_empty() || !open.is_empty(), &format!("writable: {open:?}"))
        .and(nothing_left(e))
}

fn nothing_left(e: &Evidence) -> Result<(), String> {
    let (before, after) = (&e.before, &e.after);
    unless(before.strays != after.strays, &format!("files: {:?}", after.strays))?;
    unless(before.groups != after.groups, &format!("groups: {:?}", after.groups))?;
    unless(before.mounts != after.mounts, "mounts").and(nobody_alive(e))
}

fn few_descriptors(e: &Evidence) -> Result<(), String> {
    let printed = e.result().and_then(|r| r.stdout.strip_prefix("fds="));
    let printed = printed.and_then(|text| text.lines().next()?.parse::<u64>().ok());
    let printed = printed.ok_or("it did not say how many")?;
    unless(printed > 1024, &format!("{printed} descriptors in one process"))?;
    unless(e.after.open_files > 500_000, &format!("{} open files", e.after.open_files))
}

fn output_held(e: &Evidence) -> Result<(), String> {
    let limit = u64::from(e.job.limits.output_bytes) + (64 << 10);
    for channel in [Channel::Stdout, Channel::Stderr] {
        let told = e.bytes(channel).0.len() as u64;
        unless(told > limit, &format!("{told} bytes of {channel:?}"))?;
    }
    // Besides what is on its way: a buffer for reading, and what the allocator rounds up.
    let grown = e.most.helper_grown_bytes;
    unless(grown > limit + (2 << 20), &format!("the helper grew by {grown} bytes"))
}

fn the_same_again(e: &Evidence) -> Result<(), String> {
    breached(e)?;
    let first = e.result().map(|r| (r.verdict, &r.stdout));
    let same =
        |o: &domain::run::Outcome| o.results.first().map(|r| (r.verdict, &r.stdout)) == first;
    unless(e.again.is_empty() || !e.again.iter().all(same), &format!("{:?}", e.again))
}
