//! A campaign's live monitor. It is made only while somebody watches it: most of what a wall of
//! 100,000 takes in would be written for nobody.

use std::{collections::BTreeSet, sync::Arc};

use domain::{ids::SessionId, ports::Published};
use ractor::ActorRef;

use super::{Board, Msg, State, ring::Ring};

/// Somebody watches the monitor, as long as this is kept.
pub struct Watching(ActorRef<Msg>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.cast(Msg::MonitorLeft).ok();
    }
}

impl Board {
    /// Keep it as long as you watch the monitor: it has no frames, and answers none, while nobody
    /// does. Its epoch is another one after that.
    pub fn watch_monitor(&self) -> Watching {
        self.0.cast(Msg::MonitorWatched).ok();
        Watching(self.0.clone())
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Monitor {
    watchers: usize,
    pub(super) ring: Option<Ring>,
    /// Whose row, and whose presence, changed since the last flush.
    pub(super) changed: BTreeSet<SessionId>,
    pub(super) stirred: BTreeSet<SessionId>,
    pub(super) heading_changed: bool,
}

impl Monitor {
    /// A candidate's row is another.
    pub(super) fn change(&mut self, session: SessionId) {
        if self.ring.is_some() {
            self.changed.insert(session);
        }
    }

    /// Only their presence is.
    pub(super) fn stir(&mut self, sessions: impl IntoIterator<Item = SessionId>) {
        if self.ring.is_some() {
            self.stirred.extend(sessions);
        }
    }

    pub(super) fn read(&mut self, after: (u64, u64)) -> Vec<Arc<Published>> {
        self.ring.as_mut().map(|ring| ring.read(after)).unwrap_or_default()
    }
}

impl State {
    /// The first one to watch has it made from everything: rows are not kept for nobody.
    pub(super) async fn monitor_watched(&mut self, myself: &ActorRef<Msg>) {
        self.monitor.watchers += 1;
        if self.monitor.ring.is_none() {
            let epoch = self.epochs.next(self.deps.clock.now());
            self.monitor.ring = Some(Ring::new(self.monitor_topic(), epoch));
            if let Err(error) = self.reread().await {
                tracing::warn!(%error, "a board could not read");
                self.begin_reading(myself);
            }
            self.monitor.changed = self.people.keys().copied().collect();
            self.monitor.heading_changed = true;
            self.flush_monitor();
        }
    }

    pub(super) fn monitor_left(&mut self) {
        self.monitor.watchers = self.monitor.watchers.saturating_sub(1);
        if self.monitor.watchers == 0 {
            self.forget(self.monitor.ring.as_ref());
            self.monitor = Monitor::default();
            self.people.values_mut().for_each(|seen| seen.about.candidate = None);
        }
    }

    /// The next frames of what changed.
    pub(super) fn flush_monitor(&mut self) {
        if self.monitor.ring.is_none() {
            return;
        }
        let changes = self.monitor_changes();
        self.monitor.changed.clear();
        self.monitor.stirred.clear();
        self.monitor.heading_changed = false;
        let frames = self.monitor.ring.as_mut().map(|ring| ring.push(changes));
        self.publish(frames.unwrap_or_default());
    }
}
