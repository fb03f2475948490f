//! What was judged lately, and whose row may still be read from the table.

use std::collections::{HashMap, VecDeque};

use domain::ids::SubmissionId;
use tokio::time::{Duration, Instant};

/// How long each is remembered. One whose row is still there after that was not judged, whatever its
/// runner said: it waits again.
const REMEMBERED: Duration = Duration::from_secs(10);
/// How many are remembered. A row that is read again after that many others were judged is taken
/// to its stream once more, which knows that it is judged.
const JUDGED_MAX: usize = 4_096;

/// See the module.
#[derive(Default)]
pub(super) struct Judged {
    known: HashMap<SubmissionId, Instant>,
    by_age: VecDeque<(Instant, SubmissionId)>,
}

impl Judged {
    pub(super) fn contains(&self, submission: SubmissionId) -> bool {
        self.known.get(&submission).is_some_and(|at| at.elapsed() < REMEMBERED)
    }

    pub(super) fn add(&mut self, submission: SubmissionId) {
        let now = Instant::now();
        self.known.insert(submission, now);
        self.by_age.push_back((now, submission));
        let is_old = |(at, _): &mut (Instant, _)| REMEMBERED <= now - *at;
        while JUDGED_MAX < self.by_age.len() || self.by_age.front_mut().is_some_and(is_old) {
            let Some((at, oldest)) = self.by_age.pop_front() else { return };
            // Added again since, it is younger.
            if self.known.get(&oldest) == Some(&at) {
                self.known.remove(&oldest);
            }
        }
    }
}
