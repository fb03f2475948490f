//! What all clients say together: what each shows, and what was wrong.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::frames::Frames;

/// How many problems are kept: of eight thousand each may have the same one.
const PROBLEMS_MAX: usize = 1_000;

/// See the module.
pub(super) struct Ledger {
    pub(super) frames: Frames,
    /// What stands for the rows that each client shows.
    sums: Vec<AtomicU64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the first who came to a place of the wall had on the screen there.
    places: HashMap<(u64, u64), u64>,
    problems: Vec<String>,
}

impl Ledger {
    pub(super) fn new(clients: usize) -> Self {
        let sums = (0..clients).map(|_| AtomicU64::new(0)).collect();
        Self { frames: Frames::default(), sums, state: Mutex::default() }
    }

    pub(super) fn shows(&self, client: usize, sum: u64) {
        if let Some(one) = self.sums.get(client) {
            one.store(sum, Ordering::Relaxed);
        }
    }

    pub(super) fn shown(&self, client: usize) -> u64 {
        self.sums.get(client).map_or(0, |sum| sum.load(Ordering::Relaxed))
    }

    /// Whether everybody who came to this place of the wall had the same rows there.
    pub(super) fn is_same(&self, place: (u64, u64), sum: u64) -> bool {
        *self.state().places.entry(place).or_insert(sum) == sum
    }

    pub(super) fn problem(&self, what: String) {
        let mut state = self.state();
        if state.problems.len() < PROBLEMS_MAX {
            state.problems.push(what);
        }
    }

    pub(super) fn problems(&self) -> Vec<String> {
        std::mem::take(&mut self.state().problems)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
