//! Runs seeds and says which ones break a promise; or one seed, with its log.

use std::{
    process::{Command, ExitCode},
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use clap::Parser;
use simulation::{Report, run_with, world::Plant};

simulation::seed_all_chance!();

/// Simulates a cluster under seeded faults, and checks what came of it.
#[derive(Parser)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first one.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Only this one, with its log.
    #[arg(long)]
    seed: Option<u64>,
    /// Says of that one only what broke.
    #[arg(long, requires = "seed")]
    quiet: bool,
    /// With a store that takes appends of any epoch: the checker is to find that.
    #[arg(long)]
    no_fence: bool,
    /// How many at once.
    #[arg(long, default_value_t = 2)]
    jobs: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let is_good = match arguments.seed {
        Some(seed) => one(seed, &arguments),
        None => many(&arguments) == 0,
    };
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(seed: u64, arguments: &Arguments) -> bool {
    if !arguments.quiet {
        let filter =
            tracing_subscriber::EnvFilter::new("simulation=info,actors=debug,storage=debug");
        tracing_subscriber::fmt().with_env_filter(filter).without_time().with_ansi(false).init();
    }
    let plant = if arguments.no_fence { Plant::NoFence } else { Plant::Nothing };
    let report = run_with(seed, !arguments.quiet, plant);
    if !report.is_good() || !arguments.quiet {
        print(&report);
    }
    report.is_good()
}

/// Each in a process of its own: libraries count what they make from the process's start, and chance
/// follows from that.
#[expect(clippy::print_stdout, reason = "this is what it is for")]
#[expect(clippy::disallowed_methods, reason = "how long it really takes is what is measured")]
fn many(arguments: &Arguments) -> u64 {
    let (next, bad) = (AtomicU64::new(arguments.from), AtomicU64::new(0));
    let until = arguments.from + arguments.seeds;
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if until <= seed {
                        return;
                    }
                    if !is_good(seed, arguments.no_fence) {
                        bad.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let (bad, took) = (bad.load(Ordering::SeqCst), began.elapsed().as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "a count in a line for people")]
    let a_minute = arguments.seeds as f64 / took * 60.0;
    println!(
        "{} seeds in {took:.1} s ({a_minute:.0} a minute), {bad} of them broke a promise",
        arguments.seeds
    );
    bad
}

fn is_good(seed: u64, no_fence: bool) -> bool {
    let myself = std::env::current_exe().expect("a program knows where it is");
    let mut command = Command::new(myself);
    command.args(["--quiet", "--seed", &seed.to_string()]);
    if no_fence {
        command.arg("--no-fence");
    }
    command.status().expect("a process is to be had").success()
}

#[expect(clippy::print_stdout, reason = "this is what it is for")]
fn print(report: &Report) {
    let Report { seed, hash, findings, unrest, faults, took, events } = report;
    println!("seed {seed}: hash {hash:016x}, {events} events, {} ms", took.0);
    for fault in faults {
        let at = |at: domain::at::At| (at - simulation::world::NOON).0;
        println!("  {:>6} to {:>6} {:?}", at(fault.from), at(fault.to), fault.kind);
    }
    if let Some(unrest) = unrest {
        println!("  no rest: {unrest}");
    }
    for finding in findings {
        println!("  {finding}");
    }
}
