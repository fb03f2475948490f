//! Several nodes on one PostgreSQL database: each writes to shards of its own, and who lost one
//! writes nothing more there.

use std::sync::Arc;

use domain::{
    at::At,
    ids::CommandId,
    ports::{Append, AppendError, EventStore, Shards},
    rows::{RowChange, Topic},
    stream::SHARDS,
};
use sqlx::{AssertSqlSafe, PgConnection};
use storage::{postgres::Postgres, scratch::Scratch};
use tokio::task::JoinSet;

use crate::{
    kit::{append, session},
    postgres::{SCHEMA, connect, server},
};

async fn nodes<const N: usize>(server: &Scratch) -> [Arc<Postgres>; N] {
    let address = server.schema(SCHEMA).await.unwrap();
    let mut nodes = vec![];
    for _ in 0..N {
        nodes.push(Postgres::open(&address).await.unwrap());
    }
    nodes.try_into().unwrap()
}

async fn close<const N: usize>(nodes: [Arc<Postgres>; N]) {
    for node in nodes {
        node.close().await;
    }
}

/// An append by a command that nobody else has.
fn next(n: u128, epoch: u64, expected_seq: u64) -> Append {
    let mut next = append(session(n), epoch, expected_seq);
    next.events[0].command_id = CommandId::random();
    next
}

#[tokio::test]
async fn three_nodes_write_to_their_own_shards_at_once() {
    let Some(server) = server().await else { return };
    let nodes = nodes::<3>(&server).await;
    let mut tasks = JoinSet::new();
    for (nth, node) in (0..).zip(&nodes) {
        let mine: Vec<_> = (nth..SHARDS).step_by(3).map(|shard| (shard, 0)).collect();
        let taken = node.take_after(&mine, &format!("node {nth}"), At(1)).await.unwrap();
        assert!(taken.iter().map(|(shard, _)| *shard).eq(mine.iter().map(|(shard, _)| *shard)));
        for n in (0..120).filter(|n| session(*n).shard() % 3 == nth) {
            let node = Arc::clone(node);
            tasks.spawn(async move {
                for seq in 0..5 {
                    // All nodes write rows of one topic, and one row is everybody's.
                    let rows = [&format!("{n}"), "all"]
                        .map(|key| RowChange::put(Topic::Contents, key, &seq));
                    node.append(Append { rows: rows.into(), ..next(n, 1, seq) }).await.unwrap();
                }
            });
        }
        let (node, mine) = (Arc::clone(node), taken);
        tasks.spawn(async move {
            for at in 2..10 {
                assert_eq!(node.alive(&mine, &[], At(at)).await.unwrap(), [0; 0]);
            }
        });
    }
    tasks.join_all().await;
    for n in 0..120 {
        assert_eq!(nodes[0].read(session(n), 0, 10).await.unwrap().len(), 5, "session {n}");
    }
    for (nth, shard) in nodes[1].shards().await.unwrap().into_iter().enumerate() {
        assert_eq!((shard.epoch, shard.owner), (1, Some(format!("node {}", nth % 3))));
    }
    close(nodes).await;
}

#[tokio::test]
async fn who_lost_a_shard_in_the_middle_of_writing_is_fenced() {
    let Some(server) = server().await else { return };
    let nodes = nodes::<2>(&server).await;
    let [old, new] = &nodes;
    let shard = session(1).shard();
    let epoch = old.take(shard, "old", At(0)).await.unwrap();
    let mut writes = JoinSet::new();
    let by_old = Arc::clone(old);
    writes.spawn(async move {
        for seq in 0.. {
            match by_old.append(next(1, epoch, seq)).await {
                Ok(()) => {}
                Err(AppendError::Fenced) => return seq,
                Err(other) => panic!("{other}"),
            }
        }
        0
    });
    while old.head(session(1)).await.unwrap().seq < 20 {
        tokio::task::yield_now().await;
    }
    let taken = new.take_after(&[(shard, epoch)], "new", At(1)).await.unwrap();
    let seq = new.head(session(1)).await.unwrap().seq;
    assert_eq!(taken, [(shard, epoch + 1)]);
    new.append(next(1, epoch + 1, seq)).await.unwrap();
    let written = writes.join_next().await.unwrap().unwrap();
    assert_eq!(
        written, seq,
        "what was answered is there, and nothing came after the shard was lost"
    );
    assert_eq!(new.head(session(1)).await.unwrap().seq, seq + 1);
    close(nodes).await;
}

