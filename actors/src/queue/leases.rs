//! Who has what, and since when nobody has heard of them.

use std::{collections::HashMap, sync::Arc};

use domain::{
    blob::sha256_hex,
    ids::{LeaseId, SessionId, SubmissionId},
};
use tokio::time::{Duration, Instant};

/// How often a runner says that it is there.
pub(crate) const RENEW: Duration = Duration::from_millis(500);
/// A runner of which nothing was heard for so long is suspected to be gone; if nothing is heard
/// until the next look, which is within a second, it is.
const SILENCE: Duration = Duration::from_millis(2_500);
/// No run takes so long; a runner that says so is broken, or worse.
const HELD_MAX: Duration = Duration::from_hours(1);

/// See the module.
#[derive(Default)]
pub(super) struct Leases {
    held: HashMap<SubmissionId, Lease>,
}

struct Lease {
    /// Another one each time: what comes of a lease that was lost is not taken for the next one's.
    id: LeaseId,
    by: Option<Arc<str>>,
    since: Instant,
    heard_at: Instant,
    is_suspect: bool,
}

/// A lease of `submission` that nobody can guess, and that every queue knows for one that a queue has
/// given: it is sealed with the submission's session, of which runners are never told.
pub(crate) fn new_lease(submission: SubmissionId, session: SessionId) -> LeaseId {
    let (nonce, _) = LeaseId::random().uuid().as_u64_pair();
    sealed(nonce, submission, session)
}

/// Whether some queue has once given `lease` for this submission.
pub(crate) fn is_genuine(lease: LeaseId, submission: SubmissionId, session: SessionId) -> bool {
    let (nonce, _) = lease.uuid().as_u64_pair();
    sealed(nonce, submission, session) == lease
}

fn sealed(nonce: u64, submission: SubmissionId, session: SessionId) -> LeaseId {
    let digest = sha256_hex(format!("{nonce}/{submission}/{session}").as_bytes());
    let seal = digest.get(..16).and_then(|seal| u64::from_str_radix(seal, 16).ok());
    let seal = seal.expect("a digest is hexadecimal");
    LeaseId::from_u128(u128::from(nonce) << 64 | u128::from(seal))
}

impl Leases {
    /// `submission` is leased from now on.
    pub(super) fn begin(
        &mut self,
        submission: SubmissionId,
        id: LeaseId,
        by: Option<Arc<str>>,
        now: Instant,
    ) {
        let lease = Lease { id, by, since: now, heard_at: now, is_suspect: false };
        self.held.insert(submission, lease);
    }

    /// Its runner is there. Answers whether it still has it.
    pub(super) fn renew(&mut self, submission: SubmissionId, id: LeaseId, now: Instant) -> bool {
        let is_good = |lease: &&mut Lease| lease.id == id && now - lease.since < HELD_MAX;
        let held = self.held.get_mut(&submission).filter(is_good);
        held.map(|lease| (lease.heard_at, lease.is_suspect) = (now, false)).is_some()
    }

    /// Ends a lease that is still held. Answers how long it was.
    pub(super) fn end(
        &mut self,
        submission: SubmissionId,
        id: LeaseId,
        now: Instant,
    ) -> Option<Duration> {
        self.held.get(&submission).filter(|lease| lease.id == id)?;
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

    /// Who holds them, each as often as they hold one; those of whom nobody knows are left out.
    pub(super) fn holders(&self) -> impl Iterator<Item = &str> {
        self.held.values().filter_map(|lease| lease.by.as_deref())
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
    const SESSION: SessionId = SessionId::from_u128(2);
    const SECOND: Duration = Duration::from_secs(1);

    fn begin(leases: &mut Leases, now: Instant) -> LeaseId {
        let lease = new_lease(ONE, SESSION);
        leases.begin(ONE, lease, None, now);
        lease
    }

    #[test]
    fn a_lease_is_known_by_every_queue_and_made_up_by_nobody() {
        let lease = new_lease(ONE, SESSION);
        assert!(is_genuine(lease, ONE, SESSION));
        assert_ne!(new_lease(ONE, SESSION), lease);
        assert!(!is_genuine(lease, SubmissionId::from_u128(3), SESSION));
        assert!(!is_genuine(lease, ONE, SessionId::from_u128(4)));
        let (nonce, seal) = lease.uuid().as_u64_pair();
        for other in [(nonce ^ 1, seal), (nonce, seal ^ 1)] {
            let forged = LeaseId::from_u128(u128::from(other.0) << 64 | u128::from(other.1));
            assert!(!is_genuine(forged, ONE, SESSION));
        }
    }

    #[test]
    fn a_runner_that_is_silent_is_given_up_within_five_seconds() {
        let start = Instant::now();
        let mut leases = Leases::default();
        let number = begin(&mut leases, start);
        let seen = (1..=5).find(|n| leases.lost(start + SECOND * *n) == [ONE]);
        assert!(seen.is_some() && leases.len() == 0);
        assert_eq!(leases.end(ONE, number, start + SECOND * 6), None);
    }

    #[test]
    fn a_runner_that_says_that_it_is_there_keeps_what_it_has() {
        let start = Instant::now();
        let mut leases = Leases::default();
        let number = begin(&mut leases, start);
        for n in 1..100 {
            leases.renew(ONE, number, start + SECOND * n);
            assert_eq!(leases.lost(start + SECOND * n), []);
        }
        assert_eq!(leases.end(ONE, number, start + SECOND * 100), Some(SECOND * 100));
    }

    #[test]
    fn a_runner_that_says_for_ever_that_it_is_there_is_given_up() {
        let start = Instant::now();
        let mut leases = Leases::default();
        let number = begin(&mut leases, start);
        let last = start + HELD_MAX - SECOND;
        assert!(leases.renew(ONE, number, last));
        assert!(!leases.renew(ONE, number, start + HELD_MAX));
        assert_eq!(leases.lost(last + SECOND * 3), []);
        assert_eq!(leases.lost(last + SECOND * 4), [ONE]);
    }

    #[test]
    fn a_process_that_stood_still_loses_nothing() {
        let start = Instant::now();
        let mut leases = Leases::default();
        let number = begin(&mut leases, start);
        assert_eq!(leases.lost(start + SECOND * 60), []);
        leases.renew(ONE, number, start + SECOND * 60);
        assert_eq!(leases.lost(start + SECOND * 61), []);
    }

    #[test]
    fn a_lease_that_was_lost_ends_and_renews_nothing_of_the_next_one() {
        let start = Instant::now();
        let mut leases = Leases::default();
        let lost = begin(&mut leases, start);
        leases.lost(start + SECOND * 3);
        assert_eq!(leases.lost(start + SECOND * 4), [ONE]);
        let next = begin(&mut leases, start + SECOND * 4);
        assert_eq!(leases.end(ONE, lost, start + SECOND * 5), None);
        assert!(leases.end(ONE, next, start + SECOND * 5).is_some());
    }
}
