//! How late a small periodic task is beside a program that fills the machine with sessions of its
//! own, as the server would be: alone, then beside it. Prints both.

use std::io::Write;

use domain::{
    content::{Language, Limits, SourceFile},
    ids::SubmissionId,
    judging::Judging,
    ports::Sandbox,
    run::{Input, Job, Progress},
};
use runner::{Config, NamespaceSandbox};
use tokio::{
    sync::Notify,
    time::{Duration, Instant},
};

/// Sixty children, each in a session of its own, and none of them ever waits.
const SPINNERS: &str = "#include <stdio.h>\n#include <unistd.h>\n\
    int main(void) { for (int i = 0; i < 60; i++) if (!fork()) { setsid(); for (;;); }\n\
    puts(\"up\"); fflush(stdout); for (;;); }";
/// The task: so long it sleeps, so long it works, so often.
const SLEEP: Duration = Duration::from_millis(5);
const WORK: Duration = Duration::from_millis(1);
const TIMES: usize = 800;

fn main() -> anyhow::Result<()> {
    runner::sandbox_main_if_asked();
    tokio::runtime::Runtime::new()?.block_on(bench())
}

async fn bench() -> anyhow::Result<()> {
    let sandbox = NamespaceSandbox::new(Config { slots: 1, ..Config::default() }).await?;
    let mut out = std::io::stdout();
    if let Some((_, _, shares)) = sandbox.walls().iter().find(|wall| wall.0 == "processor shares") {
        writeln!(out, "processor shares: {shares}")?;
    }
    let alone = tokio::task::spawn_blocking(late_ms).await?;
    writeln!(out, "alone:            {}", in_words(alone))?;
    let up = Notify::new();
    let tell = |progress: Progress| {
        if matches!(progress, Progress::Output { .. }) {
            up.notify_one();
        }
    };
    let job = spinners();
    let beside = async {
        up.notified().await;
        tokio::task::spawn_blocking(late_ms).await
    };
    tokio::select! {
        outcome = sandbox.run(&job, &tell) => anyhow::bail!("it ended early: {outcome:?}"),
        beside = beside => writeln!(out, "beside 60 loops:  {}", in_words(beside?))?,
    }
    Ok(())
}

/// By how much each turn of the task was longer than what it slept and worked, in ms. Its work is
/// counted in steps, so that it must have the processor for it.
fn late_ms() -> Vec<f64> {
    let start = Instant::now();
    let mut steps = 0_u64;
    while start.elapsed() < WORK * 20 {
        steps = std::hint::black_box(steps + 1);
    }
    let steps = steps / 20;
    let turn = |_| {
        let start = Instant::now();
        std::thread::sleep(SLEEP);
        let mut done = 0;
        while done < steps && start.elapsed() < Duration::MAX {
            done = std::hint::black_box(done + 1);
        }
        (start.elapsed().saturating_sub(SLEEP + WORK)).as_secs_f64() * 1e3
    };
    (0..TIMES).map(turn).collect()
}

fn in_words(mut late: Vec<f64>) -> String {
    late.sort_by(f64::total_cmp);
    let at = |share: usize| late.get(late.len() * share / 1000).copied().unwrap_or(f64::NAN);
    let most = late.last().copied().unwrap_or(f64::NAN);
    format!("late by {:.2} ms p50, {:.2} ms p99, {most:.2} ms at most", at(500), at(990))
}

fn spinners() -> Job {
    Job {
        submission: SubmissionId::from_u128(1),
        language: Language::C,
        files: vec![SourceFile { name: "main.c".to_owned(), text: SPINNERS.to_owned() }],
        limits: Limits { cpu_ms: 60_000, wall_ms: 120_000, processes: 64, ..Limits::default() },
        inputs: vec![Input { streamed: true, ..Input::default() }],
        judging: Judging::Compare,
    }
}
