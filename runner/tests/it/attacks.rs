//! Hostile programs: each must come to one of the verdicts that its manifest allows, print no
//! line with `BREACH`, and leave nothing alive.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    path::{Path, PathBuf},
};

use bytes::Bytes;
use domain::{
    content::{Language, Limits},
    ports::Sandbox,
    run::{Job, Outcome, Verdict},
};
use runner::NamespaceSandbox;
use serde::Deserialize;

use crate::stage::{alive, job_of, sandbox, shared};

/// Cases that are not run, and why.
const LEFT_OUT: [(&str, &str); 4] = [
    ("p07_rust_include", "Rust is not offered"),
    ("p08_const_eval_loop", "Rust is not offered"),
    ("f05_file_names", "not a program: see `names_that_climb_are_refused`"),
    ("f06_many_files", "not a program: see `too_many_or_too_long_files_are_refused`"),
];

#[derive(Deserialize)]
struct Manifest {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    language: String,
    file: String,
    cls: String,
    stdin: Option<String>,
    limits: CaseLimits,
    expect: Expect,
}

#[derive(Deserialize)]
struct CaseLimits {
    wall_ms: u32,
    cpu_ms: u32,
    memory_mib: u64,
    pids: u32,
    output_kib: u32,
    disk_mib: u32,
}

#[derive(Deserialize)]
struct Expect {
    verdict: Vec<String>,
    stdout_has: Vec<String>,
}

macro_rules! classes {
    ($($test:ident: $($class:literal)+;)+) => {
        $(#[tokio::test]
        async fn $test() {
            withstand(&[$($class),+]).await;
        })+

        #[test]
        fn every_class_has_a_test() {
            let tested = BTreeSet::from([$($($class),+),+]);
            let known = manifest().map(|(_, manifest)| manifest.cases).unwrap_or_default();
            for case in known {
                assert!(tested.contains(case.cls.as_str()), "{} of {}", case.id, case.cls);
            }
        }
    };
}

classes! {
    floods_of_processes_are_contained: "pids";
    floods_of_memory_are_contained: "memory";
    floods_of_files_are_contained: "disk" "fds";
    floods_of_output_are_contained: "output";
    programs_that_wait_or_spin_are_stopped: "wall" "cpu";
    programs_that_outlive_themselves_are_not_waited_for: "lifetime" "signals";
    files_of_the_machine_and_of_other_runs_stay_hidden: "fs" "cache";
    the_network_is_not_there: "net";
    the_kernel_is_not_opened_further: "kernel";
    channels_carry_what_they_are_given: "channels";
    links_lead_nowhere: "symlink" "names";
    compilers_are_as_confined_as_programs: "compile";
}

