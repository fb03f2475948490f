//! Leases on shards in a bucket of NATS.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::anyhow;
use async_trait::async_trait;
use domain::{
    at::Ms,
    cluster::{Lease, LeaseError, Leases},
    ids::NodeId,
    ports::Unavailable,
};
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::{Instant, timeout},
};

pub use super::bucket::{Shape, Taken};
use super::{
    Nats,
    bucket::{Bucket, Info, Written},
    view::{Follower, Known, View},
};

/// How long whoever asks for all leases waits for what this node follows to be as far as the server
/// was; behind that, what it knows has to do: every write is compared anyway.
const CATCH_UP: Duration = Duration::from_millis(100);

/// How long they wait for a bucket that has to be made again.
const MAKE_AGAIN: Duration = Duration::from_secs(1);

/// Why there are no leases to be had.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    #[error(transparent)]
    Taken(#[from] Taken),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// See the module.
pub struct NatsLeases {
    bucket: Bucket,
    ttl: Ms,
    view: Arc<watch::Sender<View>>,
    again: Arc<Notify>,
    follower: AbortHandle,
    /// The follower ends with the connection.
    _nats: Nats,
}

impl NatsLeases {
    /// Makes the leases of the cluster, if they are not there yet, and claims its name for the
    /// database that its nodes write to.
    pub async fn claim(nats: &Nats, shape: Shape) -> Result<Self, ClaimError> {
        let bucket = Bucket::new(nats);
        bucket.make(&shape).await.map_err(Unavailable)??;
        let ttl = Ms(i64::try_from(shape.ttl.as_millis()).unwrap_or(i64::MAX));
        let (view, again) = (Arc::new(watch::Sender::default()), Arc::new(Notify::new()));
        let follower = nats.spawn(
            Follower {
                client: nats.client().clone(),
                bucket: bucket.clone(),
                shape,
                view: Arc::clone(&view),
                again: Arc::clone(&again),
                seen: nats.seen(),
            }
            .run(),
        );
        Ok(Self { bucket, ttl, view, again, follower, _nats: nats.clone() })
    }

    /// When the bucket began that this node follows.
    async fn followed(&self) -> Result<u64, Unavailable> {
        let mut view = self.view.subscribe();
        let followed = timeout(MAKE_AGAIN, view.wait_for(|view| view.bucket.is_some())).await;
        let bucket = followed.ok().and_then(Result::ok).and_then(|view| view.bucket);
        bucket.ok_or_else(|| anyhow!("the leases are being made again").into())
    }

    /// Returns when this node follows another bucket than `bucket`, or gave up on that for now.
    async fn follow_another(&self, bucket: u64) {
        let mut view = self.view.subscribe();
        self.again.notify_one();
        let is_other = |view: &View| view.bucket.is_some_and(|other| other != bucket);
        timeout(MAKE_AGAIN, view.wait_for(is_other)).await.map(drop).ok();
    }

    /// The node sees at once what it wrote itself.
    fn learn(&self, shard: u16, lease: Lease, bucket: u64) {
        let known = Known { lease, heard_at: Instant::now(), bucket };
        self.view.send_modify(|view| view.learn(shard, known));
    }

    /// What the server says is there, once this node follows that very bucket.
    async fn current(&self) -> Result<(Info, View), Unavailable> {
        let mut view = self.view.subscribe();
        for _ in 0..2 {
            match self.bucket.info().await? {
                Ok(info) => {
                    let began = self.bucket.began(&info);
                    let same = |view: &View| view.bucket.is_some() && view.bucket == began;
                    if view.borrow().bucket.is_some_and(|bucket| Some(bucket) != began) {
                        self.again.notify_one();
                    }
                    if timeout(MAKE_AGAIN, view.wait_for(same)).await.is_ok() {
                        let last = info.state.last_seq;
                        // Late is no failure: see `CATCH_UP`.
                        timeout(CATCH_UP, view.wait_for(|view| view.seq >= last)).await.ok();
                        let view = view.borrow().clone();
                        return Ok((info, view));
                    }
                }
                Err(refused) if refused.is_no_stream() => {
                    self.again.notify_one();
                    // Whether it was made is seen when it is asked for again.
                    timeout(MAKE_AGAIN, view.changed()).await.ok();
                }
                Err(refused) => return Err(Unavailable(refused.into())),
            }
        }
        Err(anyhow!("the leases are being made again").into())
    }
}

#[async_trait]
impl Leases for NatsLeases {
    fn ttl(&self) -> Ms {
        self.ttl
    }

    /// A lease of a bucket before this one, whose holder may not have put it again yet, is among
    /// them until its time is over, so that an empty bucket is no invitation to take everything.
    async fn all(&self) -> Result<BTreeMap<u16, Lease>, Unavailable> {
        let (info, view) = self.current().await?;
        let subjects = info.state.subjects.unwrap_or_default();
        let there: std::collections::HashSet<u16> =
            subjects.keys().filter_map(|subject| self.bucket.shard_of(subject)).collect();
        let ttl = Duration::from_millis(self.ttl.0.unsigned_abs());
        let is_held = |shard: u16, known: &Known| {
            if Some(known.bucket) == view.bucket {
                there.contains(&shard)
            } else {
                known.heard_at.elapsed() < ttl
            }
        };
        let held = view.known.iter().filter(|(shard, known)| is_held(**shard, known));
        Ok(held.map(|(shard, known)| (*shard, known.lease)).collect())
    }

    async fn put(&self, shard: u16, owner: NodeId, after: Option<u64>) -> Result<u64, LeaseError> {
        for _ in 0..2 {
            let bucket = self.followed().await?;
            let after = match after {
                None => 0,
                // What is of a bucket before is not there any more.
                Some(after) => after.checked_sub(bucket).ok_or(LeaseError::Changed)?,
            };
            match self.bucket.put(bucket, shard, owner.to_string(), after).await? {
                Written::As(number) => {
                    let lease = Lease { owner, revision: bucket + number };
                    self.learn(shard, lease, bucket);
                    return Ok(lease.revision);
                }
                Written::Changed => return Err(LeaseError::Changed),
                Written::Gone => self.follow_another(bucket).await,
            }
        }
        Err(Unavailable(anyhow!("the leases are being made again")).into())
    }

    async fn release(&self, shard: u16, revision: u64) -> Result<(), LeaseError> {
        let bucket = self.followed().await?;
        let number = revision.checked_sub(bucket).ok_or(LeaseError::Changed)?;
        if !self.bucket.delete(number).await? {
            return Err(LeaseError::Changed);
        }
        self.view.send_modify(|view| {
            if view.known.get(&shard).is_some_and(|known| known.lease.revision == revision) {
                view.known.remove(&shard);
            }
        });
        Ok(())
    }
}

impl Drop for NatsLeases {
    fn drop(&mut self) {
        self.follower.abort();
    }
}
