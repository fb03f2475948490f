//! Some seeds of the simulation; `make simulate` runs many.

use simulation::run;

simulation::seed_all_chance!();

/// How many seeds, and in how many threads.
const SEEDS: u64 = 100;
const THREADS: u64 = 2;

#[test]
fn a_cluster_keeps_its_promises_under_faults() {
    let bad = std::thread::scope(|scope| {
        let seeds = |n| (n..SEEDS).step_by(THREADS as usize).map(|seed| run(seed, false));
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
