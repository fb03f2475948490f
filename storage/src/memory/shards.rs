//! Shards: who owns them since when, and when nobody could commit.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::{
    aggregate::Outage,
    at::At,
    ports::{Shard, Shards, Unavailable},
    stream::SHARDS,
};

use super::{Memory, Streams};

#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    pub(super) epoch: u64,
    owner: Option<String>,
    alive_at: Option<At>,
    outages: Vec<Outage>,
}

impl Kept {
    fn keep(&mut self, outage: Outage) {
        if outage.from < outage.to && !self.outages.contains(&outage) {
            self.outages.push(outage);
            self.outages.sort_by_key(|outage| (outage.from, outage.to));
        }
    }
}

impl Streams {
    pub(crate) fn take(&mut self, shard: u16, owner: &str, now: At) -> u64 {
        let shard = self.shards.entry(shard).or_default();
        shard.epoch += 1;
        shard.owner = Some(owner.to_owned());
        if let Some(from) = shard.alive_at.replace(now) {
            shard.keep(Outage { from, to: now });
        }
        shard.epoch
    }

    pub(crate) fn take_after(
        &mut self,
        shards: &[(u16, u64)],
        owner: &str,
        now: At,
    ) -> Vec<(u16, u64)> {
        let shards: BTreeMap<u16, u64> = shards.iter().copied().collect();
        let same = shards.into_iter().filter(|(id, epoch)| self.epoch(*id) == *epoch);
        let same: Vec<u16> = same.map(|(id, _)| id).collect();
        same.into_iter().map(|id| (id, self.take(id, owner, now))).collect()
    }

    pub(super) fn epoch(&self, shard: u16) -> u64 {
        self.shards.get(&shard).map_or(0, |shard| shard.epoch)
    }

    pub(crate) fn all_shards(&self) -> Vec<Shard> {
        let kept = |id| self.shards.get(&id).cloned().unwrap_or_default();
        let shard = |id| {
            let Kept { epoch, owner, alive_at, .. } = kept(id);
            Shard { id, epoch, owner, alive_at }
        };
        (0..SHARDS).map(shard).collect()
    }

    pub(crate) fn alive(
        &mut self,
        shards: &[(u16, u64)],
        outages: &[(u16, Outage)],
        now: At,
    ) -> Vec<u16> {
        let mut lost = vec![];
        for (id, epoch) in shards {
            let shard = self.shards.entry(*id).or_default();
            if shard.epoch == *epoch {
                shard.alive_at = shard.alive_at.max(Some(now));
                for (_, outage) in outages.iter().filter(|(of, _)| of == id) {
                    shard.keep(*outage);
                }
            } else {
                lost.push(*id);
            }
        }
        lost
    }

    pub(crate) fn outages(&self, shard: u16, since: At) -> Vec<Outage> {
        let outages = self.shards.get(&shard).map(|shard| shard.outages.clone());
        outages.unwrap_or_default().into_iter().filter(|outage| outage.to > since).collect()
    }
}

#[async_trait]
impl Shards for Memory {
    async fn take(&self, shard: u16, owner: &str, now: At) -> Result<u64, Unavailable> {
        Ok(self.streams().take(shard, owner, now))
    }

    async fn take_after(
        &self,
        shards: &[(u16, u64)],
        owner: &str,
        now: At,
    ) -> Result<Vec<(u16, u64)>, Unavailable> {
        Ok(self.streams().take_after(shards, owner, now))
    }

    async fn shards(&self) -> Result<Vec<Shard>, Unavailable> {
        Ok(self.streams().all_shards())
    }

    async fn clock(&self) -> Result<Option<At>, Unavailable> {
        Ok(None)
    }

    async fn alive(
        &self,
        shards: &[(u16, u64)],
        outages: &[(u16, Outage)],
        now: At,
    ) -> Result<Vec<u16>, Unavailable> {
        Ok(self.streams().alive(shards, outages, now))
    }

    async fn outages(&self, shard: u16, since: At) -> Result<Vec<Outage>, Unavailable> {
        Ok(self.streams().outages(shard, since))
    }
}
