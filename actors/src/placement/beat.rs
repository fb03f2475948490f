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
        let mut unkept = vec![];
        let mut ticks = tokio::time::interval(BEAT);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match deps.shards.alive(&self.owned(), deps.clock.now()).await {
                Ok(gone) => {
                    unkept.extend(self.alive(deps.clock.now(), &directory));
                    self.keep(&deps, &mut unkept).await;
                    for shard in gone {
                        // At the limit it is told again after the next beat.
                        lost.try_send(shard).ok();
                    }
                }
                Err(error) => tracing::warn!(%error, "no sign of life"),
            }
        }
    }

    /// It can commit at `now`. Answers the outages that are over with this.
    fn alive(&self, now: At, directory: &Directory) -> Vec<(u16, Outage)> {
        let from = At(self.alive_at.load(Ordering::SeqCst));
        let mut noted = vec![];
        if self.is_silent(now) {
            noted = self.note(Outage { from, to: now });
            self.noticed.fetch_add(1, Ordering::SeqCst);
        }
        // Last: who sees that it is not silent finds the outage.
        self.alive_at.store(now.max(from).0, Ordering::SeqCst);
        if !noted.is_empty() {
            tracing::warn!(ms = (now - from).0, "nothing could be committed for a while");
            directory.tell_outage();
        }
        noted
    }

    /// Notes an outage for each shard, as far as it was this node's then.
    fn note(&self, outage: Outage) -> Vec<(u16, Outage)> {
        let mut noted = vec![];
        for (shard, _) in self.owned() {
            let mut known = self.shard(shard).known();
            let outage = Outage { from: outage.from.max(known.taken_at), ..outage };
            if outage.from < outage.to {
                known.outages.push(outage);
                noted.push((shard, outage));
            }
        }
        noted
    }

    /// Keeps outages; what could not be kept stays for the next time. Of a shard that is another's
    /// by now, that one has kept it.
    async fn keep(&self, deps: &Deps, unkept: &mut Vec<(u16, Outage)>) {
        while let Some((shard, outage)) = unkept.last().copied() {
            if self.epoch_of(shard).is_none() {
                unkept.pop();
                continue;
            }
            if let Err(error) = deps.shards.outage(shard, outage).await {
                tracing::warn!(shard, %error, "an outage was not kept yet");
                return;
            }
            unkept.pop();
        }
    }
}
