//! Leases on shards: slow, failing, carried out without an answer, wiped.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::{
    at::{At, Ms},
    cluster::{Lease, LeaseError, Leases},
    ids::NodeId,
    ports::Unavailable,
};

use super::{Link, unavailable};

/// How long a lease lasts without a renewal.
const TTL: Ms = Ms(6_000);
/// How long a call takes at most that is slow; whoever asks waits for one second.
const SLOW: i64 = 2_500;

/// All leases that are held.
#[derive(Default)]
pub(crate) struct Held {
    leases: BTreeMap<u16, (Lease, At)>,
    revision: u64,
}

impl Held {
    /// Forgets them all, and counts anew, as a broker does that lost its disk.
    pub(crate) fn wipe(&mut self, counts_anew: bool) {
        self.leases.clear();
        if counts_anew {
            self.revision = 0;
        }
    }
}

/// See the module.
pub(crate) struct Kept(pub(crate) Link);

impl Kept {
    async fn reach(&self) -> Result<(), Unavailable> {
        let weather = self.0.weather();
        if self.0.state().no_leases || weather.leases_fail >= 1_000 {
            self.0.hang(SLOW).await;
            return Err(unavailable("the leases cannot be reached"));
        }
        if self.0.world.chance(weather.leases_fail) {
            return Err(unavailable("the leases fail"));
        }
        if self.0.world.chance(weather.leases_slow) {
            self.0.hang(SLOW).await;
        }
        Ok(())
    }

    async fn answer<T>(&self, answer: T) -> Result<T, Unavailable> {
        if self.0.state().no_leases || self.0.world.chance(self.0.weather().leases_answers_lost) {
            self.0.hang(SLOW).await;
            return Err(unavailable("the answer was lost"));
        }
        Ok(answer)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Held, At) -> T) -> T {
        let now = self.0.time();
        let held = &mut self.0.world.lock().held;
        held.leases.retain(|_, (_, renewed_at)| now - *renewed_at < TTL);
        change(held, now)
    }
}

#[async_trait]
impl Leases for Kept {
    fn ttl(&self) -> Ms {
        TTL
    }

    async fn all(&self) -> Result<BTreeMap<u16, Lease>, Unavailable> {
        self.reach().await?;
        let all = self.change(|held, _| {
            held.leases.iter().map(|(shard, (lease, _))| (*shard, *lease)).collect()
        });
        self.answer(all).await
    }

    async fn put(&self, shard: u16, owner: NodeId, after: Option<u64>) -> Result<u64, LeaseError> {
        self.reach().await?;
        let put = self.change(|held, now| {
            if held.leases.get(&shard).map(|(lease, _)| lease.revision) != after {
                return Err(LeaseError::Changed);
            }
            held.revision += 1;
            let revision = held.revision;
            held.leases.insert(shard, (Lease { owner, revision }, now));
            Ok(revision)
        });
        self.answer(put).await?
    }

    async fn release(&self, shard: u16, revision: u64) -> Result<(), LeaseError> {
        self.reach().await?;
        let released = self.change(|held, _| {
            if held.leases.get(&shard).map(|(lease, _)| lease.revision) != Some(revision) {
                return Err(LeaseError::Changed);
            }
            held.leases.remove(&shard);
            Ok(())
        });
        self.answer(released).await?
    }
}
