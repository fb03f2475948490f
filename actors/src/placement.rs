//! Placement: which shards this node owns, under which epoch, and when it could not commit.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{
    aggregate::Outage,
    at::{At, Ms},
    ports::Unavailable,
    stream::{SHARDS, Stream},
};

use crate::{deps::Deps, directory::Directory};

/// How often a sign of life is given.
const BEAT: Duration = Duration::from_secs(1);
/// A silence up to this long is the beat itself, and no outage.
const SILENCE: Ms = Ms(3_000);

/// The shards of this node; here all of them, under real epochs.
pub(crate) struct Placement {
    epochs: Vec<AtomicU64>,
    outages: Vec<Mutex<Vec<Outage>>>,
}

impl Placement {
    /// Takes every shard, which fences whoever had them before.
    pub(crate) async fn take_all(deps: &Deps, owner: &str) -> Result<Self, Unavailable> {
        let (mut epochs, mut outages) = (vec![], vec![]);
        for shard in 0..SHARDS {
            let epoch = deps.shards.take(shard, owner, deps.clock.now()).await?;
            epochs.push(AtomicU64::new(epoch));
            outages.push(Mutex::new(deps.shards.outages(shard, At(0)).await?));
        }
        Ok(Self { epochs, outages })
    }

    /// The epoch under which this node writes `stream`.
    pub(crate) fn epoch(&self, stream: Stream) -> u64 {
        let epoch = self.epochs.get(usize::from(stream.shard()));
        epoch.expect("there are SHARDS of them").load(Ordering::Relaxed)
    }

    /// The outages of the shard of `stream`, oldest first.
    pub(crate) fn outages(&self, stream: Stream) -> Vec<Outage> {
        let outages = self.outages.get(usize::from(stream.shard()));
        let outages = outages.expect("there are SHARDS of them");
        outages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn all(&self) -> Vec<(u16, u64)> {
        (0..SHARDS).zip(self.epochs.iter().map(|epoch| epoch.load(Ordering::Relaxed))).collect()
    }

    /// Gives a sign of life each second, and notes when it could not.
    pub(crate) async fn beat(&self, deps: &Deps, directory: &Directory) {
        let mut alive_at = deps.clock.now();
        let mut ticks = tokio::time::interval(BEAT);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match deps.shards.alive(&self.all(), deps.clock.now()).await {
                Ok(lost) if lost.is_empty() => {
                    let now = deps.clock.now();
                    if SILENCE < now - alive_at {
                        self.note(deps, directory, Outage { from: alive_at, to: now }).await;
                    }
                    alive_at = now;
                }
                Ok(lost) => tracing::error!(shards = lost.len(), "another server took our shards"),
                Err(error) => tracing::warn!(%error, "no sign of life"),
            }
        }
    }

    async fn note(&self, deps: &Deps, directory: &Directory, outage: Outage) {
        tracing::warn!(ms = (outage.to - outage.from).0, "nothing could be committed for a while");
        for (shard, known) in (0..SHARDS).zip(&self.outages) {
            known.lock().unwrap_or_else(PoisonError::into_inner).push(outage);
            if let Err(error) = deps.shards.outage(shard, outage).await {
                tracing::warn!(shard, %error, "an outage was not kept");
            }
        }
        directory.tell_outage(outage);
    }
}
