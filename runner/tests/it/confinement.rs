//! What a program cannot see or reach, by small probes of our own.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use domain::{
    content::Language::{self, Python},
    run::Verdict,
};
use runner::Config;

use crate::stage::{EXPECTED, job, run};

#[tokio::test]
async fn files_of_the_machine_cannot_be_read() {
    let found = probe(
        "import os\n\
         for p in ['/etc/shadow', '/root', '/home', '/var/log', '/var/lib/dpkg', '/run', '/sys', '/proc/kcore',\n\
         \x20 '/proc/1/environ', '/proc/sys/kernel/hostname']:\n\
         \x20 try: print(p, os.listdir(p) if os.path.isdir(p) else open(p, 'rb').read(9))\n\
         \x20 except OSError: pass\n\
         print(os.listdir('/'), open('/etc/passwd').read())",
    )
    .await;
    let (tree, passwd) = found.split_once(']').expect("a list, and nothing before it");
    assert!(tree.starts_with('[') && !tree.contains("root"), "{found}");
    assert_eq!(passwd.trim(), "candidate:x:1000:1000::/box/work:/bin/sh");
}

#[tokio::test]
async fn nothing_outside_the_box_can_be_written() {
    let found = probe(
        "import os\n\
         for p in ['/x', '/usr/x', '/etc/x', '/dev/x', '/box/x', '/tmp/x', '/box/work/x', '/dev/shm/x']:\n\
         \x20 try: open(p, 'w'); print(p)\n\
         \x20 except OSError: pass",
    )
    .await;
    assert_eq!(found.split_whitespace().collect::<Vec<_>>(), WRITABLE, "{found}");
}

/// `/box` itself belongs to the run; it is its own, small and gone with it.
const WRITABLE: [&str; 4] = ["/box/x", "/tmp/x", "/box/work/x", "/dev/shm/x"];

#[tokio::test]
async fn the_environment_is_ours_alone() {
    let found = probe("import os\nprint(sorted(os.environ))").await;
    assert_eq!(found.trim(), "['HOME', 'LANG', 'PATH', 'TMPDIR']");
}

#[tokio::test]
async fn there_is_no_network() {
    let found = probe(
        "import socket\n\
         for f in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, 40):\n\
         \x20 try: socket.socket(f, socket.SOCK_STREAM if f != 16 else socket.SOCK_RAW); print(f)\n\
         \x20 except OSError: pass\n\
         a, b = socket.socketpair(); a.send(b'own'); print(b.recv(3).decode())",
    )
    .await;
    assert_eq!(found, "own\n");
}

#[tokio::test]
async fn no_privilege_is_left() {
    let found = probe(
        "s = dict(l.split(':\\t', 1) for l in open('/proc/self/status').read().splitlines())\n\
         print(s['NoNewPrivs'], s['Seccomp'], s['CapEff'], s['CapPrm'], s['CapBnd'], s['Pid'])",
    )
    .await;
    let none = "0000000000000000";
    assert_eq!(found.trim(), format!("1 2 {none} {none} {none} 2"));
}

#[tokio::test]
async fn the_limits_of_the_kernel_are_set() {
    let found = probe(
        "import resource as r\n\
         for n in ('CORE', 'NOFILE', 'MEMLOCK', 'MSGQUEUE', 'CPU', 'FSIZE'):\n\
         \x20 print(n, *r.getrlimit(getattr(r, 'RLIMIT_' + n, 12)))",
    )
    .await;
    // A core file of 0 would still start a handler that the machine has for them.
    for line in ["CORE 1 1", "NOFILE 1024 1024", "MEMLOCK 65536 65536", "MSGQUEUE 0 0"] {
        assert!(found.lines().any(|found| found == line), "{line}: {found}");
    }
}

