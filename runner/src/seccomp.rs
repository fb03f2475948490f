//! The system calls a program may make: an allow-list, and arguments refused within it.
//! What is on neither list does not exist for the program (`ENOSYS`), so that libraries fall back
//! from calls that are newer than this list, above all from `clone3`, whose flags lie in memory
//! where no filter can see them.

use std::collections::{BTreeMap, BTreeSet};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

/// The two programs to be installed, in this order.
pub(crate) struct Filters([BpfProgram; 2]);

impl Filters {
    /// Compiles the lists for this machine's architecture. Without `sessions`, programs cannot make
    /// any: where the kernel divides the processors between sessions, who makes many has most.
    pub(crate) fn compile(sessions: bool) -> anyhow::Result<Self> {
        let arch = TargetArch::try_from(std::env::consts::ARCH)?;
        let mut rules = refused_arguments()?;
        if !sessions {
            // With no rule for its arguments, it is refused whatever they are.
            rules.insert(libc::SYS_setsid, Vec::new());
        }
        let refuse = SeccompFilter::new(
            rules,
            SeccompAction::Allow,
            SeccompAction::Errno(libc::EPERM.unsigned_abs()),
            arch,
        )?;
        Ok(Self([refuse.try_into()?, allow_list()]))
    }

    /// Puts the filters on the calling process, for good.
    pub(crate) fn install(&self) -> Result<(), seccompiler::Error> {
        // The one that knows arguments goes first: `seccomp` itself is on no list.
        self.0.iter().try_for_each(|program| seccompiler::apply_filter(program))
    }
}

/// The allow-list as a search tree. As a chain of comparisons it works too, but the kernel tries a
/// new filter on each call there is: 0.5 ms for each run, against 0.1.
fn allow_list() -> BpfProgram {
    let allowed: BTreeSet<u32> =
        ALLOWED.iter().chain(ALLOWED_BY_ARCH).copied().map(number).collect();
    // Where each range begins, and whether it is allowed.
    let mut ranges = vec![(0, allowed.contains(&0))];
    for call in 1..=allowed.last().copied().unwrap_or(0) + 1 {
        let is_allowed = allowed.contains(&call);
        if ranges.last().is_some_and(|(_, before)| *before != is_allowed) {
            ranges.push((call, is_allowed));
        }
    }
    // The filter before this one has ended what comes by another architecture's numbers.
    let mut program = vec![step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, CALL_AT)];
    program.extend(search(&ranges));
    program
}

fn number(call: i64) -> u32 {
    u32::try_from(call).expect("numbers of calls are small")
}

/// Where the number of the call is in what a filter is given, see seccomp(2).
const CALL_AT: u32 = 0;

fn search(ranges: &[(u32, bool)]) -> BpfProgram {
    let middle = ranges.len() / 2;
    let (below, above) = ranges.split_at(middle);
    match (below, above) {
        ([], [(_, true)]) => vec![step(libc::BPF_RET, 0, libc::SECCOMP_RET_ALLOW)],
        ([], _) => {
            let no_such_call = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
            vec![step(libc::BPF_RET, 0, no_such_call)]
        }
        (below, above) => {
            let from = above.first().map_or(0, |(from, _)| *from);
            let below = search(below);
            let over = u8::try_from(below.len()).expect("half a tree is shorter than a jump");
            let test = step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, over, from);
            [vec![test], below, search(above)].concat()
        }
    }
}

