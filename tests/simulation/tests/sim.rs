//! Some seeds of the simulation; `make simulate` runs many.

use simulation::{
    check::Rule,
    run, run_with,
    world::Plant::{self, Forgetful, NoFence},
};

simulation::seed_all_chance!();

/// How many seeds, and in how many threads.
const SEEDS: u64 = 24;
const THREADS: u64 = 2;

#[test]
fn a_cluster_keeps_its_promises_under_faults() {
    let bad = std::thread::scope(|scope| {
        let seeds =
            |n| (0..SEEDS).filter(move |seed| seed % THREADS == n).map(|seed| run(seed, false));
        let running: Vec<_> = (0..THREADS)
            .map(|n| scope.spawn(move || seeds(n).filter(|one| !one.is_good()).collect::<Vec<_>>()))
            .collect();
        running.into_iter().flat_map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(bad.is_empty(), "make simulate SEED=…: {bad:#?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..5 {
        assert_eq!(run(seed, false).hash, run(seed, false).hash, "seed {seed}");
    }
}

/// The promises that are broken within some seeds with a fault planted.
fn broken(plant: Plant, seeds: std::ops::Range<u64>) -> Vec<Rule> {
    let findings = seeds.flat_map(|seed| run_with(seed, false, plant).findings);
    findings.map(|finding| finding.rule).collect()
}

#[test]
fn a_store_that_forgets_is_found_out() {
    let broken = broken(Forgetful, 0..2);
    assert!(broken.contains(&Rule::AcknowledgedOnce), "{broken:?}");
}

#[test]
fn a_store_without_fences_is_found_out() {
    // In the first one two nodes write the same stream, one of them after it stood still.
    let broken = broken(NoFence, FENCED..FENCED + 1);
    assert!(broken.contains(&Rule::OneWriter), "{broken:?}");
}

/// A seed in which a node stands still while another one takes what it has, and then writes.
const FENCED: u64 = 78;
