//! The table of shards, as one node reaches it.

use async_trait::async_trait;
use domain::{
    aggregate::Outage,
    at::At,
    ports::{Shard, Shards, Unavailable},
};

use super::{Link, store::Store};

/// See the module.
pub(crate) struct Takes(pub(crate) Link);

impl Takes {
    fn store(&self) -> Store {
        Store(self.0.clone())
    }
}

#[async_trait]
impl Shards for Takes {
    async fn take(&self, shard: u16, owner: &str, now: At) -> Result<u64, Unavailable> {
        let store = self.store();
        let taken = store.reach().await?.memory.take(shard, owner, now).await?;
        store.answer(taken).await
    }

    async fn take_after(
        &self,
        shards: &[(u16, u64)],
        owner: &str,
        now: At,
    ) -> Result<Vec<(u16, u64)>, Unavailable> {
        let store = self.store();
        let taken = store.reach().await?.memory.take_after(shards, owner, now).await?;
        self.0.note(&format!("takes {taken:?} of {} as of {now:?}", shards.len()));
        store.answer(taken).await
    }

    async fn shards(&self) -> Result<Vec<Shard>, Unavailable> {
        self.store().reach().await?.memory.shards().await
    }

    async fn clock(&self) -> Result<Option<At>, Unavailable> {
        self.store().reach().await?;
        Ok(Some(self.0.time()))
    }

    async fn alive(
        &self,
        shards: &[(u16, u64)],
        outages: &[(u16, Outage)],
        now: At,
    ) -> Result<Vec<u16>, Unavailable> {
        let store = self.store();
        let lost = store.reach().await?.memory.alive(shards, outages, now).await?;
        store.answer(lost).await
    }

    async fn outages(&self, shard: u16, since: At) -> Result<Vec<Outage>, Unavailable> {
        self.store().reach().await?.memory.outages(shard, since).await
    }
}
