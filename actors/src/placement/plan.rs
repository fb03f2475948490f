//! What a node does about the leases that it sees: a pure function of them and the time.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use domain::{cluster::Lease, ids::NodeId, stream::SHARDS};

/// A node that is not the one preferred for a shard lets each one before it have so long to take it.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many shards move in [`MOVES_WITHIN`] at most, over all nodes: 10 %.
const MOVES_MAX: usize = SHARDS as usize / 10;
pub(super) const MOVES_WITHIN: Duration = Duration::from_secs(10);

/// Times of a lease, as parts of its time to live.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) ttl: Duration,
}

impl Terms {
    /// How often it is renewed.
    pub(super) fn renew(self) -> Duration {
        self.ttl / 4
    }

    /// After how long without a renewal its owner stops by itself, well before others may take it.
    pub(super) fn give_up(self) -> Duration {
        self.ttl * 3 / 4
    }
}

/// What is known of one shard. Moments count from the start of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// Who holds it, for all that one knows.
    pub(super) lease: Option<Lease>,
    /// When `lease` was first seen as it is.
    pub(super) since: Duration,
    /// Whoever had it has handed it over to this node, whichever ones there are.
    pub(super) is_given: bool,
    /// Ours, with when its last renewal was sent.
    pub(super) ours: Option<Ours>,
}

/// A shard that this node owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ours {
    pub(super) revision: u64,
    pub(super) renewed_at: Duration,
}

/// Who is there to own shards.
#[derive(Clone, Debug, Default)]
pub(super) struct Others {
    pub(super) me: Option<NodeId>,
    /// Nodes that may own shards, this one included if it may.
    pub(super) able: Vec<NodeId>,
    /// Those of them that are trusted to stay: to whom shards are handed over.
    pub(super) settled: Vec<NodeId>,
}

