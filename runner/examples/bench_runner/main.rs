//! What the sandbox adds to one run: a static C program through the public API, by `posix_spawn`,
//! and by others that confine programs, in turns, so that what else the machine does hits all.
//! Prints each figure and writes `target/bench/runner.json`.

mod peers;

use std::{fs, io::Write, sync::Mutex};

use bytes::Bytes;
use domain::{
    content::{Language, Limits, SourceFile},
    ids::SubmissionId,
    judging::Judging,
    ports::Sandbox,
    run::{Input, Job, Outcome, Progress},
};
use peers::{Stage, spawned};
use runner::{Config, NamespaceSandbox};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

const HELLO: &str = "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n";
const RUNS_PER_ROUND: u16 = 20;
const PYTHON_RUNS: u16 = 40;
/// Enough for an interval: of nine medians the second and the eighth hold the true one in 96 of
/// 100 cases.
const ROUNDS: u32 = 9;
const WALL_MS: u32 = 150;

fn main() -> anyhow::Result<()> {
    runner::sandbox_main_if_asked();
    tokio::runtime::Runtime::new()?.block_on(bench())
}

async fn bench() -> anyhow::Result<()> {
    // With a second slot free a job's inputs would run two at a time, and slow each other down.
    let sandbox = NamespaceSandbox::new(Config { slots: 1, ..Config::default() }).await?;
    let mut out = std::io::stdout();
    writeln!(out, "isolation: {}", sandbox.isolation())?;
    let mut figures = side_by_side(&sandbox, &mut out).await?;
    figures.extend(at_once(&sandbox).await?);
    figures.extend(stopped(&sandbox).await?);
    let mib = helpers().iter().map(|id| kib(id, "Pss:")).max();
    let mib = mib.map_or(f64::NAN, |kib| f64::from(kib) / 1024.0);
    figures.push(at_most("an idle slot's memory (its share)", mib, "MiB", 60.0, 16.0));
    figures.extend(python_hello(&sandbox, &mut out).await?);
    for figure in &figures {
        writeln!(out, "{figure}")?;
    }
    fs::create_dir_all("target/bench")?;
    fs::write("target/bench/runner.json", serde_json::to_vec_pretty(&figures)?)?;
    Ok(())
}

/// Everybody in turns, round after round.
async fn side_by_side(
    sandbox: &NamespaceSandbox,
    out: &mut impl Write,
) -> anyhow::Result<Vec<Value>> {
    let stage = Stage::set(HELLO)?;
    let (here, absent): (Vec<_>, Vec<_>) =
        stage.peers().into_iter().map(|peer| (peer.run(0), peer)).partition(|(ran, _)| ran.is_ok());
    for (ran, peer) in &absent {
        let why = ran.as_ref().err().map(ToString::to_string).unwrap_or_default();
        writeln!(out, "not available: {} ({why})", peer.name)?;
    }
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    let mut others: Vec<Vec<f64>> = here.iter().map(|_| Vec::new()).collect();
    let (mut cpu_ms, mut runs) = (0.0, 0.0);
    for round in 0..ROUNDS {
        // From the first verdict on, as what comes before it is the compiler's.
        let from = Mutex::new(None);
        let hello = hello();
        let ran = sandbox.run_and(&hello, || {
            from.lock().expect("nobody panics with it").get_or_insert_with(helpers_cpu_ms);
        });
        ours.push(median(times(&ran.await)?));
        cpu_ms += from
            .into_inner()
            .expect("nobody panics with it")
            .map_or(f64::NAN, |from| helpers_cpu_ms() - from);
        runs += f64::from(RUNS_PER_ROUND - 1);
        let plain = (0..RUNS_PER_ROUND).map(|_| spawned(&stage.program()));
        floor.push(median(plain.collect::<Result<Vec<_>, _>>()?));
        for ((_, peer), medians) in here.iter().zip(&mut others) {
            let runs = (0..u32::from(RUNS_PER_ROUND)).map(|nth| peer.run(1 + round * 100 + nth));
            medians.push(median(runs.collect::<Result<Vec<_>, _>>()?));
        }
    }
    let added: Vec<f64> = ours.iter().zip(&floor).map(|(ours, floor)| ours - floor).collect();
    let (low, high) = interval(added.clone());
    writeln!(out, "overhead {:.2} ms, between {low:.2} and {high:.2}", median(added.clone()))?;
    let mut figures = vec![
        plain("sandbox p50", median(ours.clone()), "ms"),
        plain("posix_spawn p50", median(floor), "ms"),
        at_most("overhead p50", median(added), "ms", 3.0, 1.5),
        at_most("processor time a run", cpu_ms / runs, "ms", 3.0, 2.0),
    ];
    for ((_, peer), medians) in here.iter().zip(others) {
        let ratios: Vec<f64> = ours.iter().zip(&medians).map(|(ours, its)| ours / its).collect();
        let (low, high) = interval(ratios.clone());
        figures.push(plain(&format!("{} p50", peer.name), median(medians), "ms"));
        let name = format!("wall p50 / {}'s ({low:.2} to {high:.2})", peer.name);
        let ratio = median(ratios);
        figures.push(match peer.goal {
            Some((must, better)) => at_most(&name, ratio, "", must, better),
            None => plain(&name, ratio, ""),
        });
    }
    let missing = absent.iter().map(|(_, peer)| {
        let goal = peer.goal.map(|(must, better)| format!("<= {must}, better {better}"));
        let name = format!("wall p50 / {}'s", peer.name);
        json!({ "name": name, "value": null, "unit": "", "goal": goal, "holds": null })
    });
    figures.extend(missing);
    Ok(figures)
}