/// Waits until somebody waits for a lock, which takes a moment.
async fn somebody_waits(on: &mut PgConnection) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    for _ in 0..20_000 {
        if sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut *on).await.unwrap() > 0 {
            return;
        }
    }
    panic!("nobody waits for a lock");
}

#[tokio::test]
async fn a_shard_is_taken_after_who_is_writing_and_signs_of_life_wait_for_nobody() {
    let Some(server) = server().await else { return };
    let nodes = nodes::<2>(&server).await;
    let [old, new] = &nodes;
    let (shard, other) = (session(1).shard(), (session(1).shard() + 1) % SHARDS);
    let epoch = old.take(shard, "old", At(0)).await.unwrap();
    // As a batch does that goes on for long.
    let mut batch = connect(&server).await;
    let lock = format!("BEGIN; SELECT 1 FROM shards WHERE id = {shard} FOR KEY SHARE");
    sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut batch).await.unwrap();
    assert_eq!(old.alive(&[(shard, epoch)], &[], At(5)).await.unwrap(), [0; 0]);
    old.append(append(session(1), epoch, 0)).await.unwrap();
    let mut waits = JoinSet::new();
    let by_new = Arc::clone(new);
    let seen = [(shard, epoch), (other, 7)];
    waits.spawn(async move { by_new.take_after(&seen, "new", At(6)).await.unwrap() });
    let mut watching = connect(&server).await;
    somebody_waits(&mut watching).await;
    assert_eq!(new.shards().await.unwrap()[usize::from(shard)].epoch, epoch);
    sqlx::query("COMMIT").execute(&mut batch).await.unwrap();
    let taken = waits.join_next().await.unwrap().unwrap();
    assert_eq!(taken, [(shard, epoch + 1)], "the other one was never of epoch 7");
    let outages = new.outages(shard, At(0)).await.unwrap();
    assert_eq!((outages[0].from, outages[0].to), (At(5), At(6)));
    let late = old.append(append(session(1), epoch, 1)).await;
    assert!(matches!(late, Err(AppendError::Fenced)), "{late:?}");
    close(nodes).await;
}

/// An append that waits behind a taking sees the new epoch, though it began before.
#[tokio::test]
async fn an_append_that_waits_for_a_taking_is_fenced() {
    let Some(server) = server().await else { return };
    let nodes = nodes::<1>(&server).await;
    let [old] = &nodes;
    let shard = session(1).shard();
    let epoch = old.take(shard, "old", At(0)).await.unwrap();
    old.append(append(session(1), epoch, 0)).await.unwrap();
    let mut taking = connect(&server).await;
    let take = format!(
        "BEGIN; SELECT 1 FROM shards WHERE id = {shard} FOR UPDATE;
         UPDATE shards SET epoch = epoch + 1 WHERE id = {shard}"
    );
    sqlx::raw_sql(AssertSqlSafe(take)).execute(&mut taking).await.unwrap();
    let (mut appends, by_old) = (JoinSet::new(), Arc::clone(old));
    appends.spawn(async move { by_old.append(next(1, epoch, 1)).await });
    somebody_waits(&mut taking).await;
    sqlx::query("COMMIT").execute(&mut taking).await.unwrap();
    let late = appends.join_next().await.unwrap().unwrap();
    assert!(matches!(late, Err(AppendError::Fenced)), "{late:?}");
    assert_eq!(old.head(session(1)).await.unwrap().seq, 1);
    close(nodes).await;
}

#[tokio::test]
async fn the_clock_of_the_database_is_everybodys() {
    let Some(server) = server().await else { return };
    let nodes = nodes::<1>(&server).await;
    let before = nodes[0].clock().await.unwrap().unwrap();
    let after = nodes[0].clock().await.unwrap().unwrap();
    assert!(At(1_577_836_800_000) < before && before <= after, "past the year 2020: {before:?}");
    close(nodes).await;
}
