//! The few system calls that no safe wrapper knows. All of the crate's `unsafe` is here or below, and all
//! of it expects to be called by a process with one thread, which a helper is.
#![expect(unsafe_code, reason = "system calls without a safe wrapper")]

use std::{
    ffi::{CStr, CString, NulError},
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind},
};

use rustix::{process::Pid, thread::UnshareFlags};

use crate::off::{Off, Wall};

pub(crate) mod python;

/// Enters new namespaces.
pub(crate) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: the callers' flags name namespaces only, so no file descriptor table is split.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(Into::into)
}

/// Namespaces that each run has for itself. The cgroup's is entered later, from within the group.
/// The network's is not among them: a helper's runs share one, see [`crate::tree`].
const RUN_NAMESPACES: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS;

/// From `linux/sched.h`; `libc` has it in a type that it does not fit.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Starts `body` as the first process of new namespaces, in the cgroup `group` if there is one.
/// Answers with its id outside and a descriptor of it. It does not inherit `ours`.
pub(crate) fn clone_init(
    group: Option<BorrowedFd<'_>>,
    off: Off,
    ours: &[BorrowedFd<'_>],
    body: impl FnOnce() -> i32,
) -> io::Result<(Pid, OwnedFd)> {
    let mut namespaces = RUN_NAMESPACES;
    if off.has(Wall::Ipc) {
        namespaces &= !libc::CLONE_NEWIPC;
    }
    let mut pidfd: i32 = -1;
    let flags = namespaces | libc::CLONE_PIDFD;
    let pid = clone((flags, libc::SIGCHLD), group, &mut pidfd, || {
        close(ours);
        body()
    })?;
    // SAFETY: the kernel has just put a new descriptor there, which is nobody else's.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok((pid, pidfd))
}

/// The same, as a child of this process's parent.
pub(crate) fn clone_sibling_init(
    group: Option<BorrowedFd<'_>>,
    ours: BorrowedFd<'_>,
    body: impl FnOnce() -> i32,
) -> io::Result<Pid> {
    // Its end is told by the signal by which this process's own would be.
    clone((RUN_NAMESPACES | libc::CLONE_PARENT, 0), group, &mut -1, || {
        close(&[ours]);
        body()
    })
}

fn close(ours: &[BorrowedFd<'_>]) {
    for fd in ours {
        // SAFETY: their owners are in the frames that this process never returns to.
        unsafe { libc::close(fd.as_raw_fd()) };
    }
}

fn clone(
    (flags, end): (i32, i32),
    group: Option<BorrowedFd<'_>>,
    pidfd: &mut i32,
    body: impl FnOnce() -> i32,
) -> io::Result<Pid> {
    let into_group = if group.is_some() { CLONE_INTO_CGROUP } else { 0 };
    // SAFETY: all zeros is what clone3(2) takes for "nothing asked".
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = u64::from(flags.unsigned_abs()) | into_group;
    arguments.pidfd = (&raw mut *pidfd) as u64;
    arguments.exit_signal = u64::from(end.unsigned_abs());
    arguments.cgroup = group.map_or(0, |fd| u64::from(fd.as_raw_fd().unsigned_abs()));
    // SAFETY: without CLONE_VM this is a fork. The process has one thread, so the child finds no
    // lock held; it never returns from here.
    let pid = unsafe {
        libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>())
    };
    match i32::try_from(pid).expect("process ids are small") {
        ..0 => Err(io::Error::last_os_error()),
        0 => exit(run(body)),
        pid => Ok(Pid::from_raw(pid).expect("above 0")),
    }
}

/// Starts `body` as a child of this process.
pub(crate) fn fork(body: impl FnOnce() -> i32) -> io::Result<Pid> {
    // SAFETY: the process has one thread, so the child finds no lock held.
    match unsafe { libc::fork() } {
        ..0 => Err(io::Error::last_os_error()),
        0 => exit(run(body)),
        pid => Ok(Pid::from_raw(pid).expect("above 0")),
    }
}

/// A panic must not unwind into the parent's frames, which the child has copies of.
fn run(body: impl FnOnce() -> i32) -> i32 {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(101)
}

/// Ends this process at once, without the parent's clean-up.
fn exit(code: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Becomes the program in the open file `program`. Comes back only with the reason why not.
pub(crate) fn exec_file(program: &OwnedFd, argv: &[String], env: &[String]) -> io::Error {
    let strings = |list: &[String]| -> Result<Vec<CString>, NulError> {
        list.iter().map(|text| CString::new(text.as_str())).collect()
    };
    let (argv, env) = match (strings(argv), strings(env)) {
        (Ok(argv), Ok(env)) => (argv, env),
        (Err(why), _) | (_, Err(why)) => return why.into(),
    };
    let pointers = |list: &[CString]| -> Vec<*const libc::c_char> {
        list.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (argv_pointers, env_pointers) = (pointers(&argv), pointers(&env));
    // SAFETY: Rust ignores this signal; programs expect its default. No handler is set.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    // SAFETY: both lists end in a null pointer, and their strings outlive the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            argv_pointers.as_ptr(),
            env_pointers.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

/// Closes all descriptors above standard error, where no exec is to come.
pub(crate) fn close_all() -> io::Result<()> {
    // SAFETY: their owners are in frames that this process never returns to.
    succeeded(unsafe { libc::close_range(3, libc::c_uint::MAX, 0) }.into())
}

/// Makes all descriptors above standard error close at the next exec.
pub(crate) fn close_all_on_exec() -> io::Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC.cast_signed();
    // SAFETY: marks descriptors only; none is closed under its owner.
    succeeded(unsafe { libc::close_range(3, libc::c_uint::MAX, flags) }.into())
}

/// Sends SIGKILL to all processes of this namespace but its init.
pub(crate) fn kill_all_others() {
    // SAFETY: callers are init of a namespace, so that `-1` reaches nothing outside.
    unsafe { libc::kill(-1, libc::SIGKILL) };
}

/// Processor time of all children waited for, in µs, and the largest of their sizes in bytes.
pub(crate) fn children_usage() -> (u64, u64) {
    // SAFETY: all zeros is a valid `rusage`, and the kernel fills it in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    let us =
        |time: libc::timeval| time.tv_sec.unsigned_abs() * 1_000_000 + time.tv_usec.unsigned_abs();
    (us(usage.ru_utime) + us(usage.ru_stime), usage.ru_maxrss.unsigned_abs() * 1024)
}

/// Sets a mount read-only, without set-user-id programs and devices; with all below it if asked.
pub(crate) fn set_read_only(path: &CStr, below: bool) -> io::Result<()> {
    set_attributes(path, below, READ_ONLY)
}

/// The same, and nothing in it can be executed.
pub(crate) fn set_data_only(path: &CStr) -> io::Result<()> {
    set_attributes(path, true, READ_ONLY | libc::MOUNT_ATTR_NOEXEC)
}

const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;

fn set_attributes(path: &CStr, below: bool, attributes: u64) -> io::Result<()> {
    let attributes =
        libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let flags = if below { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: `path` ends in NUL and the structure has the size that is passed.
    succeeded(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of_val(&attributes),
        )
    })
}

/// The version of Landlock that this kernel has; 0 for none.
pub(crate) fn landlock_version() -> u32 {
    const VERSION: libc::c_long = 1;
    // SAFETY: with this flag the call takes no attributes and changes nothing.
    let answer = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0, VERSION)
    };
    u32::try_from(answer).unwrap_or(0)
}

/// The bytes of a page of memory. The C library was told at its start; whoever asks the kernel anew
/// must, before Linux 6.4, read a file that init may not.
pub(crate) fn page_bytes() -> u64 {
    // SAFETY: the call only reads.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).expect("every machine has pages")
}

fn succeeded(answer: libc::c_long) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
