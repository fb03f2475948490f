//! Which nodes ask the queue for work, by name.

use std::collections::{BTreeMap, HashMap};

use tokio::time::{Duration, Instant};

/// Who has not asked for so long is not there, or has no place free.
const SILENCE: Duration = Duration::from_secs(5);
/// How many are known at most, and how many bytes a name has; whoever calls themselves otherwise
/// works just the same.
const CREWS_MAX: usize = 1_000;
const NAME_MAX: usize = 100;

/// See the module.
#[derive(Default)]
pub(super) struct Crews(HashMap<String, Instant>);

impl Crews {
    /// `name` asks for work.
    pub(super) fn hear(&mut self, name: &str, now: Instant) {
        if let Some(heard_at) = self.0.get_mut(name) {
            *heard_at = now;
        } else if self.0.len() < CREWS_MAX && name.len() <= NAME_MAX {
            self.0.insert(name.to_owned(), now);
        }
    }

    /// Those that are there, each with nothing to do.
    pub(super) fn present(&mut self, now: Instant) -> BTreeMap<String, usize> {
        self.0.retain(|_, heard_at| now - *heard_at < SILENCE);
        self.0.keys().map(|name| (name.clone(), 0)).collect()
    }
}
