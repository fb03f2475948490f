//! Epochs of what is only in memory: boards, windows of walls, output of runs.

use std::sync::atomic::{AtomicU64, Ordering};

use domain::{at::At, ids::NodeId};

/// How many bits of an epoch are its node's. The others are the time in ms; together they are less
/// than 2^53, which a page can count, until the year 2248.
const NODE_BITS: u32 = 10;

/// Gives each board, each window of a wall and each run an epoch greater than all before, and another
/// one than every other node: what was seen of another one cannot be gone on from.
#[derive(Default)]
pub(crate) struct Epochs {
    last: AtomicU64,
    node: u64,
}

impl Epochs {
    pub(crate) fn new(node: NodeId) -> Self {
        let (_, low) = node.uuid().as_u64_pair();
        Self { last: AtomicU64::new(0), node: low % (1 << NODE_BITS) }
    }

    pub(crate) fn next(&self, now: At) -> u64 {
        let now = u64::try_from(now.0).unwrap_or(0) << NODE_BITS | self.node;
        let after = |last: u64| now.max(last + (1 << NODE_BITS));
        let last =
            self.last.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(after(last)));
        last.map_or(now, after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_grow_on_each_node_and_are_never_those_of_another() {
        let nodes = [1, 2].map(|n| Epochs::new(NodeId::from_u128(n)));
        let now = At(1_800_000_000_000);
        let [one, other] = nodes.map(|node| [node.next(now), node.next(now), node.next(At(0))]);
        for epochs in [one, other] {
            assert!(epochs.is_sorted_by(|a, b| a < b) && epochs[2] < 1 << 53, "{epochs:?}");
        }
        assert!(one.iter().all(|epoch| !other.contains(epoch)));
        // Whoever is later is greater, wherever it is.
        let later = Epochs::new(NodeId::from_u128(1)).next(At(now.0 + 10));
        assert!(other.iter().all(|epoch| *epoch < later));
    }
}