/// Python from its start and as a copy of a warm interpreter, in turns.
async fn python_hello(
    started: &NamespaceSandbox,
    out: &mut impl Write,
) -> anyhow::Result<Vec<Value>> {
    let before = helpers();
    let config = Config { slots: 1, python_fork_server: true, ..Config::default() };
    let copied = NamespaceSandbox::new(config).await?;
    let wall = copied.walls().iter().find(|(name, ..)| name == "Python's fork server");
    let is_warm = wall.is_some_and(|(_, stands, _)| *stands);
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    let mut cpu_ms = [0.0; 2];
    for _ in 0..ROUNDS {
        let from = helpers_cpu_ms();
        cold.push(median(times(&started.run_told(&python()).await)?));
        let between = helpers_cpu_ms();
        warm.push(median(times(&copied.run_told(&python()).await)?));
        cpu_ms[0] += between - from;
        cpu_ms[1] += helpers_cpu_ms() - between;
    }
    let cpu_ms = cpu_ms.map(|ms| ms / f64::from(ROUNDS * u32::from(PYTHON_RUNS)));
    for (name, medians, cpu_ms) in [("started", &cold, cpu_ms[0]), ("copied", &warm, cpu_ms[1])] {
        let (low, high) = interval(medians.clone());
        writeln!(
            out,
            "Python {name}: {:.2} ms, between {low:.2} and {high:.2}; {cpu_ms:.2} ms of processor time",
            median(medians.clone())
        )?;
    }
    let new = helpers().into_iter().filter(|id| !before.contains(id));
    let kept: Vec<_> = new.flat_map(|helper| children_of(&helper)).collect();
    let mib = kept.iter().map(|id| f64::from(kib(id, "Pss:")) / 1024.0).sum();
    let mut figures = vec![at_most("Python hello, end to end, p50", median(cold), "ms", 20.0, 6.0)];
    if is_warm {
        let name = "Python hello with the fork server, p50";
        figures.push(at_most(name, median(warm), "ms", 20.0, 6.0));
        figures.push(plain("its warm interpreter's memory (its share)", mib, "MiB"));
    }
    Ok(figures)
}

/// Runs a second with one job and with two at once, the best of three: others can only slow it.
async fn at_once(alone: &NamespaceSandbox) -> anyhow::Result<[Value; 2]> {
    let both = NamespaceSandbox::new(Config { slots: 2, ..Config::default() }).await?;
    let (mut one, mut two) = (0.0_f64, 0.0_f64);
    for _ in 0..3 {
        one = one.max(throughput(alone, 1).await);
        two = two.max(throughput(&both, 2).await);
    }
    Ok([
        at_least("runs with 1 job", one, "1/s", 250.0, 450.0),
        at_least("runs with 2 jobs", two, "1/s", 400.0, 800.0),
    ])
}

/// How long after its limit a program that waits is told of, and until nothing of it is alive.
async fn stopped(sandbox: &NamespaceSandbox) -> anyhow::Result<[Value; 2]> {
    let text = "#include <unistd.h>\nint main(void) { fork(); fork(); sleep(60); }";
    let mut job = job(Language::C, text, 9);
    job.limits.wall_ms = WALL_MS;
    let alive_ms = Mutex::new(Vec::new());
    let times = sandbox
        .run_and(&job, || {
            let since = Instant::now();
            while helpers().iter().any(|helper| !children_of(helper).is_empty()) {}
            alive_ms
                .lock()
                .expect("nobody panics with it")
                .push(since.elapsed().as_secs_f64() * 1e3);
        })
        .await;
    let late = times.1.iter().map(|ms| ms - f64::from(WALL_MS)).collect();
    let alive = alive_ms.into_inner().expect("nobody panics with it");
    anyhow::ensure!(alive.len() == 9, "{:?}", times.0);
    Ok([
        at_most("wall limit reached to verdict, p50", median(late), "ms", 50.0, 20.0),
        at_most("verdict to nothing alive, p50", median(alive), "ms", 200.0, 20.0),
    ])
}

