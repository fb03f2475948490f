//! Who has what, and since when nobody has heard of them.

use std::collections::HashMap;

use domain::ids::SubmissionId;
use tokio::time::{Duration, Instant};

/// How often a runner says that it is there.
pub(crate) const RENEW: Duration = Duration::from_millis(500);
/// A runner of which nothing was heard for so long is suspected to be gone; if nothing is heard
/// until the next look, which is within a second, it is.
const SILENCE: Duration = Duration::from_millis(2_500);

/// See the module.
#[derive(Default)]
pub(super) struct Leases {
    held: HashMap<SubmissionId, Lease>,
    begun: u64,
}

struct Lease {
    /// Another one each time: what comes of a lease that was lost is not taken for the next one's.
    number: u64,
    since: Instant,
    heard_at: Instant,
    is_suspect: bool,
}

impl Leases {
    /// Leases `submission`, and answers the lease's number.
    pub(super) fn begin(&mut self, submission: SubmissionId, now: Instant) -> u64 {
        self.begun += 1;
        let lease = Lease { number: self.begun, since: now, heard_at: now, is_suspect: false };
        self.held.insert(submission, lease);
        self.begun
    }

    /// Its runner is there.
    pub(super) fn renew(&mut self, submission: SubmissionId, number: u64, now: Instant) {
        let held = self.held.get_mut(&submission).filter(|lease| lease.number == number);
        if let Some(lease) = held {
            (lease.heard_at, lease.is_suspect) = (now, false);
        }
    }

    /// Ends a lease that is still held. Answers how long it was.
    pub(super) fn end(
        &mut self,
        submission: SubmissionId,
        number: u64,
        now: Instant,
    ) -> Option<Duration> {
        self.held.get(&submission).filter(|lease| lease.number == number)?;
        self.held.remove(&submission).map(|lease| now - lease.since)
    }

    /// Those whose runner is gone; they are leased no more. A process that stood still has sent
    /// nothing, but says so before the second look.
    pub(super) fn lost(&mut self, now: Instant) -> Vec<SubmissionId> {
        let mut lost = vec![];
        for (submission, lease) in &mut self.held {
            let is_silent = SILENCE < now - lease.heard_at;
            if is_silent && lease.is_suspect {
                lost.push(*submission);
            }
            lease.is_suspect = is_silent;
        }
        for submission in &lost {
            self.held.remove(submission);
        }
        lost
    }

    /// How many are held.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: SubmissionId = SubmissionId::from_u128(1);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_runner_that_is_silent_is_given_up_within_five_seconds() {
        let start = Instant::now();
        let mut leases = Leases::default();
        let number = leases.begin(ONE, start);
        let seen = (1..=5).find(|n| leases.lost(start + SECOND * *n) == [ONE]);
        assert!(seen.is_some() && leases.len() == 0);
        assert_eq!(leases.end(ONE, number, start + SECOND * 6), None);
    }

    #[test]
    fn a_runner_that_says_that_it_is_there_keeps_what_it_has() {
        let start = Instant::now();
        let mut leases = Leases::default();
        let number = leases.begin(ONE, start);
        for n in 1..100 {
            leases.renew(ONE, number, start + SECOND * n);
            assert_eq!(leases.lost(start + SECOND * n), []);
        }
        assert_eq!(leases.end(ONE, number, start + SECOND * 100), Some(SECOND * 100));
    }

    #[test]
    fn a_process_that_stood_still_loses_nothing() {
        let start = Instant::now();
        let mut leases = Leases::default();
        let number = leases.begin(ONE, start);
        assert_eq!(leases.lost(start + SECOND * 60), []);
        leases.renew(ONE, number, start + SECOND * 60);
        assert_eq!(leases.lost(start + SECOND * 61), []);
    }

    #[test]
    fn a_lease_that_was_lost_ends_and_renews_nothing_of_the_next_one() {
        let start = Instant::now();
        let mut leases = Leases::default();
        let lost = leases.begin(ONE, start);
        leases.lost(start + SECOND * 3);
        assert_eq!(leases.lost(start + SECOND * 4), [ONE]);
        let next = leases.begin(ONE, start + SECOND * 4);
        assert_eq!(leases.end(ONE, lost, start + SECOND * 5), None);
        assert!(leases.end(ONE, next, start + SECOND * 5).is_some());
    }
}
