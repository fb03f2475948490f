//! What the sandbox adds to one run: a static C program through the public API, and the same
//! program by `posix_spawn`, in turns. Prints medians.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use bytes::Bytes;
use domain::{
    content::{Comparison, Language, Limits, SourceFile},
    ids::SubmissionId,
    ports::Sandbox,
    run::{Input, Job, Progress},
};
use runner::{Config, NamespaceSandbox};
use tokio::time::{Duration, Instant};

const HELLO: &str = "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n";
const RUNS_PER_ROUND: u16 = 40;
/// Sandbox and `posix_spawn` in turns, so that what else the machine does hits both.
const ROUNDS: usize = 7;

fn main() -> anyhow::Result<()> {
    runner::sandbox_main_if_asked();
    tokio::runtime::Runtime::new()?.block_on(bench())
}

async fn bench() -> anyhow::Result<()> {
    let sandbox = NamespaceSandbox::new(Config { slots: 2, ..Config::default() }).await?;
    let plain = compiled(&std::env::temp_dir())?;
    let job = job();
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        inside.extend(sandboxed(&sandbox, &job).await?);
        outside
            .extend((0..RUNS_PER_ROUND).map(|_| spawned(&plain)).collect::<Result<Vec<_>, _>>()?);
    }
    std::fs::remove_file(&plain)?;
    let (inside, outside) = (median(inside), median(outside));
    let (one, two) = (throughput(&sandbox, 1).await, throughput(&sandbox, 2).await);
    let overhead = inside - outside;
    let mut out = std::io::stdout();
    writeln!(out, "isolation: {}", sandbox.isolation())?;
    // Name, value, unit, goal, whether it holds.
    let figures = [
        ("sandbox p50", inside, "ms", None),
        ("posix_spawn p50", outside, "ms", None),
        ("overhead p50", overhead, "ms", Some(("<= 3", overhead <= 3.0))),
        ("runs with 1 job", one, "1/s", Some((">= 250", 250.0 <= one))),
        ("runs with 2 jobs", two, "1/s", Some((">= 400", 400.0 <= two))),
    ];
    let figures = figures.map(|(name, value, unit, goal)| {
        let (goal, holds) = goal.map_or((None, None), |(goal, holds)| (Some(goal), Some(holds)));
        serde_json::json!({ "name": name, "value": value, "unit": unit, "goal": goal, "holds": holds })
    });
    for figure in &figures {
        writeln!(out, "{figure}")?;
    }
    std::fs::create_dir_all("target/bench")?;
    std::fs::write("target/bench/runner.json", serde_json::to_vec_pretty(&figures)?)?;
    Ok(())
}

/// Time from `Running` to `Judged` of each input, in ms.
async fn sandboxed(sandbox: &NamespaceSandbox, job: &Job) -> anyhow::Result<Vec<f64>> {
    let times = Mutex::new((Vec::new(), Instant::now()));
    let outcome = sandbox
        .run(job, &|progress| {
            let mut times = times.lock().expect("nobody panics with it");
            match progress {
                Progress::Running { .. } => times.1 = Instant::now(),
                Progress::Judged(_) => {
                    let ms = times.1.elapsed().as_secs_f64() * 1000.0;
                    times.0.push(ms);
                }
                Progress::Compiling | Progress::Output { .. } => {}
            }
        })
        .await;
    anyhow::ensure!(outcome.compiled, "{}", outcome.compiler_output);
    let times = times.into_inner().expect("nobody panics with it");
    Ok(times.0)
}

async fn throughput(sandbox: &NamespaceSandbox, at_once: usize) -> f64 {
    let (a, b) = (job(), job());
    // The compilation is not what is measured.
    let start = Mutex::new(None::<Instant>);
    let tell = |progress: Progress| {
        if matches!(progress, Progress::Running { .. }) {
            start.lock().expect("nobody panics with it").get_or_insert(Instant::now());
        }
    };
    if at_once == 1 {
        sandbox.run(&a, &tell).await;
    } else {
        tokio::join!(sandbox.run(&a, &tell), sandbox.run(&b, &tell));
    }
    let start = start.into_inner().expect("nobody panics with it");
    let taken = start.map_or(Duration::MAX, |start| start.elapsed());
    f64::from(RUNS_PER_ROUND) * if at_once == 1 { 1.0 } else { 2.0 } / taken.as_secs_f64()
}

fn spawned(program: &Path) -> anyhow::Result<f64> {
    let start = Instant::now();
    let output = Command::new(program).stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    anyhow::ensure!(output.stdout == b"hello\n", "the plain program failed");
    Ok(start.elapsed().as_secs_f64() * 1000.0)
}

fn compiled(dir: &Path) -> anyhow::Result<PathBuf> {
    let (source, program) = (dir.join("bench_runner.c"), dir.join("bench_runner.bin"));
    std::fs::write(&source, HELLO)?;
    let mut gcc = Command::new("gcc");
    gcc.args(["-O2", "-static", "-o"]).arg(&program).arg(&source);
    anyhow::ensure!(gcc.status()?.success(), "gcc failed");
    std::fs::remove_file(source)?;
    Ok(program)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

fn job() -> Job {
    let input = |validator| Input {
        validator,
        stdin: Bytes::new(),
        expected: Some(Bytes::from_static(b"hello\n")),
        comparison: Comparison::default(),
        streamed: false,
    };
    Job {
        submission: SubmissionId::from_u128(1),
        language: Language::C,
        files: vec![SourceFile { name: "main.c".to_owned(), text: HELLO.to_owned() }],
        limits: Limits::default(),
        inputs: (0..RUNS_PER_ROUND).map(input).collect(),
    }
}
