//! All frames that anybody saw: whether everybody saw the same, and which changes are in each.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use loadtests::{
    socket::{KeyedRow, Rows},
    wall::Row,
};
use serde_json::Value;
use tokio::{sync::Notify, time::Instant};

use super::{
    scorer::Change,
    viewer::{Head, Screen},
};

/// See the module.
pub(super) struct Ledger {
    state: Mutex<State>,
    moved: Notify,
}

struct State {
    known: HashMap<Head, u32>,
    frames: Vec<Frame>,
    told: Vec<Told>,
    /// How many questions each candidate has solved, as far as any frame has told.
    solved: Vec<usize>,
    live: usize,
    /// How many have come to each place as their latest.
    places: HashMap<(u64, u64), usize>,
}

struct Frame {
    head: Head,
    text: String,
}

/// A candidate has solved their question number `n`, first told by a frame of that seq.
#[derive(Clone, Copy, Debug)]
struct Told {
    seq: u64,
    candidate: usize,
    n: usize,
}

/// How long each change took to each screen, in ms.
pub(super) struct Times {
    pub(super) since_verdict: Vec<f64>,
    pub(super) since_run: Vec<f64>,
    pub(super) problems: Vec<String>,
}

impl Ledger {
    pub(super) fn new(candidates: usize) -> Self {
        let state = State {
            known: HashMap::new(),
            frames: vec![],
            told: vec![],
            solved: vec![0; candidates],
            live: 0,
            places: HashMap::new(),
        };
        Self { state: Mutex::new(state), moved: Notify::new() }
    }

    /// A frame has come to somebody. Answers its number; fails if others saw another one there.
    pub(super) fn note(&self, head: Head, text: &str) -> Result<u32, String> {
        let mut state = self.state();
        if let Some(number) = state.known.get(&head).copied() {
            let known = state.frames.get(number as usize).map_or("", |frame| &frame.text);
            let is_same = known == text || rows(known) == rows(text);
            return if is_same { Ok(number) } else { Err(format!("two frames at {head:?}")) };
        }
        state.take(head.seq, text);
        let number = u32::try_from(state.frames.len()).unwrap_or(u32::MAX);
        state.frames.push(Frame { head, text: text.to_owned() });
        state.known.insert(head, number);
        Ok(number)
    }

    /// Somebody has everything up to `place`.
    pub(super) fn reached(&self, place: (u64, u64), is_first: bool) {
        let mut state = self.state();
        state.live += usize::from(is_first);
        *state.places.entry(place).or_default() += 1;
        drop(state);
        self.moved.notify_waiters();
    }

    /// Waits until so many have all rows.
    pub(super) async fn all_live(&self, count: usize) {
        self.until(|state| count <= state.live).await;
    }

    /// Waits until so many have come to `place`.
    pub(super) async fn all_at(&self, place: (u64, u64), count: usize) {
        self.until(|state| count <= state.places.get(&place).copied().unwrap_or(0)).await;
    }

    async fn until(&self, is_so: impl Fn(&State) -> bool) {
        loop {
            let moved = self.moved.notified();
            if is_so(&self.state()) {
                return;
            }
            moved.await;
        }
    }

    pub(super) fn sizes(&self) -> Vec<f64> {
        let state = self.state();
        let sizes = state.frames.iter().map(|frame| u32::try_from(frame.text.len()).unwrap_or(0));
        sizes.map(f64::from).collect()
    }

    /// How long everything took to everybody.
    pub(super) fn times(
        &self,
        screens: &[Screen],
        changes: &BTreeMap<usize, Vec<Change>>,
    ) -> Times {
        let state = self.state();
        let (mut since_verdict, mut since_run, mut problems) = (vec![], vec![], vec![]);
        let (told, all) = (state.told.len(), changes.values().map(Vec::len).sum::<usize>());
        if told != all {
            problems.push(format!("{all} changes, of which frames told {told}"));
        }
        let in_frames: Vec<Vec<Change>> =
            state.frames.iter().map(|frame| state.within(frame.head, changes)).collect();
        for (number, arrived) in screens.iter().flat_map(|screen| &screen.arrivals) {
            for change in in_frames.get(*number as usize).into_iter().flatten() {
                since_verdict.push(ms(*arrived, change.judged_at));
                since_run.push(ms(*arrived, change.asked_at));
            }
        }
        Times { since_verdict, since_run, problems }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Notes which changes a frame is the first to tell.
    fn take(&mut self, seq: u64, text: &str) {
        for row in rows(text).into_values() {
            let Ok(row) = serde_json::from_value::<Row>(row) else { continue };
            let number = row.name.rsplit(' ').next().and_then(|number| number.parse().ok());
            let Some(candidate) = number else { continue };
            let Some(solved) = self.solved.get_mut(candidate) else { continue };
            self.told.extend((*solved..row.solved).map(|n| Told { seq, candidate, n }));
            *solved = row.solved.max(*solved);
        }
    }

    /// What changed between a frame and the one before it. For whoever fell behind that is more.
    fn within(&self, head: Head, changes: &BTreeMap<usize, Vec<Change>>) -> Vec<Change> {
        let after = head.prev.unwrap_or(head.seq);
        let told = self.told.iter().filter(|told| after < told.seq && told.seq <= head.seq);
        told.filter_map(|told| changes.get(&told.candidate)?.get(told.n).copied()).collect()
    }
}

fn rows(text: &str) -> BTreeMap<String, Value> {
    let rows: Rows = serde_json::from_str(text).unwrap_or_default();
    rows.rows.into_iter().map(|KeyedRow { key, value }| (key, value)).collect()
}

/// May be below nothing: the candidate hears of it in its own turn.
fn ms(later: Instant, earlier: Instant) -> f64 {
    later.saturating_duration_since(earlier).as_secs_f64() * 1_000.0
}
