//! Runners of one sort, and what waits for them.

use std::collections::VecDeque;

use domain::ids::{CommandId, LeaseId, SubmissionId};
use ractor::RpcReplyPort;
use tokio::time::{Duration, Instant};

use super::{
    Left, Task,
    leases::{Leases, new_lease},
    order::Order,
};
use crate::output::{Outputs, RunState};

/// While more wait than this, their places are told less often, so that telling stays cheap.
const PLACES_A_LOOK: usize = 1_000;
/// What a run takes, before one was seen.
const RUN_AT_FIRST: Duration = Duration::from_millis(500);

/// How long runners wait for something before they are told that there is nothing; they ask again.
pub(super) const POLL: Duration = Duration::from_secs(2);

/// Runners of a node that wait for something.
pub(super) struct Waiting {
    pub(super) ticket: CommandId,
    pub(super) since: Instant,
    pub(super) reply: RpcReplyPort<Option<Task>>,
}

/// See the module.
pub(super) struct Pool {
    pub(super) order: Order,
    pub(super) leases: Leases,
    pub(super) free: VecDeque<Waiting>,
    /// What one run took lately.
    run: Duration,
    looks: usize,
}

impl Default for Pool {
    fn default() -> Self {
        let (order, leases, free) = (Order::default(), Leases::default(), VecDeque::new());
        Self { order, leases, free, run: RUN_AT_FIRST, looks: 0 }
    }
}

impl Pool {
    pub(super) fn hand_out(&mut self, now: Instant, outputs: &Outputs) {
        while let Some(submission) = self.order.next() {
            let Some(asked) = self.order.waits(submission) else { return };
            // Only now: a runner that is taken out and not answered never comes back.
            let Some(runner) = self.free.pop_front() else { return };
            let lease = new_lease(submission, asked.session);
            let epoch = outputs.hand_over(submission);
            // If that runner is gone it is the next one's.
            if runner.reply.send(Some(Task { submission, lease, epoch })).is_ok() {
                self.adopt(submission, lease, now);
            }
        }
    }

    /// A runner has what waits.
    pub(super) fn adopt(&mut self, submission: SubmissionId, lease: LeaseId, now: Instant) {
        self.leases.begin(submission, lease, now);
        self.order.begin(submission);
    }

    /// Tells those who have waited for long that there is nothing: what keeps them may be lost.
    pub(super) fn send_away(&mut self, now: Instant) {
        while let Some(runner) = self.free.pop_front_if(|runner| POLL <= now - runner.since) {
            runner.reply.send(None).ok();
        }
    }

    /// A runner left a submission. One that had lost it has nothing to say.
    pub(super) fn finish(
        &mut self,
        submission: SubmissionId,
        lease: LeaseId,
        left: Left,
        now: Instant,
    ) {
        let Some(took) = self.leases.end(submission, lease, now) else { return };
        let Some(asked) = self.order.end(submission) else { return };
        match left {
            Left::Done => self.run = (self.run * 7 + took) / 8,
            Left::ForOthers => self.order.add(submission, asked),
        }
    }

    /// What a runner has that is gone waits again.
    pub(super) fn take_back_lost(&mut self, now: Instant) {
        for submission in self.leases.lost(now) {
            tracing::error!(%submission, "a runner is gone; its submission waits for another");
            if let Some(asked) = self.order.end(submission) {
                self.order.add(submission, asked);
            }
        }
    }

    /// Tells those who wait how many come before them, and how long that may take.
    pub(super) fn tell_places(&mut self, outputs: &Outputs) {
        self.looks += 1;
        if !self.looks.is_multiple_of(1 + self.order.waiting() / PLACES_A_LOOK) {
            return;
        }
        let runners = u32::try_from((self.free.len() + self.leases.len()).max(1)).unwrap_or(1);
        for (submission, place) in self.order.places().zip(1_u32..) {
            let wait = self.run.saturating_mul(place) / runners;
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            outputs.tell_state(submission, RunState::Queued { place: place as usize, wait_ms });
        }
    }
}
