//! Hostile programs: each must come to one of the verdicts that its manifest allows, print no
//! line with `BREACH`, leave nothing alive, and do nothing of what its manifest says it must not.

mod controls;
mod evidence;
mod probes;

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
    run::{Job, Outcome, Verdict},
};
use serde::Deserialize;

use self::{
    evidence::Evidence,
    probes::{ELSEWHERE, PROBES},
};
use crate::stage::{input, job_of, sandbox, sandbox_of, shared};

/// Cases that are not run, and why.
const LEFT_OUT: [(&str, &str); 2] = [
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
    must_not: Vec<String>,
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
    let (sandbox, two) = (sandbox().await, sandbox_of(2).await);
    let mut failures = Vec::new();
    for case in manifest.cases.iter().filter(|case| classes.contains(&case.cls.as_str())) {
        if let Some((_, why)) = LEFT_OUT.iter().find(|(id, _)| *id == case.id) {
            println!("left out: {} ({why})", case.id);
            continue;
        }
        if case.language == "rust-compile" && !offers(&sandbox, Language::Rust) {
            println!("left out: {} (Rust is not installed)", case.id);
            continue;
        }
        let repeat = AGAIN.contains(&case.cls.as_str()).then_some(&two);
        let evidence = Evidence::of(case.job(&dir), &sandbox, repeat, &canaries).await;
        failures.extend(case.failures(&evidence));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn offers(sandbox: &runner::NamespaceSandbox, language: Language) -> bool {
    sandbox.languages().iter().any(|(offered, _)| *offered == language)
}

fn manifest() -> Option<(PathBuf, Manifest)> {
    let dir = shared()?.join("attacks");
    let text = fs::read_to_string(dir.join("manifest.json")).expect("the manifest");
    Some((dir, serde_json::from_str(&text).expect("the manifest is as documented")))
}

/// Classes whose programs run three times, as what they must not do takes more than one.
const AGAIN: [&str; 3] = ["fs", "cache", "memory"];

#[test]
fn every_line_of_must_not_is_looked_for_or_said_not_to_be() {
    let known: BTreeSet<&str> =
        PROBES.iter().map(|p| p.0).chain(ELSEWHERE.iter().map(|p| p.0)).collect();
    assert_eq!(
        known.len(),
        PROBES.len() + ELSEWHERE.len(),
        "a line is in both lists or twice in one"
    );
    let Some((_, manifest)) = manifest() else {
        println!("left out: the lines of the manifest, no shared data");
        return;
    };
    let lines = manifest.cases.iter().flat_map(|case| &case.expect.must_not);
    let lines: BTreeSet<&str> = lines.map(String::as_str).collect();
    assert_eq!(lines, known, "each line has a probe, each probe a line");
    println!("{} lines: {} probes", lines.len(), PROBES.len());
    for (line, why) in ELSEWHERE {
        println!("no probe: {line} ({why})");
    }
}

impl Case {
    /// What was wrong, a sentence each.
    fn failures(&self, seen: &Evidence) -> Vec<String> {
        let (outcome, verdict) = (&seen.outcome, seen.verdict());
        println!("{}: {verdict:?} {} after {:?}", self.id, shortly(outcome), seen.took());
        let mut failures = Vec::new();
        if !self.expect.verdict.iter().any(|word| means(word, verdict)) {
            failures.push(format!("{verdict:?} {outcome:?}"));
        }
        let printed = seen.result().map_or("", |r| &r.stdout);
        for text in self.expect.stdout_has.iter().filter(|text| !printed.contains(*text)) {
            failures.push(format!("{text} is not in {printed}"));
        }
        if !seen.alive.is_empty() {
            failures.push(format!("alive after the verdict: {:?}", seen.alive));
        }
        failures.extend(probes::breached(seen).err());
        failures.extend(seen.canaries.clone().err());
        failures.extend(self.done(seen));
        failures.into_iter().map(|why| format!("{}: {why}", self.id)).collect()
    }

    /// What it did of what it must not.
    fn done(&self, seen: &Evidence) -> Vec<String> {
        let lines = self.expect.must_not.iter();
        let probes = lines.filter_map(|line| PROBES.iter().find(|(known, _)| known == line));
        let found = probes.filter_map(|(line, probe)| Some((line, probe(seen).err()?)));
        found.map(|(line, why)| format!("{line}: {why}")).collect()
    }

    fn job(&self, dir: &Path) -> Job {
        let read = |name: &str| fs::read_to_string(dir.join(name)).expect("a file of the case");
        let text = read(&self.file);
        let mut job = match self.language.as_str() {
            "c" | "c-compile" => {
                job_of(Language::C, &[("main.c", &text), ("guard.h", &read("guard.h"))])
            }
            "cpp-compile" => job_of(Language::Cpp, &[("main.cpp", &text)]),
            "rust-compile" => job_of(Language::Rust, &[("main.rs", &text)]),
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
        if self.id.starts_with("s04") {
            // What it looks for is there to be found: the answer of another input.
            job.inputs.push(input("EXPECTED-CANARY", Some("EXPECTED-CANARY")));
            job.inputs[1].streamed = false;
        }
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
    planted: Vec<Shape>,
    /// Held until the test's end: see [`Self::plant_alone`].
    _lock: fs::File,
}

/// Content, owner, mode, and time of the last change.
type Shape = (Vec<u8>, u32, u32, i64, i64);

const CANARY: &str = "canary: nobody in the sandbox may read this\n";

impl Canaries {
    fn plant() -> Self {
        let lock = Self::lock();
        lock.lock_shared().expect("a local file system");
        Self::planted(lock)
    }

    /// For programs that do get through, and would knock at another test's canaries.
    fn plant_alone() -> Self {
        let lock = Self::lock();
        lock.lock().expect("a local file system");
        Self::planted(lock)
    }

    fn lock() -> fs::File {
        fs::create_dir_all("/tmp/polycode-attacks").expect("a directory in /tmp");
        // Another user's is as good.
        fs::File::open("/tmp/polycode-attacks/lock")
            .or_else(|_| fs::File::create("/tmp/polycode-attacks/lock"))
            .expect("a file in /tmp")
    }

    fn planted(lock: fs::File) -> Self {
        let dir = PathBuf::from("/tmp/polycode-attacks");
        fs::create_dir_all(dir.join("canary.d")).expect("a directory in /tmp");
        // Several tests at once find the same one.
        if fs::read_to_string(dir.join("canary.txt")).is_ok_and(|text| text != CANARY)
            || !dir.join("canary.txt").exists()
        {
            fs::write(dir.join("canary.txt"), CANARY).expect("a file in /tmp");
        }
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
        Self { _socket: socket, tcp, planted: shapes(), _lock: lock }
    }

    fn untouched(&self) -> Result<(), String> {
        let calls = self.tcp.iter().flat_map(|tcp| std::iter::from_fn(|| tcp.accept().ok()));
        if calls.count() > 0 {
            return Err("somebody connected".to_owned());
        }
        let now = shapes();
        let same = now == self.planted && now.first().is_some_and(|s| s.0 == CANARY.as_bytes());
        if same { Ok(()) } else { Err(format!("{:?} became {now:?}", self.planted)) }
    }
}

fn shapes() -> Vec<Shape> {
    use std::os::unix::fs::MetadataExt;
    let dir = Path::new("/tmp/polycode-attacks");
    let shape = |name: &str| -> Shape {
        let path = dir.join(name);
        let found = fs::metadata(&path).expect("the canary lives");
        let content = fs::read(&path).unwrap_or_default();
        (content, found.uid(), found.mode(), found.mtime(), found.mtime_nsec())
    };
    ["canary.txt", "canary.d"].map(shape).into()
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
