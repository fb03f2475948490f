//! Shards: who owns them since when, and when nobody could commit.

use async_trait::async_trait;
use domain::{
    aggregate::Outage,
    at::At,
    ports::{Shards, Unavailable},
};

use super::{Memory, Streams};

#[derive(Clone, Debug, Default)]
pub(super) struct Shard {
    pub(super) epoch: u64,
    alive_at: Option<At>,
    outages: Vec<Outage>,
}

impl Shard {
    fn keep(&mut self, outage: Outage) {
        if outage.from < outage.to && !self.outages.contains(&outage) {
            self.outages.push(outage);
            self.outages.sort_by_key(|outage| (outage.from, outage.to));
        }
    }
}

impl Streams {
    pub(crate) fn take(&mut self, shard: u16, now: At) -> u64 {
        let shard = self.shards.entry(shard).or_default();
        shard.epoch += 1;
        if let Some(from) = shard.alive_at.replace(now) {
            shard.keep(Outage { from, to: now });
        }
        shard.epoch
    }

    pub(crate) fn alive(&mut self, shards: &[(u16, u64)], now: At) -> Vec<u16> {
        let mut lost = vec![];
        for (id, epoch) in shards {
            let shard = self.shards.entry(*id).or_default();
            if shard.epoch == *epoch {
                shard.alive_at = shard.alive_at.max(Some(now));
            } else {
                lost.push(*id);
            }
        }
        lost
    }

    pub(crate) fn outage(&mut self, shard: u16, outage: Outage) {
        self.shards.entry(shard).or_default().keep(outage);
    }

    pub(crate) fn outages(&self, shard: u16, since: At) -> Vec<Outage> {
        let outages = self.shards.get(&shard).map(|shard| shard.outages.clone());
        outages.unwrap_or_default().into_iter().filter(|outage| outage.to > since).collect()
    }
}

#[async_trait]
impl Shards for Memory {
    async fn take(&self, shard: u16, _owner: &str, now: At) -> Result<u64, Unavailable> {
        Ok(self.streams().take(shard, now))
    }

    async fn alive(&self, shards: &[(u16, u64)], now: At) -> Result<Vec<u16>, Unavailable> {
        Ok(self.streams().alive(shards, now))
    }

    async fn outage(&self, shard: u16, outage: Outage) -> Result<(), Unavailable> {
        self.streams().outage(shard, outage);
        Ok(())
    }

    async fn outages(&self, shard: u16, since: At) -> Result<Vec<Outage>, Unavailable> {
        Ok(self.streams().outages(shard, since))
    }
}
