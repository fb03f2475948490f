//! Python run by copies of an interpreter that is kept warm: as with one that is started, and with
//! nothing in it of any other run.

use std::{path::PathBuf, process::Command};

use domain::{
    content::Language::Python,
    ports::Sandbox,
    run::{ValidatorResult, Verdict},
};
use runner::{Config, NamespaceSandbox};

use crate::{
    faults::is_gone,
    stage::{WARM, children_of, helpers, inits_of, input, job, job_of},
};

async fn sandbox_with(python_fork_server: bool) -> NamespaceSandbox {
    let helper = PathBuf::from(env!("CARGO_BIN_EXE_polycode-sandbox"));
    let config = Config { helper, slots: 1, python_fork_server, ..Config::default() };
    NamespaceSandbox::new(config).await.expect("this machine can hold a sandbox")
}

/// A sandbox with a warm interpreter, where this machine has the library.
async fn warm() -> Option<NamespaceSandbox> {
    let sandbox = sandbox_with(true).await;
    let wall = sandbox.walls().iter().find(|(name, ..)| name == "Python's fork server");
    let (_, stands, why) = wall.expect("it was asked for").clone();
    if !stands {
        println!("left out: {why}");
        assert!(!crate::stage::in_ci(), "{why}");
    }
    stands.then_some(sandbox)
}

/// Programs whose ends, output and view of themselves are to be the same.
const PROGRAMS: &[&str] = &[
    "print('hello')",
    "import sys; sys.exit(3)",
    "import sys; sys.exit('bye')",
    "raise SystemExit",
    "f = open('/proc/self/fd/1', 'w'); f.write('never closed'); print('first', flush=True)",
    "class A:\n\x20 def __del__(self): print('gone', self.x)\na = A(); a.x = 1; b = A(); b.x = 2; b.b = b",
    "import atexit, sys, threading\natexit.register(lambda: print('os' in sys.modules, threading))\n\
     threading.Timer(0.05, print, ['late']).start()",
    "import os, re, sys\nclass A:\n\x20 def __del__(self): print(os is None, re.compile('a') is None, sys is None)\n\
     a = A()\ndef g(): yield a\nh = g(); next(h)",
    "import logging, weakref\nlogging.basicConfig(); logging.warning('w')\nweakref.finalize(logging, print, 'finalized')",
    "raise KeyboardInterrupt",
    "print(open('/proc/self/comm').read())",
    "import sys, functools\nsys.setrecursionlimit(10 ** 6)\n@functools.lru_cache(None)\n\
     def f(n): return 1 + f(n - 1) if n else 0\nprint(f(30000))",
    "import sys, functools\nsys.setrecursionlimit(10 ** 9)\n@functools.lru_cache(None)\n\
     def f(n): return 1 + f(n - 1)\nf(10 ** 8)",
    "def f(n): return 1 // n\nf(0)",
    "def (",
    "import os; print('lost'); os._exit(5)",
    "x = input(); y = input(); print(int(x) + int(y), end='')",
    "import sys\nfor line in sys.stdin: print(line[::-1])\nprint(sys.stdin.read() == '')",
    "input(); input(); input()",
    "import threading; threading.Thread(target=print, args=('in a thread',)).start()",
    "import signal; print([signal.getsignal(s) for s in range(1, 32) if s not in (9, 19)])",
    "import signal, os; os.kill(os.getpid(), signal.SIGSEGV)",
    "import os; os.abort()",
    "import ctypes; ctypes.string_at(8)",
    "import atexit; atexit.register(print, 'at the end')",
    "import os; os.close(1); print(2)",
    "print(list(globals()), __name__, __file__, __spec__, type(__loader__))",
    "import sys; print(sys.path, sys.argv, sys.flags, sys.executable, sys.version, sys.prefix)",
    "import sys; print(sys.orig_argv, sys.getrecursionlimit(), sys.getfilesystemencoding())",
    "import sys; print(sys.stdin, sys.stdout, sys.stderr, sys.stdin.errors, sys.stderr.errors)",
    "import sys; print([(s.line_buffering, s.write_through, s.newlines) for s in (sys.stdin, sys.stdout, sys.stderr)])",
    "import os; print(dict(os.environ), os.getcwd(), sorted(os.listdir('.')), os.getpid(), os.getppid())",
    "import os; print(os.getuid(), os.getsid(0), os.getpgid(0), os.umask(0), os.sched_getaffinity(0) != set())",
    "import os; print(sorted(int(fd) for fd in os.listdir('/proc/self/fd')))",
    "import resource as r; print([r.getrlimit(n) for n in range(16)])",
    "print([l for l in open('/proc/self/status') if l.split(':')[0] in \
     ('NoNewPrivs', 'Seccomp', 'Seccomp_filters', 'CapInh', 'CapEff', 'CapPrm', 'CapBnd', 'CapAmb', 'Pid', 'PPid', \
     'TracerPid', 'Uid', 'Gid', 'Groups', 'NSpid', 'Threads', 'SigQ', 'SigBlk', 'SigIgn', 'SigCgt', 'SigPnd')])",
    "import os; print([os.readlink('/proc/self/ns/' + n) == os.readlink('/proc/1/ns/' + n) for n in ('pid',)])",
    "for p in ('/etc/shadow', '/usr/x', '/dev/x', '/proc/self/mem', '/proc/1/mem', '/box/x'):\n\
     \x20 try: open(p, 'r+b' if 'mem' in p else 'w').close(); print(p)\n\
     \x20 except OSError as why: print(p, why.errno)",
    "import sys; sys.setrecursionlimit(20000)\ndef f(n): return 1 + f(n - 1) if n else 0\nprint(f(15000))",
    "import two; print(two.TWO, two.__file__)",
    "import multiprocessing as m\ndef f(x): return x * x\nif __name__ == '__main__':\n\
     \x20 m.set_start_method('spawn')\n\
     \x20 with m.Pool(2) as p: print(p.map(f, range(4)))",
    "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'print(7)'], capture_output=True))",
    "import os, time\nif os.fork() == 0: print('child'); os._exit(0)\nos.wait(); print('parent')",
    "import socket\nfor f in (2, 10, 16, 40):\n\
     \x20 try: socket.socket(f, socket.SOCK_RAW if f == 16 else 1); print(f)\n\
     \x20 except OSError as why: print(f, why.errno)",
    "import decimal, fractions, json, datetime, asyncio; asyncio.run(asyncio.sleep(0)); print('all there')",
    "import sys; print('é', file=sys.stderr); print('\\udc80')",
    "import collections, heapq, random\nrandom.seed(7); print(random.random(), heapq.heappop([3, 1]))",
    "print('x' * 300000)",
    "import sys; sys.stdout.write('no newline'); sys.stderr.write('neither')",
];

