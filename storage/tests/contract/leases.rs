//! Leases on shards, as two nodes see them.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    cluster::{Lease, LeaseError, Leases},
    ids::NodeId,
};
use futures_util::future::join_all;

pub(crate) type Both = [Arc<dyn Leases>; 2];

pub(crate) const A: NodeId = NodeId::from_u128(0xa);
pub(crate) const B: NodeId = NodeId::from_u128(0xb);

/// Whether the answer is that the lease is another's.
pub(crate) fn is_changed<T>(answer: &Result<T, LeaseError>) -> bool {
    matches!(answer, Err(LeaseError::Changed))
}

/// Asks until the leases are as `is_so` wants them; what they are then.
pub(crate) async fn until(
    leases: &Arc<dyn Leases>,
    is_so: impl Fn(&BTreeMap<u16, Lease>) -> bool,
) -> BTreeMap<u16, Lease> {
    loop {
        match leases.all().await {
            Ok(all) if is_so(&all) => return all,
            _ => tokio::task::yield_now().await,
        }
    }
}

pub(crate) async fn whoever_comes_first_has_it([a, b]: Both) {
    let revision = a.put(3, A, None).await.unwrap();
    assert!(is_changed(&b.put(3, B, None).await));
    let held = BTreeMap::from([(3, Lease { owner: A, revision })]);
    assert_eq!(a.all().await.unwrap(), held);
    assert_eq!(until(&b, |all| !all.is_empty()).await, held);
    assert!(b.put(4, B, None).await.is_ok());
}

pub(crate) async fn a_renewal_moves_on([a, b]: Both) {
    let first = a.put(0, A, None).await.unwrap();
    let second = a.put(0, A, Some(first)).await.unwrap();
    assert!(second > first);
    assert!(is_changed(&a.put(0, A, Some(first)).await));
    assert!(is_changed(&b.put(0, B, Some(first)).await));
    let held = Lease { owner: A, revision: second };
    assert_eq!(until(&b, |all| all.get(&0) == Some(&held)).await.len(), 1);
    // Whoever knows the revision may take it: a hand-over.
    let third = b.put(0, B, Some(second)).await.unwrap();
    assert!(third > second);
    assert!(is_changed(&a.put(0, A, Some(second)).await));
    assert_eq!(until(&a, |all| all[&0].owner == B).await[&0].revision, third);
}

pub(crate) async fn what_is_given_back_is_free([a, b]: Both) {
    let first = a.put(9, A, None).await.unwrap();
    let second = a.put(9, A, Some(first)).await.unwrap();
    assert!(is_changed(&a.release(9, first).await));
    a.release(9, second).await.unwrap();
    assert!(is_changed(&a.release(9, second).await));
    assert!(is_changed(&a.put(9, A, Some(second)).await));
    assert_eq!(a.all().await.unwrap(), BTreeMap::new());
    assert_eq!(b.all().await.unwrap(), BTreeMap::new());
    let third = b.put(9, B, None).await.unwrap();
    assert!(third > second);
    assert!(is_changed(&a.release(9, second).await));
    assert_eq!(until(&a, |all| !all.is_empty()).await[&9].owner, B);
}

pub(crate) async fn a_lease_that_nobody_renews_is_free([a, b]: Both) {
    let old = a.put(1, A, None).await.unwrap();
    let mut renewed = a.put(2, A, None).await.unwrap();
    loop {
        renewed = match a.put(2, A, Some(renewed)).await {
            // The machine stood still for so long that this one was free as well.
            Err(LeaseError::Changed) => a.put(2, A, None).await.unwrap(),
            put => put.unwrap(),
        };
        if b.all().await.unwrap().keys().copied().eq([2]) {
            break;
        }
    }
    assert!(is_changed(&a.put(1, A, Some(old)).await));
    let new = b.put(1, B, None).await.unwrap();
    assert!(new > old);
    let held = Lease { owner: B, revision: new };
    assert_eq!(until(&a, |all| all.contains_key(&1)).await[&1], held);
}

pub(crate) async fn one_of_many_has_it([a, b]: Both) {
    for shard in 0..8 {
        let puts = (0..16_u128).map(|n| {
            let leases = if n % 2 == 0 { &a } else { &b };
            leases.put(shard, NodeId::from_u128(n), None)
        });
        let answers = join_all(puts).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        assert_eq!(answers.iter().filter(|answer| is_changed(answer)).count(), 15);
    }
}

pub(crate) async fn all_shards_are_held_at_once([a, b]: Both) {
    let put = async |owner| {
        let leases = if owner == A { &a } else { &b };
        let mine = (0..256).filter(|shard| (shard % 2 == 0) == (owner == A));
        join_all(mine.map(|shard| leases.put(shard, owner, None))).await
    };
    let (ours, theirs) = tokio::join!(put(A), put(B));
    assert!(ours.iter().chain(&theirs).all(Result::is_ok));
    for leases in [&a, &b] {
        let all = until(leases, |all| all.len() == 256).await;
        assert!(all.iter().all(|(shard, lease)| (lease.owner == A) == (shard % 2 == 0)));
    }
}