/// A sandbox whose runs are timed.
trait Timed {
    /// The outcome, and the time from `Running` to `Judged` of each input, in ms.
    async fn run_told(&self, job: &Job) -> (Outcome, Vec<f64>);
    /// The same, with something to do after each verdict.
    async fn run_and(&self, job: &Job, then: impl Fn() + Send + Sync) -> (Outcome, Vec<f64>);
}

impl Timed for NamespaceSandbox {
    async fn run_told(&self, job: &Job) -> (Outcome, Vec<f64>) {
        self.run_and(job, || ()).await
    }

    async fn run_and(&self, job: &Job, then: impl Fn() + Send + Sync) -> (Outcome, Vec<f64>) {
        let times = Mutex::new((Vec::new(), Instant::now()));
        let tell = |progress: Progress| {
            let mut times = times.lock().expect("nobody panics with it");
            match progress {
                Progress::Running { .. } => times.1 = Instant::now(),
                Progress::Judged(_) => {
                    let ms = times.1.elapsed().as_secs_f64() * 1000.0;
                    times.0.push(ms);
                    then();
                }
                Progress::Compiling | Progress::Output { .. } => {}
            }
        };
        let outcome = self.run(job, &tell).await;
        (outcome, times.into_inner().expect("nobody panics with it").0)
    }
}

/// The times, if all went well.
fn times((outcome, times): &(Outcome, Vec<f64>)) -> anyhow::Result<Vec<f64>> {
    let well = |r: &domain::run::ValidatorResult| r.verdict == domain::run::Verdict::Accepted;
    anyhow::ensure!(outcome.compiled && outcome.results.iter().all(well), "{outcome:?}");
    Ok(times.clone())
}

async fn throughput(sandbox: &NamespaceSandbox, at_once: usize) -> f64 {
    let (a, b) = (job(Language::C, HELLO, 150), job(Language::C, HELLO, 150));
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
    150.0 * if at_once == 1 { 1.0 } else { 2.0 } / taken.as_secs_f64()
}

fn hello() -> Job {
    job(Language::C, HELLO, RUNS_PER_ROUND)
}

fn python() -> Job {
    job(Language::Python, "print('hello')", PYTHON_RUNS)
}

fn job(language: Language, text: &str, runs: u16) -> Job {
    let input = |validator| Input {
        validator,
        expected: Some(Bytes::from_static(b"hello\n")),
        ..Input::default()
    };
    Job {
        submission: SubmissionId::from_u128(1),
        language,
        files: vec![SourceFile { name: language.main_file().to_owned(), text: text.to_owned() }],
        limits: Limits::default(),
        inputs: (0..runs).map(input).collect(),
        judging: Judging::Compare,
    }
}

fn plain(name: &str, value: f64, unit: &str) -> Value {
    json!({ "name": name, "value": value, "unit": unit, "goal": null, "holds": null })
}

fn at_most(name: &str, value: f64, unit: &str, must: f64, better: f64) -> Value {
    let goal = format!("<= {must}, better {better}");
    let better = value <= better;
    json!({ "name": name, "value": value, "unit": unit, "goal": goal, "holds": value <= must, "better": better })
}

fn at_least(name: &str, value: f64, unit: &str, must: f64, better: f64) -> Value {
    let goal = format!(">= {must}, better {better}");
    let better = better <= value;
    json!({ "name": name, "value": value, "unit": unit, "goal": goal, "holds": must <= value, "better": better })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The second and the last but one.
fn interval(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |nth: usize| values.get(nth).copied().unwrap_or(f64::NAN);
    (at(1), at(values.len().saturating_sub(2)))
}

/// Processor time of the helpers, of what they keep, and of all that they waited for, in ms.
fn helpers_cpu_ms() -> f64 {
    let of = |helper: &String| -> f64 {
        let stat = fs::read_to_string(format!("/proc/{helper}/stat")).unwrap_or_default();
        let after = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let ticks = after.split(' ').skip(11).take(4).filter_map(|n| n.parse::<f64>().ok());
        ticks.sum::<f64>() * 10.0
    };
    let helpers = helpers();
    let kept: Vec<_> = helpers.iter().flat_map(|helper| children_of(helper)).collect();
    helpers.iter().chain(&kept).map(of).sum()
}

fn helpers() -> Vec<String> {
    children_of(&std::process::id().to_string())
}

/// The kernel lists them by thread.
fn children_of(parent: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists = tasks.map(|task| fs::read_to_string(task.path().join("children")));
    lists
        .flatten()
        .flat_map(|l| l.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

fn kib(helper: &str, key: &str) -> u32 {
    let text = fs::read_to_string(format!("/proc/{helper}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
