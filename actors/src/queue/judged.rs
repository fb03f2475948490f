//! What was judged lately, and whose row may still be read from the table.

use std::collections::{HashSet, VecDeque};

use domain::ids::SubmissionId;

/// How many are remembered. A row that is read again after that many others were judged is taken
/// to its stream once more, which knows that it is judged.
const JUDGED_MAX: usize = 4_096;

/// See the module.
#[derive(Default)]
pub(super) struct Judged {
    known: HashSet<SubmissionId>,
    by_age: VecDeque<SubmissionId>,
}

impl Judged {
    pub(super) fn contains(&self, submission: SubmissionId) -> bool {
        self.known.contains(&submission)
    }

    pub(super) fn add(&mut self, submission: SubmissionId) {
        if !self.known.insert(submission) {
            return;
        }
        self.by_age.push_back(submission);
        if JUDGED_MAX < self.by_age.len()
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}