#[tokio::test]
async fn a_copy_behaves_as_an_interpreter_that_was_started() {
    let Some(warm) = warm().await else { return };
    let cold = sandbox_with(false).await;
    for text in PROGRAMS {
        let mut job = job_of(Python, &[("main.py", text), ("two.py", "TWO = 2")]);
        job.limits.output_bytes = 1 << 20;
        // What is shown, and what is only judged, is written otherwise.
        job.inputs = vec![input("3\n4\n", None), input("3\n4\n", Some("7"))];
        job.inputs[1].streamed = false;
        let (ours, its) = (warm.run(&job, &|_| ()).await, cold.run(&job, &|_| ()).await);
        let said = |results: &[ValidatorResult]| -> Vec<_> {
            let said = |r: &ValidatorResult| {
                (r.verdict, r.detail.clone(), r.stdout.clone(), r.stderr.clone())
            };
            results.iter().map(said).collect()
        };
        assert_eq!(said(&ours.results), said(&its.results), "{text}");
    }
}

#[tokio::test]
async fn it_is_a_copy_that_runs() {
    let Some(warm) = warm().await else { return };
    let text = "import sys; print('heapq' in sys.modules, len(set('/proc/self/maps')) > 0)\n\
        print(any('libpython' in line for line in open('/proc/self/maps')))";
    let outcome = warm.run(&job(Python, text), &|_| ()).await;
    assert_eq!(outcome.results[0].stdout, "True True\nTrue\n", "{outcome:?}");
}

