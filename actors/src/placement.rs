//! Placement: which shards this node owns, under which epoch, and when it could not commit.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
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
    /// When it last could commit.
    alive_at: AtomicI64,
    /// Counts the outages that it noticed itself.
    noticed: AtomicU64,
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
        let alive_at = AtomicI64::new(deps.clock.now().0);
        Ok(Self { epochs, outages, alive_at, noticed: AtomicU64::new(0) })
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

    /// Whether there may be an outage that is not noted yet: nothing that depends on an end is
    /// decided before it is given back.
    pub(crate) fn is_silent(&self, now: At) -> bool {
        SILENCE < now - At(self.alive_at.load(Ordering::SeqCst))
    }

    /// How many outages were noticed since the start. Ask after [`Self::is_silent`].
    pub(crate) fn noticed(&self) -> u64 {
        self.noticed.load(Ordering::SeqCst)
    }

    fn all(&self) -> Vec<(u16, u64)> {
        (0..SHARDS).zip(self.epochs.iter().map(|epoch| epoch.load(Ordering::Relaxed))).collect()
    }

    /// Gives a sign of life each second, and notes when it could not.
    pub(crate) async fn beat(&self, deps: &Deps, directory: &Directory) {
        let mut unkept = vec![];
        let mut ticks = tokio::time::interval(BEAT);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match deps.shards.alive(&self.all(), deps.clock.now()).await {
                Ok(lost) if lost.is_empty() => {
                    unkept.extend(self.alive(deps.clock.now(), directory));
                    keep(deps, &mut unkept).await;
                }
                Ok(lost) => tracing::error!(shards = lost.len(), "another server took our shards"),
                Err(error) => tracing::warn!(%error, "no sign of life"),
            }
        }
    }

    /// It can commit at `now`. Answers the outages that are over with this.
    fn alive(&self, now: At, directory: &Directory) -> Vec<(u16, Outage)> {
        let from = At(self.alive_at.load(Ordering::SeqCst));
        let is_silent = self.is_silent(now);
        let outage = Outage { from, to: now };
        if is_silent {
            for known in &self.outages {
                known.lock().unwrap_or_else(PoisonError::into_inner).push(outage);
            }
            self.noticed.fetch_add(1, Ordering::SeqCst);
        }
        // Last: who sees that it is not silent finds the outage.
        self.alive_at.store(now.max(from).0, Ordering::SeqCst);
        if !is_silent {
            return vec![];
        }
        tracing::warn!(ms = (now - from).0, "nothing could be committed for a while");
        directory.tell_outage();
        (0..SHARDS).map(|shard| (shard, outage)).collect()
    }
}

/// Keeps outages; what could not be kept stays for the next time.
async fn keep(deps: &Deps, unkept: &mut Vec<(u16, Outage)>) {
    while let Some((shard, outage)) = unkept.last().copied() {
        if let Err(error) = deps.shards.outage(shard, outage).await {
            tracing::warn!(shard, %error, "an outage was not kept yet");
            return;
        }
        unkept.pop();
    }
}
