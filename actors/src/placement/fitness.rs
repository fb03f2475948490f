//! Whether this node is fit to own shards.

use domain::at::Ms;
use tokio::time::{Instant, timeout};

use super::shepherd::{PATIENCE, Shepherd};
use crate::steady::CLOCK_MAX;

impl Shepherd {
    /// Whether this node is fit to own shards, looked at with each renewal.
    pub(super) async fn check(&mut self) {
        let is_new = self.mine.checked_at.is_none_or(|at| self.terms().renew() <= at.elapsed());
        if !is_new {
            return;
        }
        self.mine.checked_at = Some(Instant::now());
        let its_clock = self.clock_trouble().await;
        let is_stranger = self.members.is_stranger(&self.card.borrow());
        let strange = || "the other nodes are two versions away from this one".to_owned();
        let trouble = its_clock.or_else(|| is_stranger.then(strange));
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
        let ask = async { timeout(PATIENCE, self.deps.shards.clock()).await.ok()?.ok()? };
        let Err(Ms(off)) = self.clock.follow(ask).await else { return None };
        Some(format!("its clock is {off} ms from the database's, and {} may be", CLOCK_MAX.0))
    }
}
