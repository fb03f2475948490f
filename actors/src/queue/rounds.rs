//! Taking turns: who waits is served in rounds, once in each, however much they bring.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
};

use domain::{at::At, ids::SubmissionId};

/// The oldest thing of a party that waits.
pub(super) type Oldest = (At, SubmissionId);

/// Parties of some kind that take turns. All that is done with one costs the logarithm of how many
/// there are.
#[derive(Clone)]
pub(super) struct Rounds<K> {
    parties: HashMap<K, Party>,
    /// Those that wait, the next one first.
    ready: BTreeSet<(Rank, K)>,
    /// The round in which the last one was served.
    round: u64,
}

#[derive(Clone, Copy, Default)]
struct Party {
    is_last: bool,
    running: usize,
    /// The first round in which it may be served.
    round: u64,
    oldest: Option<Oldest>,
}

/// Behind everybody else or not, how much of it runs, its round, its oldest.
type Rank = (bool, usize, u64, Oldest);

impl Party {
    fn rank(&self) -> Option<Rank> {
        self.oldest.map(|oldest| (self.is_last, self.running, self.round, oldest))
    }
}

impl<K> Default for Rounds<K> {
    fn default() -> Self {
        Self { parties: HashMap::new(), ready: BTreeSet::new(), round: 0 }
    }
}

impl<K: Copy + Ord + Hash> Rounds<K> {
    /// The oldest of what waits for `key` is now `oldest`.
    pub(super) fn wait(&mut self, key: K, is_last: bool, oldest: Option<Oldest>) {
        let now = self.round;
        self.change(key, |party| {
            // Who comes again within a round in which they were served is not served in it twice.
            party.round = if party.oldest.is_none() { party.round.max(now) } else { party.round };
            (party.is_last, party.oldest) = (is_last, oldest);
        });
    }

    /// Who is next: with the fewest running, then of the earliest round, then with the oldest.
    pub(super) fn first(&self) -> Option<K> {
        self.ready.first().map(|(_, key)| *key)
    }

    /// One more of `key` runs.
    pub(super) fn serve(&mut self, key: K) {
        let Some(party) = self.parties.get(&key) else { return };
        let round = self.round.max(party.round);
        self.change(key, |party| {
            party.running += 1;
            party.round = round + 1;
        });
        if self.round < round {
            self.round = round;
            self.parties.retain(|_, party| {
                party.oldest.is_some() || party.running > 0 || round < party.round
            });
        }
    }

    /// One less of `key` runs.
    pub(super) fn end(&mut self, key: K) {
        self.change(key, |party| party.running = party.running.saturating_sub(1));
    }

    fn change(&mut self, key: K, change: impl FnOnce(&mut Party)) {
        let party = self.parties.entry(key).or_default();
        let before = party.rank();
        change(party);
        let after = party.rank();
        if let Some(rank) = before {
            self.ready.remove(&(rank, key));
        }
        if let Some(rank) = after {
            self.ready.insert((rank, key));
        }
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.parties.len()
    }
}