impl Others {
    /// Of those that are heard of: (able, settled). Who may own nothing itself, and has heard of
    /// nobody for long enough to trust them, still has to give to somebody.
    pub(super) fn of(me: NodeId, is_able: bool, heard: (Vec<NodeId>, Vec<NodeId>)) -> Self {
        let (mut able, mut settled) = heard;
        for nodes in [&mut able, &mut settled] {
            nodes.retain(|node| *node != me);
            nodes.extend(is_able.then_some(me));
        }
        if settled.is_empty() {
            settled.clone_from(&able);
        }
        Self { me: Some(me), able, settled }
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Take {
        shard: u16,
        after: Option<u64>,
    },
    Renew {
        shard: u16,
        revision: u64,
    },
    /// At once: somebody else may own it already.
    GiveUp {
        shard: u16,
    },
    HandOver {
        shard: u16,
        to: NodeId,
    },
}

/// Decides about all shards. `moved` is how many this node has handed over lately; without being
/// able itself it hands over everything. At most `room` begin to move now.
pub(super) fn plan(
    now: Duration,
    terms: Terms,
    others: &Others,
    views: &BTreeMap<u16, View>,
    moved: usize,
    room: usize,
) -> Vec<Step> {
    let is_able = others.me.is_some_and(|me| others.able.contains(&me));
    let share = MOVES_MAX / others.settled.len().max(1);
    let mut left = if is_able { share.saturating_sub(moved).min(room) } else { room };
    let mut steps = vec![];
    for (shard, view) in views {
        let step = match view.ours {
            Some(ours) => keep(now, terms, *shard, ours, view),
            None if is_able => take(now, terms, others, *shard, view),
            None => None,
        };
        let to = heir(*shard, others).filter(|heir| Some(*heir) != others.me);
        match (step, view.ours, to) {
            (Some(Step::GiveUp { .. }), ..) | (_, None, _) | (_, _, None) => steps.extend(step),
            (_, Some(_), Some(to)) if left > 0 => {
                left -= 1;
                steps.push(Step::HandOver { shard: *shard, to });
            }
            _ => steps.extend(step),
        }
    }
    steps
}

/// To whom `shard` goes, if it goes.
pub(super) fn heir(shard: u16, others: &Others) -> Option<NodeId> {
    others.settled.iter().copied().max_by_key(|node| (weight(shard, *node), *node))
}

fn keep(now: Duration, terms: Terms, shard: u16, ours: Ours, view: &View) -> Option<Step> {
    let age = now.saturating_sub(ours.renewed_at);
    if terms.give_up() <= age {
        return Some(Step::GiveUp { shard });
    }
    let is_known = view.lease.is_some_and(|lease| lease.revision == ours.revision);
    // What one sees of a lease may be older than one's own renewal, and never says more than a try.
    (terms.renew() <= age || (!is_known && terms.renew() / 4 <= age))
        .then_some(Step::Renew { shard, revision: ours.revision })
}

fn take(now: Duration, terms: Terms, others: &Others, shard: u16, view: &View) -> Option<Step> {
    let free_at = view.since + view.lease.map_or(Duration::ZERO, |_| terms.ttl);
    if now < free_at {
        return None;
    }
    let ranked = ranked(shard, &others.able);
    let place = ranked.iter().position(|node| Some(*node) == others.me)?;
    let place = if view.is_given { 0 } else { u32::try_from(place).unwrap_or(u32::MAX) };
    let after = view.lease.map(|lease| lease.revision);
    (free_at + PATIENCE.saturating_mul(place) <= now).then_some(Step::Take { shard, after })
}

/// Who is to own a shard, best first: the node with the highest hash of both ("rendezvous hashing",
/// Thaler and Ravishankar, 1996). When one comes or goes, only its own shards move.
fn ranked(shard: u16, nodes: &[NodeId]) -> Vec<NodeId> {
    let mut ranked = nodes.to_vec();
    ranked.sort_by_cached_key(|node| Reverse((weight(shard, *node), *node)));
    ranked
}

/// The last step of `MurmurHash3` over both, which spreads every bit over all.
fn weight(shard: u16, node: NodeId) -> u64 {
    let (high, low) = node.uuid().as_u64_pair();
    let mut hash =
        high ^ low.rotate_left(32) ^ u64::from(shard).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { ttl: Duration::from_secs(6) };
    const ME: NodeId = NodeId::from_u128(1);
    const OTHER: NodeId = NodeId::from_u128(2);

    fn secs(secs: f64) -> Duration {
        Duration::from_secs_f64(secs)
    }

    fn view(lease: Option<(NodeId, u64)>, since: f64) -> View {
        let lease = lease.map(|(owner, revision)| Lease { owner, revision });
        View { lease, since: secs(since), is_given: false, ours: None }
    }

    fn ours(revision: u64, renewed_at: f64) -> View {
        let lease = Some(Lease { owner: ME, revision });
        let ours = Some(Ours { revision, renewed_at: secs(renewed_at) });
        View { lease, since: secs(renewed_at), is_given: false, ours }
    }

    fn alone() -> Others {
        Others { me: Some(ME), able: vec![ME], settled: vec![ME] }
    }

    fn both() -> Others {
        Others { me: Some(ME), able: vec![ME, OTHER], settled: vec![ME, OTHER] }
    }

    fn steps(now: f64, others: &Others, view: View) -> Vec<Step> {
        plan(secs(now), TERMS, others, &BTreeMap::from([(7, view)]), 0, 8)
    }

    #[test]
    fn what_nobody_holds_is_taken_at_once() {
        let taken = steps(0.0, &alone(), view(None, 0.0));
        assert_eq!(taken, [Step::Take { shard: 7, after: None }]);
    }

    #[test]
    fn a_lease_is_free_when_it_was_not_renewed_for_its_time() {
        let held = view(Some((OTHER, 3)), 10.0);
        assert_eq!(steps(15.9, &alone(), held), []);
        assert_eq!(steps(16.0, &alone(), held), [Step::Take { shard: 7, after: Some(3) }]);
    }

    #[test]
    fn the_preferred_node_comes_first() {
        let both = both();
        for shard in 0..SHARDS {
            let views = BTreeMap::from([(shard, view(None, 0.0))]);
            let is_first = ranked(shard, &both.able).first() == Some(&ME);
            let at_once = !plan(secs(0.0), TERMS, &both, &views, 0, 8).is_empty();
            assert_eq!(at_once, is_first);
            assert_eq!(plan(secs(1.0), TERMS, &both, &views, 0, 8).len(), 1);
        }
    }

    #[test]
    fn ours_is_renewed_in_time_and_given_up_before_anybody_may_take_it() {
        assert_eq!(steps(1.4, &alone(), ours(5, 0.0)), []);
        assert_eq!(steps(1.5, &alone(), ours(5, 0.0)), [Step::Renew { shard: 7, revision: 5 }]);
        assert_eq!(steps(4.5, &alone(), ours(5, 0.0)), [Step::GiveUp { shard: 7 }]);
    }

    #[test]
    fn a_lease_that_was_wiped_is_renewed_before_its_time() {
        let wiped = View { lease: None, ..ours(5, 0.0) };
        assert_eq!(steps(0.5, &alone(), wiped), [Step::Renew { shard: 7, revision: 5 }]);
    }

    #[test]
    fn a_tenth_moves_to_who_comes_and_everything_from_who_leaves() {
        let views: BTreeMap<u16, View> = (0..SHARDS).map(|shard| (shard, ours(1, 0.0))).collect();
        let moves = |others: &Others, moved, room| {
            let steps = plan(secs(0.1), TERMS, others, &views, moved, room);
            steps.iter().filter(|step| matches!(step, Step::HandOver { .. })).count()
        };
        assert_eq!(moves(&both(), 0, 256), 12);
        assert_eq!(moves(&both(), 0, 8), 8);
        assert_eq!(moves(&both(), 12, 256), 0);
        let leaving =
            |to: &[NodeId]| Others { me: Some(ME), able: to.to_vec(), settled: to.to_vec() };
        assert_eq!(moves(&leaving(&[OTHER]), 0, 256), usize::from(SHARDS));
        assert_eq!(moves(&leaving(&[]), 0, 256), 0);
        let late = plan(secs(1.6), TERMS, &leaving(&[OTHER]), &views, 0, 8);
        let renewed = late.iter().filter(|step| matches!(step, Step::Renew { .. })).count();
        assert_eq!((late.len(), renewed), (256, 248), "what has to wait is kept meanwhile");
    }

    #[test]
    fn who_leaves_and_trusts_nobody_yet_gives_to_whoever_is_there() {
        let heard = || (vec![ME, OTHER], vec![]);
        assert_eq!(heir(7, &Others::of(ME, false, heard())), Some(OTHER));
        assert_eq!(heir(7, &Others::of(ME, true, heard())), Some(ME));
        assert_eq!(heir(7, &Others::of(ME, false, (vec![ME], vec![ME]))), None);
    }

    #[test]
    fn what_was_given_is_taken_at_once_whoever_comes_first() {
        let both = both();
        for shard in 0..SHARDS {
            let views = BTreeMap::from([(shard, View { is_given: true, ..view(None, 0.0) })]);
            let taken = plan(secs(0.0), TERMS, &both, &views, 0, 8);
            assert_eq!(taken, [Step::Take { shard, after: None }]);
        }
    }

    #[test]
    fn when_a_node_goes_only_its_own_shards_move() {
        let nodes: Vec<NodeId> = (1..=5).map(NodeId::from_u128).collect();
        let mut counts = BTreeMap::<NodeId, usize>::new();
        for shard in 0..SHARDS {
            let before = ranked(shard, &nodes)[0];
            *counts.entry(before).or_default() += 1;
            let after = ranked(shard, &nodes[1..])[0];
            assert!(before == after || before == nodes[0]);
        }
        assert!(counts.values().all(|count| (30..=75).contains(count)), "{counts:?}");
    }
}