#[tokio::test]
async fn nothing_of_one_run_is_in_the_memory_of_the_next() {
    let Some(warm) = warm().await else { return };
    // Put together when it runs, so that nobody who looks for it has it.
    let plant = "kept = [open('main.py').read(), input(), 'CANARY-' + 'made' * 3]\n\
        import os; os.environ['CANARY'] = kept[1]; print(kept)  # CANARY-source";
    let look = "import re\n\
        wanted, found, seen = b'CANARY' + b'-' + b'(source|typed|mademade)', [], 0\n\
        for line in open('/proc/self/maps'):\n\
        \x20 span, rights, *rest = line.split()\n\
        \x20 if rights[0] != 'r' or 'vvar' in line or 'vsyscall' in line: continue\n\
        \x20 start, end = (int(x, 16) for x in span.split('-'))\n\
        \x20 with open('/proc/self/mem', 'rb', 0) as mem:\n\
        \x20   for at in range(start, end, 1 << 20):\n\
        \x20     mem.seek(at)\n\
        \x20     piece = mem.read(min(1 << 20, end - at)); seen += len(piece)\n\
        \x20     found += [(line, m.group()) for m in re.finditer(wanted, piece)]\n\
        print(found, seen > 8 << 20, b'CANARY' in b'-CANARY')";
    let mut planting = job(Python, plant);
    planting.inputs = vec![input("CANARY-typed\n", None); 3];
    let clean = "[] True True\n";
    for _ in 0..3 {
        let outcome = warm.run(&planting, &|_| ()).await;
        assert!(outcome.results.iter().all(|r| r.verdict == Verdict::Accepted), "{outcome:?}");
        let outcome = warm.run(&job(Python, look), &|_| ()).await;
        assert_eq!(outcome.results[0].stdout, clean, "{outcome:?}");
    }
    // The search finds what is there: its own input.
    let mut own = job(Python, &format!("own = input()\n{look}"));
    own.inputs = vec![input("CANARY-typed\n", None)];
    let outcome = warm.run(&own, &|_| ()).await;
    assert!(outcome.results[0].stdout.contains("CANARY-typed"), "{outcome:?}");
}

#[tokio::test]
async fn a_warm_interpreter_that_is_killed_is_replaced_and_no_run_is_lost() {
    let Some(warm) = warm().await else { return };
    let job = job(Python, "print(1)");
    for _ in 0..4 {
        let outcome = warm.run(&job, &|_| ()).await;
        assert_eq!(outcome.results[0].verdict, Verdict::Accepted, "{outcome:?}");
        let helper = helpers();
        let kept = children_of(&helper[0]);
        assert_eq!((helper.len(), kept.len(), inits_of(&helper[0]).len()), (1, 1, 0));
        let pid = kept[0].parse().ok().and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        // Killed is not yet dead; the next run must meet a dead one.
        while !is_gone(&kept[0]) {
            tokio::task::yield_now().await;
        }
    }
    let outcome = warm.run(&job, &|_| ()).await;
    assert_eq!(outcome.results[0].verdict, Verdict::Accepted, "{outcome:?}");
}

#[tokio::test]
async fn randomness_is_not_shared() {
    let Some(warm) = warm().await else { return };
    let text = "import random, uuid, tempfile, os, secrets\n\
        print(random.random(), uuid.uuid4(), next(tempfile._get_candidate_names()), secrets.token_hex())";
    let mut job = job(Python, text);
    job.inputs = vec![input("", None); 3];
    let outcome = warm.run(&job, &|_| ()).await;
    let words: Vec<_> = outcome.results.iter().flat_map(|r| r.stdout.split_whitespace()).collect();
    let different: std::collections::BTreeSet<_> = words.iter().collect();
    assert_eq!((words.len(), different.len()), (12, 12), "{outcome:?}");
}

/// Tests that hold for Python, or for hostile programs in it, and must with warm interpreters too:
/// those that take seconds. All others do when the whole is run with the variable set.
const AGAIN: [&str; 16] = [
    "attacks::channels_carry_what_they_are_given",
    "attacks::files_of_the_machine_and_of_other_runs_stay_hidden",
    "attacks::links_lead_nowhere",
    "attacks::programs_that_outlive_themselves_are_not_waited_for",
    "attacks::the_kernel_is_not_opened_further",
    "attacks::the_network_is_not_there",
    "confinement::files_of_the_machine_cannot_be_read",
    "confinement::no_privilege_is_left",
    "confinement::nothing_outside_the_box_can_be_written",
    "confinement::the_environment_is_ours_alone",
    "confinement::the_limits_of_the_kernel_are_set",
    "limits::a_loop_without_end_uses_up_its_processor_time",
    "limits::memory_is_limited_in_every_language",
    "limits::time_and_memory_of_grandchildren_count",
    "shares::all_runs_together_have_half_of_the_servers_shares_or_else_sessions_weigh_less",
    "slots::a_run_leaves_nothing_for_the_next",
];

#[tokio::test]
async fn the_walls_hold_for_copies() {
    if warm().await.is_none() {
        return;
    }
    let own = std::env::current_exe().unwrap();
    for test in AGAIN {
        let mut command = Command::new(&own);
        command.args(["--exact", test, "--nocapture"]).env(WARM, "1");
        let ran = command.output().expect("this executable");
        let said = String::from_utf8_lossy(&ran.stdout);
        let passed = ran.status.success() && said.contains("1 passed");
        assert!(passed, "{test}: {said}\n{}", String::from_utf8_lossy(&ran.stderr));
    }
}