#[tokio::test]
async fn a_program_from_memory_is_as_confined() {
    let text = "#define _GNU_SOURCE\n#include <stdio.h>\n#include <string.h>\n#include <fcntl.h>\n\
        #include <unistd.h>\n#include <sys/mman.h>\n#include <sys/resource.h>\nextern char **environ;\n\
        int main(int c, char **v) { char b[65536]; long n;\n\
        if (c > 1) { struct rlimit r; getrlimit(RLIMIT_NOFILE, &r); printf(\"%lu\\n\", r.rlim_max);\n\
        FILE *f = fopen(\"/proc/self/status\", \"r\"); while (fgets(b, 999, f))\n\
        if (!strncmp(b, \"Seccomp:\", 8) || !strncmp(b, \"NoNewPrivs:\", 11) || !strncmp(b, \"CapEff:\", 7)) fputs(b, stdout);\n\
        return 0; }\n\
        int m = memfd_create(\"x\", 0), s = open(\"/proc/self/exe\", O_RDONLY);\n\
        while ((n = read(s, b, sizeof b)) > 0) write(m, b, n);\n\
        char *a[] = {\"x\", \"1\", 0}; return fexecve(m, a, environ); }";
    let result = run(&job(Language::C, text)).await;
    let words: Vec<_> = result.stdout.split_whitespace().collect();
    let expected = ["1024", "CapEff:", "0000000000000000", "NoNewPrivs:", "1", "Seccomp:", "2"];
    assert_eq!(words, expected, "{result:?}");
}

#[tokio::test]
async fn the_check_names_every_wall_and_language() {
    let helper = PathBuf::from(env!("CARGO_BIN_EXE_polycode-sandbox"));
    let report = runner::check(Config { helper, ..Config::default() }).await;
    for name in ["namespaces", "seccomp", "Landlock", "control groups", "Python", "Javascript"] {
        let line = report.iter().find(|(found, _, _)| found == name).expect(name);
        assert!(!line.2.is_empty(), "{line:?}");
    }
    let helper = PathBuf::from("/usr/bin/false");
    let report = runner::check(Config { helper, ..Config::default() }).await;
    assert!(matches!(report.as_slice(), [(_, false, why)] if why.contains("User namespaces")));
}

/// What the program printed; it must have ended well.
async fn probe(text: &str) -> String {
    let result = run(&job(Python, text)).await;
    assert_eq!(result.verdict, Verdict::Accepted, "{result:?}");
    result.stdout
}

/// Tests that an ordinary user's sandbox passes as well, for want of groups by a census.
const FOR_ALL: [&str; 10] = [
    "attacks::files_of_the_machine_and_of_other_runs_stay_hidden",
    "attacks::floods_of_memory_are_contained",
    "attacks::programs_that_wait_or_spin_are_stopped",
    "attacks::the_kernel_is_not_opened_further",
    "confinement::no_privilege_is_left",
    "limits::a_flood_of_processes_is_told_as_one",
    "limits::memory_is_limited_in_every_language",
    "shares::all_runs_together_have_half_of_the_servers_shares_or_else_sessions_weigh_less",
    "languages::every_language_adds_two_numbers",
    "slots::dropping_the_future_kills_the_run",
];

#[test]
fn an_ordinary_user_has_the_same_walls_but_groups() {
    if !rustix::process::geteuid().is_root() {
        println!("left out: every test here is an ordinary user's already");
        return;
    }
    let own = std::env::current_exe().unwrap();
    let as_nobody = &|arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        // Groups are root's here, whatever root's tests expect.
        command.env_remove(EXPECTED);
        command.arg(&own).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("setpriv, of util-linux").wait_with_output()
    };
    if !as_nobody(&["--list"]).is_ok_and(|listed| listed.status.success()) {
        println!("left out: {} is not for everybody to execute", own.display());
        return;
    }
    // Most of them wait most of the time.
    std::thread::scope(|scope| {
        for test in FOR_ALL {
            scope.spawn(move || {
                let ran = as_nobody(&["--exact", test, "--nocapture"]).unwrap();
                let said = String::from_utf8_lossy(&ran.stdout);
                let why = String::from_utf8_lossy(&ran.stderr);
                let passed = ran.status.success() && said.contains("1 passed");
                assert!(passed, "{test}: {said}\n{why}");
            });
        }
    });
}
