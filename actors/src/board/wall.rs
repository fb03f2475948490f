//! The windows of a wall that somebody looks at, each with its last frames.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{
    ids::{CampaignId, SessionId},
    ports::Published,
    rows::{Topic, Window},
};
use tokio::time::Instant;

use super::{State, ring::Ring};

/// How many windows are kept besides the first. For more, the one asked for longest ago goes; who
/// looks at it begins anew.
const WINDOWS_MAX: usize = 64;
/// How many are shown to a candidate on either side of them.
const AROUND: usize = 5;
/// How long one is kept for which nobody asks.
const KEPT: Duration = Duration::from_mins(1);

/// What stands around a candidate.
#[derive(Debug)]
pub struct Place {
    /// As of which change of the wall.
    pub version: u64,
    /// `None` if nothing can have changed.
    pub rows: Option<Vec<(String, Bytes)>>,
}

/// See the module.
pub(super) struct Wall {
    topic: Topic,
    /// What is sent to whoever does not say which rows they want.
    first: Ring,
    /// Greater after each change, and in each later board.
    version: u64,
    others: BTreeMap<Window, Other>,
}

struct Other {
    ring: Ring,
    asked_at: Instant,
}

impl Wall {
    pub(super) fn new(campaign: CampaignId, epoch: u64) -> Self {
        let topic = Topic::Wall(campaign);
        Self { topic, first: Ring::new(topic, epoch), version: epoch, others: BTreeMap::new() }
    }

    pub(super) fn first(&self) -> &Ring {
        &self.first
    }

    /// Makes room for another window.
    fn open(&mut self, window: Window, epoch: u64) {
        if WINDOWS_MAX <= self.others.len() {
            let oldest = self.others.iter().min_by_key(|(_, other)| other.asked_at);
            let oldest = oldest.map(|(window, _)| *window);
            oldest.and_then(|window| self.others.remove(&window));
        }
        let ring = Ring::new(self.topic, epoch);
        self.others.insert(window, Other { ring, asked_at: Instant::now() });
    }
}

impl State {
    /// Makes the next frames of each window, four times a second at most.
    pub(super) fn flush_wall(&mut self) {
        self.wall.others.retain(|_, other| other.asked_at.elapsed() < KEPT);
        if !std::mem::take(&mut self.wall_is_old) {
            return;
        }
        self.wall.version += 1;
        let rows = self.window_rows(Window::default());
        let frames = self.wall.first.become_these(rows);
        self.publish(frames);
        let windows: Vec<Window> = self.wall.others.keys().copied().collect();
        for window in windows {
            self.fill(window);
        }
    }

    pub(super) fn read_window(&mut self, window: Window, after: (u64, u64)) -> Vec<Arc<Published>> {
        if window == Window::default() {
            return self.wall.first.read(after);
        }
        if !self.wall.others.contains_key(&window) {
            let epoch = self.epochs.next(self.deps.clock.now());
            self.wall.open(window, epoch);
            self.fill(window);
        }
        let Some(other) = self.wall.others.get_mut(&window) else { return vec![] };
        other.asked_at = Instant::now();
        other.ring.read(after)
    }

    pub(super) fn place(&mut self, session: SessionId, seen: u64) -> Place {
        let version = self.wall.version;
        Place { version, rows: (seen != version).then(|| self.around(session)) }
    }

    fn around(&mut self, session: SessionId) -> Vec<(String, Bytes)> {
        self.rank();
        let is_told = self.row.as_ref().is_some_and(|row| row.settings.tells_places());
        let score = self.people.get(&session).and_then(|seen| seen.score).filter(|_| is_told);
        let Some(score) = score else { return vec![] };
        let mut rows = self.wall_rows(&self.ranking.around(session, score, AROUND));
        rows.push(self.you(session));
        rows
    }

    fn fill(&mut self, window: Window) {
        self.rank();
        let rows = self.window_rows(window);
        if let Some(other) = self.wall.others.get_mut(&window) {
            other.ring.become_these(rows);
        }
    }

    /// What the wall is about, and the rows of a window.
    fn window_rows(&self, Window { from, count }: Window) -> Vec<(String, Bytes)> {
        let ranked = self.ranking.window(from as usize, count as usize);
        let about = self.wall_about().map(|about| ("about".to_owned(), about));
        about.into_iter().chain(self.wall_rows(&ranked)).collect()
    }
}