async fn withstand(classes: &[&str]) {
    let Some((dir, manifest)) = manifest() else {
        println!("left out: hostile programs of {classes:?} (73 in all), no shared data");
        return;
    };
    let canaries = Canaries::plant();
    let sandbox = sandbox().await;
    let mut failures = Vec::new();
    for case in manifest.cases.iter().filter(|case| classes.contains(&case.cls.as_str())) {
        if let Some((_, why)) = LEFT_OUT.iter().find(|(id, _)| *id == case.id) {
            println!("left out: {} ({why})", case.id);
            continue;
        }
        if let Err(why) = case.withstood(&dir, &sandbox).await {
            failures.push(format!("{}: {why}", case.id));
        }
    }
    canaries.check();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn manifest() -> Option<(PathBuf, Manifest)> {
    let dir = shared()?.join("attacks");
    let text = fs::read_to_string(dir.join("manifest.json")).expect("the manifest");
    Some((dir, serde_json::from_str(&text).expect("the manifest is as documented")))
}

impl Case {
    async fn withstood(&self, dir: &Path, sandbox: &NamespaceSandbox) -> Result<(), String> {
        let outcome = sandbox.run(&self.job(dir), &|_| ()).await;
        let verdict = outcome.results.first().map_or(Verdict::CompileError, |r| r.verdict);
        println!("{}: {verdict:?} {}", self.id, shortly(&outcome));
        let left = alive();
        if !left.is_empty() {
            return Err(format!("alive after the verdict: {left:?}"));
        }
        let allowed = self.expect.verdict.iter().any(|word| means(word, verdict));
        let printed = outcome.results.first().map_or("", |r| &r.stdout);
        let stderr = outcome.results.first().map_or("", |r| &r.stderr);
        let said = || format!("{verdict:?}\n{}\n{printed}\n{stderr}", outcome.compiler_output);
        let breach =
            [printed, stderr, &outcome.compiler_output].iter().any(|t| t.contains("BREACH"));
        let missing = self.expect.stdout_has.iter().any(|text| !printed.contains(text));
        if !allowed || breach || missing {
            return Err(said());
        }
        Ok(())
    }

    fn job(&self, dir: &Path) -> Job {
        let read = |name: &str| fs::read_to_string(dir.join(name)).expect("a file of the case");
        let text = read(&self.file);
        let mut job = match self.language.as_str() {
            "c" | "c-compile" => {
                job_of(Language::C, &[("main.c", &text), ("guard.h", &read("guard.h"))])
            }
            "cpp-compile" => job_of(Language::Cpp, &[("main.cpp", &text)]),
            "python" => job_of(Language::Python, &[("main.py", &text)]),
            "bash" => job_of(Language::C, &[("main.c", &shell(&text))]),
            "submission" => makefile(&text),
            other => panic!("no such language: {other}"),
        };
        job.limits = Limits {
            cpu_ms: self.limits.cpu_ms,
            wall_ms: self.limits.wall_ms,
            memory_bytes: self.limits.memory_mib << 20,
            processes: self.limits.pids,
            output_bytes: self.limits.output_kib << 10,
            disk_bytes: self.limits.disk_mib << 20,
        };
        job.inputs[0].stdin = match self.stdin.as_deref() {
            Some("@64MiB") => Bytes::from(vec![b'x'; 64 << 20]),
            other => Bytes::copy_from_slice(other.unwrap_or_default().as_bytes()),
        };
        job
    }
}

/// Runs a shell script, though no shell is offered as a language. A compiled program finds only
/// itself in its directory, so the script is within it.
fn shell(script: &str) -> String {
    let bytes: Vec<String> = script.bytes().map(|byte| byte.to_string()).collect();
    format!(
        "#include <stdio.h>\n#include <unistd.h>\nstatic const char script[] = {{{}}};\n\
         int main(void) {{ FILE *f = fopen(\"script.sh\", \"w\"); \
         fwrite(script, sizeof script, 1, f); fclose(f); \
         execl(\"/bin/bash\", \"bash\", \"script.sh\", (char *)0); return 98; }}\n",
        bytes.join(",")
    )
}

/// A submission of several files, of which the compiler is to take only its own.
fn makefile(text: &str) -> Job {
    #[derive(Deserialize)]
    struct Submission {
        files: BTreeMap<String, String>,
    }
    let submission: Submission = serde_json::from_str(text).expect("a submission");
    let files: Vec<_> = submission.files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    job_of(Language::C, &files)
}

fn shortly(outcome: &Outcome) -> String {
    let result = outcome.results.first();
    result.map_or_else(
        || outcome.compiler_output.lines().last().unwrap_or_default().to_owned(),
        |r| {
            let mib = r.memory_bytes >> 20;
            format!("({}) {} ms cpu, {} ms wall, {mib} MiB", r.detail, r.cpu_ms, r.wall_ms)
        },
    )
}

/// What hostile programs look for: a file, a directory, a socket and a listener of the machine.
struct Canaries {
    _socket: UnixListener,
    tcp: Vec<TcpListener>,
}

const CANARY: &str = "canary: nobody in the sandbox may read this\n";

impl Canaries {
    fn plant() -> Self {
        let dir = PathBuf::from("/tmp/polycode-attacks");
        fs::create_dir_all(dir.join("canary.d")).expect("a directory in /tmp");
        fs::write(dir.join("canary.txt"), CANARY).expect("a file in /tmp");
        // Only one of several tests at once can have these names; the others meet its canaries.
        let address = SocketAddr::from_abstract_name("polycode-canary").expect("a short name");
        let socket = UnixListener::bind_addr(&address);
        let socket = socket.unwrap_or_else(|_| {
            let own = format!("polycode-canary-{}", std::process::id());
            let own = SocketAddr::from_abstract_name(own).expect("a short name");
            UnixListener::bind_addr(&own).expect("a name of our own")
        });
        let tcp = ["127.0.0.1:5432", "127.0.0.1:0"].into_iter();
        let tcp: Vec<_> = tcp.filter_map(|at| TcpListener::bind(at).ok()).collect();
        for listener in &tcp {
            listener.set_nonblocking(true).expect("a plain socket");
        }
        Self { _socket: socket, tcp }
    }

    fn check(&self) {
        let text = fs::read_to_string("/tmp/polycode-attacks/canary.txt");
        assert_eq!(text.expect("the canary lives"), CANARY);
        assert!(Path::new("/tmp/polycode-attacks/canary.d").is_dir());
        assert!(self.tcp.iter().all(|tcp| tcp.accept().is_err()), "somebody connected");
    }
}

fn means(word: &str, verdict: Verdict) -> bool {
    match word {
        "OK" => verdict == Verdict::Accepted,
        "TimeLimit" => matches!(verdict, Verdict::TimeLimit | Verdict::WallLimit),
        "CpuLimit" => verdict == Verdict::TimeLimit,
        "MemoryLimit" => verdict == Verdict::MemoryLimit,
        "OutputLimit" => verdict == Verdict::OutputLimit,
        "DiskLimit" => verdict == Verdict::DiskLimit,
        "ProcessLimit" => verdict == Verdict::ProcessLimit,
        "RuntimeError" | "Signaled" => verdict == Verdict::RuntimeError,
        "CompileError" | "Rejected" => verdict == Verdict::CompileError,
        other => panic!("no such verdict: {other}"),
    }
}
