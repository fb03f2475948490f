//! Signs of life: each second this node says that it could commit, and notes when it could not.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use domain::{aggregate::Outage, at::At};
use tokio::sync::mpsc;

use super::Placement;
use crate::{deps::Deps, directory::Directory};

/// How often a sign of life is given.
const BEAT: Duration = Duration::from_secs(1);

impl Placement {
    /// Gives signs of life, and tells `lost` of shards that others took.
    pub(crate) async fn beat(
        self: Arc<Self>,
        deps: Deps,
        directory: Arc<Directory>,
        lost: mpsc::Sender<u16>,
    ) {
        let mut ticks = tokio::time::interval(BEAT);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            // It holds as of now: an answer that takes long is of an outage itself.
            let (owned, now) = (self.owned(), deps.clock.now());
            let outages = self.outages_until(now, &owned);
            match deps.shards.alive(&owned, &outages, now).await {
                Ok(gone) => {
                    self.lose_those(&gone, &owned);
                    self.note(&outages, &owned);
                    if self.proved_at(now, !outages.is_empty()) {
                        directory.tell_outage();
                    }
                    for shard in gone {
                        // At the limit it is told again after the next beat.
                        lost.try_send(shard).ok();
                    }
                }
                Err(error) => tracing::warn!(%error, "no sign of life"),
            }
        }
    }

    /// Others took `gone`, and noted their outages: what is noted from now on is not of these. One
    /// that was taken again since is this node's.
    fn lose_those(&self, gone: &[u16], owned: &[(u16, u64)]) {
        for (shard, epoch) in owned.iter().filter(|(shard, _)| gone.contains(shard)) {
            if self.epoch_of(*shard) == Some(*epoch) {
                self.lose(*shard);
            }
        }
    }

    /// The outages that are over if it can commit at `now`, of each shard as far as it was this
    /// node's then.
    fn outages_until(&self, now: At, owned: &[(u16, u64)]) -> Vec<(u16, Outage)> {
        if !self.is_silent(now) {
            return vec![];
        }
        let from = At(self.alive_at.load(Ordering::SeqCst));
        let outage = |shard| Outage { from: from.max(self.shard(shard).known().taken_at), to: now };
        let all = owned.iter().map(|(shard, _)| (*shard, outage(*shard)));
        all.filter(|(_, outage)| outage.from < outage.to).collect()
    }

    /// Knows of outages that are kept. What another node has by now, or this one again, it was told
    /// of when it took it.
    fn note(&self, outages: &[(u16, Outage)], owned: &[(u16, u64)]) {
        for (shard, epoch) in owned {
            let mut known = self.shard(*shard).known();
            if self.epoch_of(*shard) == Some(*epoch) {
                let own = outages.iter().filter(|(of, _)| of == shard);
                known.outages.extend(own.map(|(_, outage)| *outage));
            }
        }
    }

    /// It could commit at `now`, after what outages it knows. Answers whether that ends one; it does
    /// if one was kept, though something older was stored since.
    fn proved_at(&self, now: At, was_kept: bool) -> bool {
        let from = At(self.alive_at.load(Ordering::SeqCst));
        let is_new = was_kept || self.is_silent(now);
        if is_new {
            tracing::warn!(ms = (now - from).0, "nothing could be committed for a while");
            self.noticed.fetch_add(1, Ordering::SeqCst);
        }
        // Last: who sees that it is not silent finds the outage.
        self.alive_at.fetch_max(now.0, Ordering::SeqCst);
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_not_noted_for_what_is_anothers_by_now() {
        let placement = Placement::new(At(0));
        for shard in [1, 2, 3] {
            placement.begin(shard, 5, vec![], At(0));
        }
        let owned = placement.owned();
        // It was taken again since.
        placement.begin(3, 7, vec![], At(0));
        placement.lose_those(&[1, 3], &owned);
        let outage = Outage { from: At(0), to: At(9_000) };
        let outages = placement.outages_until(At(9_000), &owned);
        assert_eq!(outages, [1, 2, 3].map(|shard| (shard, outage)));
        placement.note(&outages, &owned);
        let known = [1, 2, 3].map(|shard| placement.shard(shard).known().outages.len());
        assert_eq!(known, [0, 1, 0]);
        assert!(placement.is_silent(At(9_000)) && placement.proved_at(At(9_000), true));
        assert!(!placement.proved_at(At(9_500), false));
        assert!(placement.proved_at(At(9_600), true));
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_was_stored_is_a_sign_of_life_but_the_first_after_an_outage() {
        let placement = Placement::new(At(0));
        placement.begin(1, 5, vec![], At(0));
        let hold = placement.hold_of(1);
        for at in [2_000, 4_000, 6_000] {
            hold.stored_at(At(at));
        }
        assert_eq!(
            placement.outages_until(At(8_000), &[(1, 5)]),
            [],
            "no beat was heard, and none missed"
        );
        hold.stored_at(At(9_500));
        let outage = Outage { from: At(6_000), to: At(10_000) };
        assert_eq!(placement.outages_until(At(10_000), &[(1, 5)]), [(1, outage)]);
    }
}
