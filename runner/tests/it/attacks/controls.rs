//! Whether what is looked for can be found: walls are taken away, and the programs that they hold
//! must be seen to get through. Where two walls hold the same program, both are.

use std::{fs, path::Path};

use runner::{Config, NamespaceSandbox};

use super::{Canaries, evidence::Evidence, manifest};

/// Walls that are taken away, a program that they hold, and something that is then said of it.
const SHOWN: &[(&str, &str, &str)] = &[
    ("seccomp", "k02_userns_nesting", "BREACH unshare NEWUSER"),
    ("seccomp", "k03_setuid", "BREACH no seccomp"),
    ("seccomp", "k10_misc_syscalls", "BREACH personality RIE"),
    ("seccomp", "k11_32bit_abi", "BREACH int80"),
    ("seccomp", "n03_vsock", "BREACH AF_NETLINK"),
    ("proc", "s03_other_runs", "BREACH sees"),
    ("proc", "s03_other_runs", "processes of other runs visible"),
    ("tree", "s01_read_host_files", "BREACH /var/log"),
    ("closing", "s05_leaked_fds", "BREACH fd"),
    ("descriptors", "r11_fd_bomb", "file-nr of the host near file-max"),
    ("core", "k13_core_dump", "BREACH raise RLIMIT_CORE"),
    ("memory", "r03_memory_bomb", "peak RSS of the run above memory limit + 10 %"),
    ("memory", "r04_memory_many_children", "sum of RSS of all processes"),
    ("processes", "r02_thread_bomb", "more than limits.pids tasks at once"),
    ("output", "r12_output_flood", "more than limits.output_kib + 64 KiB"),
    ("output", "r13_one_gib_line", "a line-splitting reader buffers the whole line"),
    ("time", "r15_sleep_forever", "verdict later than wall limit + 250 ms"),
    ("time", "r19_sigstop_self", "run hangs"),
    // Several walls, each of which is enough. Landlock sets `no_new_privs` too, lets nobody mount
    // or trace, and knows abstract sockets; `exec` takes the capabilities of all but root.
    ("seccomp-landlock", "k03_setuid", "BREACH no_new_privs unset"),
    ("capabilities-nobody", "k03_setuid", "BREACH caps"),
    ("network-landlock", "n02_unix_sockets", "BREACH '\\x00polycode-canary'"),
    ("seccomp-network", "n01_connect", "BREACH ('127.0.0.1', 5432)"),
    ("seccomp-network", "n01_connect", "somebody connected"),
    ("seccomp-landlock-capabilities-nobody", "k01_mount", "BREACH mount tmpfs"),
    ("seccomp-landlock-tracing", "k05_ptrace_others", "BREACH ptrace attach parent"),
    ("seccomp-landlock-tracing", "k05_ptrace_others", "can be traced or its fds stolen"),
    ("seccomp-ipc", "r06_sysv_ipc_leftover", "`ipcs -m` on the host"),
    ("disk-memory", "r05_shm_tmpfs_memory", "tmpfs pages escape both"),
    ("processor-time", "r16_cpu_spin_threads", "CPU used above cpu limit + 1 s"),
];

#[tokio::test]
async fn a_program_gets_through_where_its_wall_is_taken_away() {
    let Some((dir, manifest)) = manifest() else {
        println!("left out: control runs, no shared data");
        return;
    };
    let canaries = Canaries::plant_alone();
    let helpers = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut failures = Vec::new();
    let mut seen: Vec<(&str, &str, Vec<String>)> = Vec::new();
    for (walls, id, said) in SHOWN {
        if !seen.iter().any(|(w, i, _)| w == walls && i == id) {
            let case = manifest.cases.iter().find(|case| case.id == *id).expect("a known program");
            let sandbox = sandbox_without(walls, helpers.path()).await;
            let mut job = case.job(&dir);
            if walls.contains("processor") {
                // Little enough to be passed by far, whatever else the machine does.
                job.limits.cpu_ms = 200;
            }
            let evidence = Evidence::of(job, &sandbox, None, &canaries).await;
            remove_shared_memory();
            seen.push((walls, id, case.failures(&evidence)));
        }
        let (_, _, failed) =
            seen.iter().find(|(w, i, _)| w == walls && i == id).expect("just seen");
        match failed.iter().find_map(|why| why.lines().find(|line| line.contains(said))) {
            Some(line) => println!("without {walls}: {line}"),
            None => {
                failures.push(format!("without {walls}, {id} did not show {said:?}: {failed:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test]
async fn what_a_helper_was_left_open_by_mistake_is_closed_for_a_program() {
    let Some((dir, manifest)) = manifest() else {
        println!("left out: a descriptor left open, no shared data");
        return;
    };
    let canaries = Canaries::plant();
    let case = manifest.cases.iter().find(|case| case.id == "s05_leaked_fds").expect("it is there");
    let helpers = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    // Any helper with a hole leaves one open.
    let sandbox = sandbox_without("landlock", helpers.path()).await;
    let evidence = Evidence::of(case.job(&dir), &sandbox, None, &canaries).await;
    assert_eq!(case.failures(&evidence), [""; 0]);
}

/// A sandbox of one slot, whose helper lacks these walls.
async fn sandbox_without(walls: &str, dir: &Path) -> NamespaceSandbox {
    let helper = dir.join(format!("without-{walls}"));
    if !helper.exists() {
        fs::hard_link(env!("CARGO_BIN_EXE_polycode-sandbox-without"), &helper).unwrap();
    }
    let config = Config { helper, slots: 1, require_cgroup: false, python_fork_server: false };
    NamespaceSandbox::new(config).await.expect("a sandbox with a hole is one still")
}

/// What a run without a namespace of its own left to the machine.
fn remove_shared_memory() {
    let shared = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    if shared.lines().any(|line| line.split_whitespace().next() == Some("24301")) {
        let removed = std::process::Command::new("ipcrm").args(["-M", "0x5eed"]).status();
        assert!(removed.is_ok_and(|status| status.success()), "`ipcrm -M 0x5eed` by hand, please");
    }
}
