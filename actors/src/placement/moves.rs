//! Planned hand-overs: a shard comes to rest here and begins at once elsewhere.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use domain::{
    cluster::{Subject, Wire},
    ids::NodeId,
};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::{
    plan::heir,
    shepherd::{PATIENCE, Shepherd},
};
use crate::report;

/// How long whoever is given shards has to take them before the next ones follow, and how often it
/// is asked.
const TAKEN: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(5);
/// How many shards are on their way at one moment, so that each is without an owner for a moment only.
const MOVED_AT_ONCE: usize = 8;
/// Fewer wait for others: who is given one at a time takes as long for each as for a handful.
const MOVED_TOGETHER: usize = MOVED_AT_ONCE / 2;
/// How long the owners of a shard that is handed over have to finish.
const RETIRE: Duration = Duration::from_millis(250);

/// How many shards may begin to move while `moving` are on their way.
pub(super) fn room(moving: usize) -> usize {
    Some(MOVED_AT_ONCE.saturating_sub(moving)).filter(|room| MOVED_TOGETHER <= *room).unwrap_or(0)
}

/// Shards that were handed over together, when nobody waits for them any more.
pub(super) struct Handful {
    shards: Vec<u16>,
    is_taken: bool,
}

impl Shepherd {
    /// Another node has handed over shards to this one.
    pub(super) fn is_given(&mut self, said: &[u8]) {
        match serde_json::from_slice(said) {
            Ok(shards) => self.receive(shards),
            Err(error) => tracing::warn!(%error, "a node is not understood"),
        }
    }

    /// Takes them next, or passes the word on while it may own none: who gave them to a node that
    /// leaves had not heard of that.
    fn receive(&mut self, shards: Vec<u16>) {
        if !self.card.borrow().is_able() {
            return self.pass_on(shards);
        }
        let now = self.mine.began.elapsed();
        for shard in shards {
            if let Some(view) = self.mine.views.get_mut(&shard).filter(|view| view.ours.is_none()) {
                (view.lease, view.since, view.is_given) = (None, now, true);
            }
        }
    }

    fn pass_on(&self, shards: Vec<u16>) {
        let others = self.others();
        let heirs = shards.into_iter().filter_map(|shard| Some((heir(shard, &others)?, shard)));
        for (to, shards) in by_node(heirs) {
            tracing::info!(shards = shards.len(), %to, "this node may own no shards: they go on");
            self.tell_given(to, &shards);
        }
    }

    fn tell_given(&self, to: NodeId, shards: &[u16]) {
        let said = serde_json::to_vec(shards).expect("numbers");
        self.deps.wire.tell(Subject::Node(to), Bytes::from(said));
    }

    /// What nobody has taken comes back to who gave it.
    pub(super) fn has_arrived(&mut self, handful: Handful) {
        self.mine.moving -= handful.shards.len();
        if !handful.is_taken {
            self.receive(handful.shards);
        }
    }

    /// Takes no more commands for shards, and waits until their streams are at rest.
    async fn retire(&self, moves: &[(u16, NodeId)]) {
        let sign =
            |(shard, _): &(u16, NodeId)| (*shard, self.placement.epoch_of(*shard).unwrap_or(0));
        let signs: Vec<_> = moves.iter().map(sign).collect();
        for (shard, _) in moves {
            self.placement.leave(*shard);
        }
        let at_rest = join_all(moves.iter().map(|(shard, _)| self.directory.retire(*shard)));
        if timeout(RETIRE, at_rest).await.is_err() {
            tracing::info!("not all streams of shards that are handed over were at rest");
        }
        if let Err(error) = self.deps.shards.alive(&signs, &[], self.deps.clock.now()).await {
            tracing::info!(%error, "no sign of life of shards that are handed over");
        }
    }

    pub(super) async fn hand_over(&mut self, moves: &[(u16, NodeId)]) {
        self.retire(moves).await;
        let mut leases = vec![];
        let mut serving = HashMap::new();
        for (shard, to) in moves {
            let ours = self.ours(*shard).map(|ours| ours.revision);
            serving.extend(self.mine.serving.remove(shard).map(|serving| (*shard, serving)));
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
        let released = join_all(leases.into_iter().map(release)).await;
        for (to, shards) in by_node(released.into_iter().flatten()) {
            self.tell_given(to, &shards);
            self.mine.moving += shards.len();
            // Who asks here for what is on its way is told so.
            let serving: Vec<_> = shards.iter().map(|shard| serving.remove(shard)).collect();
            let wire = Arc::clone(&self.deps.wire);
            self.mine.arriving.spawn(async move {
                let is_taken = timeout(TAKEN, taken(&*wire, to, &shards)).await.is_ok();
                if !is_taken {
                    tracing::info!(?shards, "shards that were handed over are not taken yet");
                }
                drop(serving);
                Handful { shards, is_taken }
            });
        }
        for serving in serving.into_values() {
            self.linger(serving);
        }
    }
}

fn by_node(given: impl Iterator<Item = (NodeId, u16)>) -> BTreeMap<NodeId, Vec<u16>> {
    let mut by_node = BTreeMap::<NodeId, Vec<u16>>::new();
    for (to, shard) in given {
        by_node.entry(to).or_default().push(shard);
    }
    by_node
}

/// Waits until `to` owns `shards`, so that the next ones do not wait for these.
async fn taken(wire: &dyn Wire, to: NodeId, shards: &[u16]) {
    loop {
        let report = report::of(wire, to).await.unwrap_or_default();
        if shards.iter().all(|shard| report.owned.contains(shard)) {
            return;
        }
        sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_move_a_handful_at_a_time() {
        assert_eq!([0, 3, 4, 5, 8, 12].map(room), [8, 5, 4, 0, 0, 0]);
    }
}