fn step(code: u32, jump_if: u8, k: u32) -> sock_filter {
    let code = u16::try_from(code).expect("codes are small");
    sock_filter { code, jt: jump_if, jf: 0, k }
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Calls on the allow-list with arguments that they must not have.
fn refused_arguments() -> Result<Rules, seccompiler::BackendError> {
    use SeccompCmpOp::{Eq, MaskedEq, Ne};
    let unix = u64::from(libc::AF_UNIX.unsigned_abs());
    let mut rules = Rules::new();
    let mut refuse = |call, argument, operator, value| -> Result<(), seccompiler::BackendError> {
        let length = SeccompCmpArgLen::Dword;
        let condition = SeccompCondition::new(argument, length, operator, value)?;
        rules.entry(call).or_default().push(SeccompRule::new(vec![condition])?);
        Ok(())
    };
    // Network namespaces do not isolate every family: AF_VSOCK reaches the machine's host.
    refuse(libc::SYS_socket, 0, Ne, unix)?;
    refuse(libc::SYS_socketpair, 0, Ne, unix)?;
    for namespace in NAMESPACES {
        let flag = u64::from(namespace.unsigned_abs());
        refuse(libc::SYS_clone, 0, MaskedEq(flag), flag)?;
    }
    for terminal in [libc::TIOCSTI, libc::TIOCLINUX, libc::TIOCSCTTY] {
        refuse(libc::SYS_ioctl, 1, Eq, terminal)?;
    }
    // Mono gives each thread the priority that it has already, and aborts where it cannot. Nobody
    // gets another one.
    let other = u64::from(libc::SCHED_OTHER.unsigned_abs());
    refuse(libc::SYS_sched_setscheduler, 1, Ne, other)?;
    // Init runs under the same user; its limits are not the program's to set.
    refuse(libc::SYS_prlimit64, 0, Ne, 0)?;
    Ok(rules)
}

const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

#[rustfmt::skip]
const ALLOWED: &[i64] = &[
    // Files
    libc::SYS_read, libc::SYS_write, libc::SYS_readv, libc::SYS_writev, libc::SYS_pread64,
    libc::SYS_pwrite64, libc::SYS_preadv, libc::SYS_pwritev, libc::SYS_preadv2, libc::SYS_pwritev2,
    libc::SYS_openat, libc::SYS_openat2, libc::SYS_close, libc::SYS_close_range, libc::SYS_lseek,
    libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_statfs, libc::SYS_fstatfs,
    libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_readlinkat, libc::SYS_getdents64,
    libc::SYS_getcwd, libc::SYS_chdir, libc::SYS_fchdir, libc::SYS_mkdirat, libc::SYS_unlinkat,
    libc::SYS_renameat, libc::SYS_renameat2, libc::SYS_linkat, libc::SYS_symlinkat,
    libc::SYS_mknodat, libc::SYS_fchmod, libc::SYS_fchmodat, libc::SYS_fchown, libc::SYS_fchownat,
    libc::SYS_umask, libc::SYS_truncate, libc::SYS_ftruncate, libc::SYS_fallocate,
    libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_sync_file_range, libc::SYS_fadvise64,
    libc::SYS_readahead, libc::SYS_utimensat, libc::SYS_flock, libc::SYS_fcntl, libc::SYS_ioctl,
    libc::SYS_dup, libc::SYS_dup3, libc::SYS_pipe2, libc::SYS_sendfile, libc::SYS_copy_file_range,
    libc::SYS_getxattr, libc::SYS_lgetxattr, libc::SYS_fgetxattr, libc::SYS_listxattr,
    libc::SYS_llistxattr, libc::SYS_flistxattr, libc::SYS_memfd_create,
    // Waiting
    libc::SYS_ppoll, libc::SYS_pselect6, libc::SYS_epoll_create1, libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2, libc::SYS_eventfd2, libc::SYS_signalfd4,
    libc::SYS_timerfd_create, libc::SYS_timerfd_settime, libc::SYS_timerfd_gettime,
    libc::SYS_inotify_init1, libc::SYS_inotify_add_watch, libc::SYS_inotify_rm_watch,
    // Memory
    libc::SYS_brk, libc::SYS_mmap, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_mprotect,
    libc::SYS_madvise, libc::SYS_msync, libc::SYS_mincore, libc::SYS_mlock, libc::SYS_mlock2,
    libc::SYS_munlock, libc::SYS_mlockall, libc::SYS_munlockall, libc::SYS_membarrier,
    libc::SYS_pkey_mprotect, libc::SYS_pkey_alloc, libc::SYS_pkey_free,
    // Processes and threads
    libc::SYS_clone, libc::SYS_execve, libc::SYS_execveat, libc::SYS_exit, libc::SYS_exit_group,
    libc::SYS_wait4, libc::SYS_waitid, libc::SYS_getpid, libc::SYS_getppid, libc::SYS_gettid,
    libc::SYS_getpgid, libc::SYS_setpgid, libc::SYS_getsid, libc::SYS_setsid,
    libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid, libc::SYS_getegid,
    libc::SYS_getresuid, libc::SYS_getresgid, libc::SYS_getgroups, libc::SYS_capget,
    libc::SYS_prctl, libc::SYS_prlimit64, libc::SYS_getrlimit, libc::SYS_setrlimit,
    libc::SYS_getrusage, libc::SYS_times, libc::SYS_getpriority, libc::SYS_set_tid_address,
    libc::SYS_set_robust_list, libc::SYS_get_robust_list, libc::SYS_futex, libc::SYS_futex_waitv,
    libc::SYS_rseq, libc::SYS_sched_yield, libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity, libc::SYS_sched_setscheduler, libc::SYS_sched_getparam, libc::SYS_sched_getscheduler,
    libc::SYS_sched_get_priority_max, libc::SYS_sched_get_priority_min, libc::SYS_getcpu,
    libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal,
    // Signals
    libc::SYS_kill, libc::SYS_tkill, libc::SYS_tgkill, libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_rt_sigpending,
    libc::SYS_rt_sigsuspend, libc::SYS_rt_sigtimedwait, libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo, libc::SYS_sigaltstack, libc::SYS_restart_syscall,
    // Time
    libc::SYS_clock_gettime, libc::SYS_clock_getres, libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep, libc::SYS_gettimeofday, libc::SYS_getitimer, libc::SYS_setitimer,
    libc::SYS_timer_create, libc::SYS_timer_settime, libc::SYS_timer_gettime,
    libc::SYS_timer_getoverrun, libc::SYS_timer_delete,
    // The machine
    libc::SYS_uname, libc::SYS_sysinfo, libc::SYS_getrandom,
    // Sockets between the run's own processes
    libc::SYS_socket, libc::SYS_socketpair, libc::SYS_bind, libc::SYS_listen, libc::SYS_accept,
    libc::SYS_accept4, libc::SYS_connect, libc::SYS_getsockname, libc::SYS_getpeername,
    libc::SYS_getsockopt, libc::SYS_setsockopt, libc::SYS_sendto, libc::SYS_recvfrom,
    libc::SYS_sendmsg, libc::SYS_recvmsg, libc::SYS_sendmmsg, libc::SYS_recvmmsg,
    libc::SYS_shutdown,
];

/// Old forms of the above, which only this architecture has.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const ALLOWED_BY_ARCH: &[i64] = &[
    libc::SYS_open, libc::SYS_creat, libc::SYS_stat, libc::SYS_lstat, libc::SYS_access,
    libc::SYS_readlink, libc::SYS_getdents, libc::SYS_mkdir, libc::SYS_rmdir, libc::SYS_unlink,
    libc::SYS_rename, libc::SYS_link, libc::SYS_symlink, libc::SYS_mknod, libc::SYS_chmod,
    libc::SYS_chown, libc::SYS_lchown, libc::SYS_utime, libc::SYS_utimes, libc::SYS_futimesat,
    libc::SYS_dup2, libc::SYS_pipe, libc::SYS_poll, libc::SYS_select, libc::SYS_epoll_create,
    libc::SYS_epoll_wait, libc::SYS_eventfd, libc::SYS_signalfd, libc::SYS_inotify_init,
    libc::SYS_fork, libc::SYS_vfork, libc::SYS_getpgrp, libc::SYS_arch_prctl, libc::SYS_alarm,
    libc::SYS_pause, libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_BY_ARCH: &[i64] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_compile_for_this_machine() {
        for sessions in [true, false] {
            let filters = Filters::compile(sessions).unwrap();
            // The kernel takes no more than 4,096 instructions.
            assert!(filters.0.iter().all(|program| !program.is_empty() && program.len() < 4096));
        }
    }

    #[test]
    fn the_tree_finds_what_the_list_holds() {
        let program = allow_list();
        let allows = |call: u32| {
            let mut at = 1;
            while program[at].code != u16::try_from(libc::BPF_RET).unwrap() {
                let over = if call >= program[at].k { program[at].jt } else { program[at].jf };
                at += 1 + usize::from(over);
            }
            program[at].k == libc::SECCOMP_RET_ALLOW
        };
        for call in (0..1024).chain([0x4000_0000, 0x4000_0027, u32::MAX]) {
            let listed = ALLOWED.iter().chain(ALLOWED_BY_ARCH).any(|&c| c == i64::from(call));
            assert_eq!(allows(call), listed, "{call}");
        }
    }

    #[test]
    fn what_opens_the_kernel_is_not_on_the_list() {
        for call in [
            libc::SYS_clone3,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_mount,
            libc::SYS_ptrace,
            libc::SYS_bpf,
            libc::SYS_io_uring_setup,
            libc::SYS_perf_event_open,
            libc::SYS_keyctl,
            libc::SYS_userfaultfd,
            libc::SYS_seccomp,
        ] {
            assert!(!ALLOWED.contains(&call) && !ALLOWED_BY_ARCH.contains(&call), "{call}");
        }
    }
}
