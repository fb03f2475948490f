//! Whether this node is fit to own shards.

use domain::at::Ms;
use tokio::time::{Instant, timeout};

use super::shepherd::{PATIENCE, Shepherd};

/// A node whose clock is further from the store's than this takes no shard.
const CLOCK_MAX: Ms = Ms(100);

impl Shepherd {
    /// Whether this node is fit to own shards, looked at with each renewal.
    pub(super) async fn check(&mut self) {
        let is_new = self.mine.checked_at.is_none_or(|at| self.terms().renew() <= at.elapsed());
        if !is_new {
            return;
        }
        self.mine.checked_at = Some(Instant::now());
        let trouble = if self.members.is_stranger(&self.card.borrow()) {
            Some("the other nodes are two versions away from this one".to_owned())
        } else {
            self.clock_trouble().await
        };
        let is_other = self.card.borrow().trouble != trouble;
        if is_other {
            if let Some(why) = &trouble {
                tracing::error!(why, "this node takes no shards");
            } else {
                tracing::warn!("this node is fit to own shards again");
            }
            self.card.send_modify(|card| card.trouble = trouble);
        }
    }

    /// How far this node's clock is from the store's, if that is too far.
    async fn clock_trouble(&self) -> Option<String> {
        let before = self.deps.clock.now();
        let told = timeout(PATIENCE, self.deps.shards.clock()).await.ok()?.ok()??;
        let after = self.deps.clock.now();
        let off = if told < before { told - before } else { (told - after).max(Ms(0)) };
        (CLOCK_MAX < Ms(off.0.abs())).then(|| {
            format!("its clock is {} ms from the database's, and {} may be", off.0, CLOCK_MAX.0)
        })
    }
}
