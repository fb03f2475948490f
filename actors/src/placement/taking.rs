//! Taking shards that are free.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use domain::{aggregate::Outage, at::At, cluster::Subject, ports::Unavailable};
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout};

use super::shepherd::{ABREAST, PATIENCE, Shepherd};
use crate::remote::Commands;

/// Shards with their new epochs, and the outages of each.
type Raised = (Vec<(u16, u64)>, HashMap<u16, Vec<Outage>>);

impl Shepherd {
    /// Takes shards: the epoch is read, then the lease is taken, then the epoch raised if it is
    /// still the one that was read.
    pub(super) async fn take(
        &mut self,
        leases: Vec<(u16, Option<u64>)>,
    ) -> Result<Vec<u16>, Unavailable> {
        let shards = self.deps.shards.shards().await?;
        let epochs: HashMap<u16, u64> =
            shards.into_iter().map(|shard| (shard.id, shard.epoch)).collect();
        let mut ours = HashMap::new();
        for (shard, sent_at, put) in self.put(leases).await {
            if let Ok(revision) = put {
                ours.insert(shard, (revision, sent_at));
            }
        }
        let wanted: Vec<(u16, u64)> =
            ours.keys().map(|shard| (*shard, epochs.get(shard).copied().unwrap_or(0))).collect();
        let now = self.deps.clock.now();
        let name = self.card.borrow().name.clone();
        let (taken, mut outages) = match self.raise(&wanted, &name, now).await {
            Ok(raised) => raised,
            Err(error) => {
                self.let_go(ours).await;
                return Err(error);
            }
        };
        let mut held = vec![];
        for (shard, epoch) in taken {
            let Some((revision, sent_at)) = ours.remove(&shard) else { continue };
            if sent_at.elapsed() < self.terms().give_up() {
                self.hold(shard, revision, sent_at);
                held.push((shard, epoch));
            }
        }
        // Before it says that it has them: who had them answers calls until then.
        let served = self.serve(held.iter().map(|(shard, _)| *shard).collect()).await;
        let mut begun = vec![];
        for (shard, epoch) in held.into_iter().filter(|(shard, _)| served.contains(shard)) {
            let outages = outages.remove(&shard).unwrap_or_default();
            self.placement.begin(shard, epoch, outages, now);
            begun.push(shard);
        }
        // Whoever was quicker has them.
        self.let_go(ours).await;
        if !begun.is_empty() {
            tracing::info!(shards = begun.len(), "this node took shards");
        }
        Ok(begun)
    }

    /// Raises the epochs of shards. Answers those that are taken with that, and their outages.
    async fn raise(
        &self,
        wanted: &[(u16, u64)],
        name: &str,
        now: At,
    ) -> Result<Raised, Unavailable> {
        let taken = self.deps.shards.take_after(wanted, name, now).await?;
        let ids: Vec<u16> = taken.iter().map(|(shard, _)| *shard).collect();
        let mut outages = HashMap::<u16, Vec<Outage>>::new();
        for (shard, outage) in self.deps.shards.outages_of(&ids, At(0)).await? {
            outages.entry(shard).or_default().push(outage);
        }
        Ok((taken, outages))
    }

    /// Gives back leases of what was not taken: they are not ours to keep from others, nor from
    /// ourselves.
    async fn let_go(&self, leases: HashMap<u16, (u64, Instant)>) {
        let release = |(shard, (revision, _))| async move {
            let released = timeout(PATIENCE, self.deps.leases.release(shard, revision)).await;
            drop(released);
        };
        stream::iter(leases).for_each_concurrent(ABREAST, release).await;
    }

    /// Answers those that are served.
    async fn serve(&mut self, shards: Vec<u16>) -> HashSet<u16> {
        let (wire, directory) = (&self.deps.wire, &self.directory);
        let serve = |shard: u16| async move {
            let commands = Arc::new(Commands::new(directory, shard));
            (shard, wire.serve(Subject::Commands(shard), commands).await)
        };
        let asked = stream::iter(shards).map(serve).buffer_unordered(ABREAST);
        let mut served = HashSet::new();
        for (shard, serving) in asked.collect::<Vec<_>>().await {
            match serving {
                Ok(serving) => {
                    self.mine.serving.insert(shard, serving);
                    served.insert(shard);
                }
                Err(error) => {
                    tracing::warn!(shard, %error, "a shard cannot be served");
                    self.give_up(shard);
                }
            }
        }
        served
    }
}
