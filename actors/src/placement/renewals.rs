//! Renewals: the leases that this node holds are written again in time.

use domain::{cluster::LeaseError, ports::Unavailable};
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout};

use super::shepherd::{ABREAST, PATIENCE, Shepherd};

impl Shepherd {
    /// Writes leases side by side. Answers each with when that was sent, or why it was not written.
    pub(super) async fn put(
        &self,
        leases: Vec<(u16, Option<u64>)>,
    ) -> Vec<(u16, Instant, Result<u64, LeaseError>)> {
        let (me, deps) = (self.me(), &self.deps);
        let put = |(shard, after)| async move {
            let sent_at = Instant::now();
            let put = timeout(PATIENCE, deps.leases.put(shard, me, after)).await;
            let late = |_| Err(Unavailable(anyhow::anyhow!("no answer in time")).into());
            (shard, sent_at, put.unwrap_or_else(late))
        };
        stream::iter(leases).map(put).buffer_unordered(ABREAST).collect().await
    }

    pub(super) async fn renew(&mut self, leases: Vec<(u16, Option<u64>)>) {
        if leases.is_empty() {
            return;
        }
        let mut changed = vec![];
        for (shard, sent_at, put) in self.put(leases).await {
            match put {
                Ok(revision) => self.hold(shard, revision, sent_at),
                Err(LeaseError::Changed) => changed.push(shard),
                Err(error) => tracing::debug!(shard, %error, "a lease was not renewed"),
            }
        }
        if changed.is_empty() {
            return;
        }
        // Perhaps all leases are gone: as long as ours is good, nobody else can have taken it.
        let mut held = vec![];
        for (shard, sent_at, put) in self.put_anew(changed).await {
            match put {
                Ok(revision) => self.hold(shard, revision, sent_at),
                Err(LeaseError::Changed) => held.push(shard),
                Err(error) => tracing::debug!(shard, %error, "a lease was not put anew"),
            }
        }
        let Ok(Ok(leases)) = timeout(PATIENCE, self.deps.leases.all()).await else { return };
        self.see(&leases);
        for shard in held {
            match leases.get(&shard) {
                // Ours, and the answer was lost: it is renewed as that.
                Some(lease) if lease.owner == self.me() => {
                    if let Some(ours) = self.ours(shard) {
                        ours.revision = lease.revision;
                    }
                }
                Some(_) => {
                    tracing::warn!(shard, "another node has a shard's lease");
                    self.give_up(shard);
                }
                None => {}
            }
        }
    }

    async fn put_anew(&self, shards: Vec<u16>) -> Vec<(u16, Instant, Result<u64, LeaseError>)> {
        self.put(shards.into_iter().map(|shard| (shard, None)).collect()).await
    }
}
