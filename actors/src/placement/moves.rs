//! Planned hand-overs: a shard comes to rest here and begins at once elsewhere.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use domain::{cluster::Subject, ids::NodeId};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::shepherd::{PATIENCE, Shepherd};
use crate::report;

/// How long whoever is given shards has to take them before the next ones follow, and how often it
/// is asked.
const TAKEN: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(5);
/// How many shards are handed over side by side.
const MOVED_AT_ONCE: usize = 8;
/// How long the owners of a shard that is handed over have to finish.
const RETIRE: Duration = Duration::from_millis(250);

impl Shepherd {
    /// A few at a time, so that each is without an owner for a moment only.
    pub(super) async fn hand_over_all(&mut self, moves: &[(u16, NodeId)]) {
        for moves in moves.chunks(MOVED_AT_ONCE) {
            self.hand_over(moves).await;
        }
    }

    /// Takes no more commands for `shard`, and waits until its streams are at rest.
    async fn retire(&self, shard: u16) {
        let epoch = self.placement.epoch_of(shard);
        self.placement.leave(shard);
        if timeout(RETIRE, self.directory.retire(shard)).await.is_err() {
            tracing::info!(shard, "not all streams of a shard were at rest");
        }
        let sign = [(shard, epoch.unwrap_or(0))];
        if let Err(error) = self.deps.shards.alive(&sign, &[], self.deps.clock.now()).await {
            tracing::info!(shard, %error, "no sign of life of a shard that is handed over");
        }
    }

    async fn hand_over(&mut self, moves: &[(u16, NodeId)]) {
        join_all(moves.iter().map(|(shard, _)| self.retire(*shard))).await;
        let mut leases = vec![];
        for (shard, to) in moves {
            let ours = self.ours(*shard).map(|ours| ours.revision);
            self.give_up(*shard);
            leases.extend(ours.map(|revision| (*shard, *to, revision)));
            self.mine.moved.push_back(Instant::now());
        }
        let release = |(shard, to, revision): (u16, NodeId, u64)| {
            let deps = self.deps.clone();
            async move {
                let released = timeout(PATIENCE, deps.leases.release(shard, revision)).await;
                let is_released = matches!(released, Ok(Ok(())));
                if !is_released {
                    tracing::info!(shard, "a lease was not given back; it ends by itself");
                }
                is_released.then_some((to, shard))
            }
        };
        let mut given: BTreeMap<NodeId, Vec<u16>> = BTreeMap::new();
        for (to, shard) in join_all(leases.into_iter().map(release)).await.into_iter().flatten() {
            given.entry(to).or_default().push(shard);
        }
        for (to, shards) in &given {
            let said = serde_json::to_vec(shards).expect("numbers");
            self.deps.wire.tell(Subject::Node(*to), Bytes::from(said));
        }
        let taken = given.iter().map(|(to, shards)| self.taken(*to, shards));
        if timeout(TAKEN, join_all(taken)).await.is_err() {
            tracing::info!("shards that were handed over are not taken yet");
        }
    }

    /// Waits until `to` owns `shards`, so that the next ones do not wait for these.
    async fn taken(&self, to: NodeId, shards: &[u16]) {
        loop {
            let report = report::of(&*self.deps.wire, to).await.unwrap_or_default();
            if shards.iter().all(|shard| report.owned.contains(shard)) {
                return;
            }
            sleep(LOOK).await;
        }
    }
}
