//! Runs seeds and says which ones break a promise; or one seed, with its log.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use clap::Parser;
use simulation::{Report, run, run_with, world::Plant};

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
    /// Only this one, twice, with its log.
    #[arg(long)]
    seed: Option<u64>,
    /// With a store that takes appends of any epoch: the checker is to find that.
    #[arg(long)]
    no_fence: bool,
    /// How many at once.
    #[arg(long, default_value_t = 2)]
    jobs: u64,
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    let bad = match arguments.seed {
        Some(seed) => replay(seed),
        None => many(&arguments),
    };
    if bad == 0 { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}

#[expect(clippy::print_stdout, reason = "this is what it is for")]
fn replay(seed: u64) -> u64 {
    let filter = tracing_subscriber::EnvFilter::new("simulation=info,actors=debug,storage=debug");
    tracing_subscriber::fmt().with_env_filter(filter).without_time().with_ansi(false).init();
    let report = run(seed, true);
    print(&report);
    println!("again {:016x}", run(seed, false).hash);
    u64::from(!report.is_good())
}

#[expect(clippy::print_stdout, reason = "this is what it is for")]
#[expect(clippy::disallowed_methods, reason = "how long it really takes is what is measured")]
fn many(arguments: &Arguments) -> u64 {
    let (next, bad) = (AtomicU64::new(arguments.from), AtomicU64::new(0));
    let until = arguments.from + arguments.seeds;
    let plant = if arguments.no_fence { Plant::NoFence } else { Plant::Nothing };
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if until <= seed {
                        return;
                    }
                    let report = run_with(seed, false, plant);
                    if !report.is_good() {
                        bad.fetch_add(1, Ordering::SeqCst);
                        print(&report);
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
