//! Epochs, signs of life, outages.

use std::sync::Arc;

use domain::{
    aggregate::Outage,
    at::At,
    ports::Shard,
    stream::{SHARDS, Stream},
};
use tokio::task::JoinSet;

use crate::kit::{Store, append, session, word};

pub(crate) async fn taking_a_shard_fences_its_owner_before(store: Arc<impl Store>) {
    let stream = session(1);
    let first = store.take(stream.shard(), "a", At(1)).await.unwrap();
    let second = store.take(stream.shard(), "b", At(2)).await.unwrap();
    assert_eq!(second, first + 1);
    assert_eq!(word(store.append(append(stream, first, 0, 1)).await), "fenced");
    assert_eq!(word(store.append(append(stream, second, 0, 1)).await), "ok");
    let other = stream.shard().wrapping_add(1) % 256;
    assert_eq!(store.take(other, "b", At(2)).await.unwrap(), first);
}

pub(crate) async fn a_shard_is_taken_only_as_it_was_seen(store: Arc<impl Store>) {
    let stream: Stream = session(1);
    let (shard, other) = (stream.shard(), (stream.shard() + 1) % SHARDS);
    let first = store.take(shard, "a", At(1_000)).await.unwrap();
    let stale = [(shard, first - 1), (other, 0)];
    assert_eq!(store.take_after(&stale, "b", At(2_000)).await.unwrap(), [(other, 1)]);
    assert_eq!(store.outages(shard, At(0)).await.unwrap(), []);
    assert_eq!(word(store.append(append(stream, first, 0, 1)).await), "ok");
    let seen = [(shard, first), (other, 0)];
    assert_eq!(store.take_after(&seen, "c", At(3_000)).await.unwrap(), [(shard, first + 1)]);
    assert_eq!(store.outages(shard, At(0)).await.unwrap(), [outage(1_000, 3_000)]);
    assert_eq!(word(store.append(append(stream, first, 1, 1)).await), "fenced");
    assert_eq!(store.take_after(&[], "c", At(3_000)).await.unwrap(), []);
}

pub(crate) async fn of_two_who_saw_the_same_one_takes_it(store: Arc<impl Store>) {
    let seen: Vec<_> = (0..SHARDS).map(|shard| (shard, 0)).collect();
    let mut tasks = JoinSet::new();
    for n in 0..4 {
        let (store, seen) = (Arc::clone(&store), seen.clone());
        tasks.spawn(
            async move { store.take_after(&seen, &format!("{n}"), At(n)).await.unwrap().len() },
        );
    }
    assert_eq!(tasks.join_all().await.iter().sum::<usize>(), usize::from(SHARDS));
    assert!(store.shards().await.unwrap().iter().all(|shard| shard.epoch == 1));
}

pub(crate) async fn every_shard_is_seen(store: Arc<impl Store>) {
    let epoch = store.take(3, "a", At(5)).await.unwrap();
    store.alive(&[(3, epoch)], &[], At(7)).await.unwrap();
    let shards = store.shards().await.unwrap();
    assert!(shards.iter().map(|shard| shard.id).eq(0..SHARDS));
    let taken = Shard { id: 3, epoch, owner: Some("a".to_owned()), alive_at: Some(At(7)) };
    assert_eq!(shards[3], taken);
    assert_eq!(shards[4], Shard { id: 4, epoch: 0, owner: None, alive_at: None });
}

pub(crate) async fn an_outage_reaches_from_the_last_sign_of_life(store: Arc<impl Store>) {
    let first = store.take(7, "a", At(1_000)).await.unwrap();
    assert_eq!(store.outages(7, At(0)).await.unwrap(), []);
    assert_eq!(store.alive(&[(7, first)], &[], At(2_000)).await.unwrap(), [0; 0]);
    store.take(7, "b", At(5_000)).await.unwrap();
    store.take(7, "c", At(9_000)).await.unwrap();
    store.take(7, "c", At(9_000)).await.unwrap();
    let outages = [outage(2_000, 5_000), outage(5_000, 9_000)];
    assert_eq!(store.outages(7, At(0)).await.unwrap(), outages);
    assert_eq!(store.outages(8, At(0)).await.unwrap(), []);
}

pub(crate) async fn a_sign_of_life_tells_what_is_lost(store: Arc<impl Store>) {
    let one = store.take(1, "a", At(0)).await.unwrap();
    let two = store.take(2, "a", At(0)).await.unwrap();
    let mine = [(1, one), (2, two)];
    assert_eq!(store.alive(&mine, &[], At(10)).await.unwrap(), [0; 0]);
    store.take(1, "b", At(20)).await.unwrap();
    assert_eq!(store.alive(&mine, &[], At(30)).await.unwrap(), [1]);
    assert_eq!(store.alive(&[], &[], At(30)).await.unwrap(), [0; 0]);
    store.take(1, "c", At(40)).await.unwrap();
    let from = store.outages(1, At(20)).await.unwrap()[0].from;
    assert_eq!(from, At(20), "a lost owner's sign of life counts for nothing");
}

pub(crate) async fn outages_are_read_from_a_moment_on(store: Arc<impl Store>) {
    let epoch = store.take(3, "a", At(5)).await.unwrap();
    for (from, to) in [(30, 40), (10, 20), (10, 20), (50, 50)] {
        let mine = [(3, epoch), (4, epoch)];
        let lost = store.alive(&mine, &[(3, outage(from, to))], At(50)).await.unwrap();
        assert_eq!(lost, [4]);
    }
    let others = [(3, outage(60, 70)), (4, outage(60, 70))];
    for mine in [vec![(3, epoch + 1)], vec![(4, epoch)], vec![]] {
        store.alive(&mine, &others, At(70)).await.unwrap();
    }
    assert_eq!(store.outages(4, At(0)).await.unwrap(), [], "it is nobody's");
    assert_eq!(store.outages(3, At(0)).await.unwrap(), [outage(10, 20), outage(30, 40)]);
    assert_eq!(store.outages(3, At(19)).await.unwrap(), [outage(10, 20), outage(30, 40)]);
    assert_eq!(store.outages(3, At(20)).await.unwrap(), [outage(30, 40)]);
    assert_eq!(store.outages(3, At(40)).await.unwrap(), []);
}

fn outage(from: i64, to: i64) -> Outage {
    Outage { from: At(from), to: At(to) }
}
