//! The order in which submissions are handed out: pure, and cheap however many wait.
//!
//! Previews wait for everything with a clock. Campaigns take turns, the one with the fewest running
//! first; within one, candidates take turns likewise. A trial run comes before a final one, since
//! whoever asked for it waits with their clock running and nobody does for a final verdict; but of
//! four turns of a campaign in which both wait one is a final run's, so that none waits for ever.

use std::collections::{BTreeSet, HashMap};

use domain::{
    at::At,
    ids::{CampaignId, SessionId, SubmissionId},
    session::RunKind,
};
use serde::Deserialize;

use super::rounds::{Oldest, Rounds};

/// After so many trial runs a final one has its turn.
const TRIALS_IN_A_ROW: u8 = 3;

/// What the order needs to know of a submission; other fields of its row are left out.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Asked {
    pub(crate) session: SessionId,
    /// `None` for a creator's preview.
    pub(crate) campaign: Option<CampaignId>,
    pub(crate) kind: RunKind,
    #[serde(skip)]
    pub(crate) at: At,
}

impl Asked {
    fn is_final(&self) -> bool {
        self.kind == RunKind::Final
    }
}

/// What waits and what runs.
#[derive(Clone, Default)]
pub(crate) struct Order {
    waiting: HashMap<SubmissionId, Asked>,
    running: HashMap<SubmissionId, Asked>,
    campaigns: Rounds<Option<CampaignId>>,
    shares: HashMap<Option<CampaignId>, Share>,
}

/// What waits of one campaign.
#[derive(Clone, Default)]
struct Share {
    trials: Rounds<SessionId>,
    finals: Rounds<SessionId>,
    /// All of it; those of one session and sort lie together, the oldest first.
    lines: BTreeSet<(bool, SessionId, Oldest)>,
    /// All of it by age.
    ages: BTreeSet<Oldest>,
    running: usize,
    trials_in_a_row: u8,
}

impl Order {
    /// One more waits; once, however often it is said.
    pub(crate) fn add(&mut self, submission: SubmissionId, asked: Asked) {
        if self.waiting.insert(submission, asked).is_none() {
            let share = self.shares.entry(asked.campaign).or_default();
            share.lines.insert((asked.is_final(), asked.session, (asked.at, submission)));
            share.ages.insert((asked.at, submission));
            self.look_again(asked);
        }
    }

    /// It waits no more, and need not be run. Answers whether it waited.
    pub(crate) fn withdraw(&mut self, submission: SubmissionId) -> bool {
        let Some(asked) = self.waiting.remove(&submission) else { return false };
        if let Some(share) = self.shares.get_mut(&asked.campaign) {
            share.lines.remove(&(asked.is_final(), asked.session, (asked.at, submission)));
            share.ages.remove(&(asked.at, submission));
        }
        self.look_again(asked);
        self.tidy(asked.campaign);
        true
    }

    /// Which one is next.
    pub(crate) fn next(&self) -> Option<SubmissionId> {
        self.shares.get(&self.campaigns.first()?)?.next().map(|(_, submission)| submission)
    }

    /// It runs now.
    pub(crate) fn begin(&mut self, submission: SubmissionId) {
        let Some(asked) = self.waiting.get(&submission).copied() else { return };
        self.campaigns.serve(asked.campaign);
        if let Some(share) = self.shares.get_mut(&asked.campaign) {
            share.running += 1;
            share.trials_in_a_row = if asked.is_final() { 0 } else { share.trials_in_a_row + 1 };
            share.trials_in_a_row = share.trials_in_a_row.min(TRIALS_IN_A_ROW);
            share.lane(asked).serve(asked.session);
        }
        self.withdraw(submission);
        self.running.insert(submission, asked);
    }

    /// It runs no more. Answers what it was.
    pub(crate) fn end(&mut self, submission: SubmissionId) -> Option<Asked> {
        let asked = self.running.remove(&submission)?;
        self.campaigns.end(asked.campaign);
        if let Some(share) = self.shares.get_mut(&asked.campaign) {
            share.running -= 1;
            share.lane(asked).end(asked.session);
        }
        self.tidy(asked.campaign);
        Some(asked)
    }

    /// What it is, if it waits.
    pub(crate) fn waits(&self, submission: SubmissionId) -> Option<Asked> {
        self.waiting.get(&submission).copied()
    }

    /// What it is, if it waits or runs.
    pub(crate) fn asked(&self, submission: SubmissionId) -> Option<Asked> {
        self.waits(submission).or_else(|| self.running.get(&submission).copied())
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// All that wait, in the order in which they would be handed out if nothing came between.
    pub(crate) fn places(&self) -> impl Iterator<Item = SubmissionId> {
        let mut ahead = self.clone();
        std::iter::from_fn(move || {
            let next = ahead.next()?;
            ahead.begin(next);
            Some(next)
        })
    }

    /// Of each campaign: how many wait, how many run, since when the oldest waits.
    pub(crate) fn campaigns(
        &self,
    ) -> impl Iterator<Item = (CampaignId, (usize, usize, Option<At>))> + '_ {
        self.shares.iter().filter_map(|(campaign, share)| {
            let oldest = share.ages.first().map(|(at, _)| *at);
            Some(((*campaign)?, (share.lines.len(), share.running, oldest)))
        })
    }

    /// Its lane and its campaign have another oldest one, perhaps.
    fn look_again(&mut self, asked: Asked) {
        let Some(share) = self.shares.get_mut(&asked.campaign) else { return };
        let oldest = share.oldest(asked);
        share.lane(asked).wait(asked.session, false, oldest);
        let oldest = share.ages.first().copied();
        self.campaigns.wait(asked.campaign, asked.campaign.is_none(), oldest);
    }

    /// Forgets a campaign of which nothing waits or runs.
    fn tidy(&mut self, campaign: Option<CampaignId>) {
        let done = |share: &Share| share.lines.is_empty() && share.running == 0;
        if self.shares.get(&campaign).is_some_and(done) {
            self.shares.remove(&campaign);
        }
    }
}

impl Share {
    fn lane(&mut self, asked: Asked) -> &mut Rounds<SessionId> {
        if asked.is_final() { &mut self.finals } else { &mut self.trials }
    }

    /// The oldest of what waits of the same session and sort.
    fn oldest(&self, asked: Asked) -> Option<Oldest> {
        self.oldest_of(asked.is_final(), asked.session)
    }

    fn oldest_of(&self, is_final: bool, session: SessionId) -> Option<Oldest> {
        let first = (is_final, session, (At(i64::MIN), SubmissionId::from_u128(0)));
        let line = self.lines.range(first..).next();
        line.filter(|line| (line.0, line.1) == (is_final, session)).map(|line| line.2)
    }

    fn next(&self) -> Option<Oldest> {
        let (trial, last) = (self.trials.first(), self.finals.first());
        let is_final =
            trial.is_none() || (last.is_some() && TRIALS_IN_A_ROW <= self.trials_in_a_row);
        let session = if is_final { last? } else { trial? };
        self.oldest_of(is_final, session)
    }
}

#[cfg(test)]
mod tests;
