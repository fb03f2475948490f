//! The last changes of a file, over which an edit on an older revision is rebased.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{REBASE_BYTES_MAX, REBASE_MAX};
use crate::text::Changes;

/// At most [`REBASE_MAX`] changes in at most [`REBASE_BYTES_MAX`] bytes, the oldest first: each as
/// JSON, which has no line break inside, on a line of its own. Every session that is awake has some,
/// so they lie in one piece, shared by the states before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    lines: Arc<str>,
    len: usize,
}

impl History {
    /// How many changes are kept.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Keeps one more, and forgets the oldest where there are too many.
    pub fn push(&mut self, changes: &Changes) {
        let line = serde_json::to_string(changes).expect("changes are plain data");
        let mut kept = &*self.lines;
        while REBASE_MAX <= self.len || REBASE_BYTES_MAX < kept.len() + line.len() {
            let Some((_, rest)) = kept.split_once('\n') else { break };
            kept = rest;
            self.len -= 1;
        }
        self.lines = [kept, &line, "\n"].concat().into();
        self.len += 1;
    }

    /// The last `behind` changes, the oldest first; `None` if they are not all kept. One that
    /// cannot be read, which was written by another program, is `None` in its place.
    pub fn last(&self, behind: usize) -> Option<impl Iterator<Item = Option<Changes>>> {
        let forgotten = self.len.checked_sub(behind)?;
        Some(self.lines.lines().skip(forgotten).map(|line| serde_json::from_str(line).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_changes_are_kept_in_their_order() {
        let mut history = History::default();
        let change = |n: usize| Changes::replace(&"x".repeat(n), "line\nbreak");
        for n in 0..=REBASE_MAX {
            history.push(&change(n));
        }
        assert_eq!(history.len(), REBASE_MAX);
        let last: Vec<_> = history.last(2).unwrap().flatten().collect();
        assert_eq!(last, [change(REBASE_MAX - 1), change(REBASE_MAX)]);
        assert_eq!(history.last(REBASE_MAX).unwrap().flatten().next(), Some(change(1)));
        assert!(history.last(REBASE_MAX + 1).is_none());
        assert_eq!(history.last(0).unwrap().count(), 0);
    }
}
