//! A disk that is full, and an append that no table takes.

use std::path::Path;

use domain::{
    at::At,
    ports::{Append, AppendError, Blobs, EventStore, Shards},
    stream::Stream,
};
use sqlx::{Connection, SqliteConnection};
use storage::sqlite::{Options, Sqlite};
use tokio::task::JoinSet;

use crate::kit::{append, is_away, session};

#[tokio::test]
async fn a_full_disk_is_said_and_got_over() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { pages_max: Some(200), ..Options::default() };
    let store = Sqlite::open(dir.path(), options).await.unwrap();
    let (big, small) = (session(1), session(2));
    store.append(append(small, 0, 0)).await.unwrap();
    let mut seq = 0;
    let refusal = loop {
        match store.append(fat(big, seq)).await {
            Ok(()) => seq += 1,
            Err(refusal) => break refusal,
        }
    };
    let is_full = matches!(&refusal, AppendError::Unavailable(why) if why.is_disk_full());
    assert!(is_full && refusal.to_string().contains("the disk is full"), "{refusal}");
    assert_eq!(store.head(big).await.unwrap().seq, seq);
    assert_eq!(store.read(big, 0, 1_000).await.unwrap().len() as u64, seq);
    assert!(is_away(&store.append(fat(small, 1)).await));

    store.erase(big, At(1)).await.unwrap();
    store.append(fat(small, 1)).await.unwrap();
    store.append(append(small, 0, 2)).await.unwrap();
    assert_eq!(store.head(small).await.unwrap().seq, 3);
    store.close().await;
}

#[tokio::test]
async fn the_guilty_append_of_a_batch_is_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(dir.path(), Options::default()).await.unwrap();
    poison(dir.path()).await;
    let mut tasks = JoinSet::new();
    for n in 0..50 {
        let mut append = append(session(n), 0, 0);
        if n % 17 == 3 {
            append.events[0].kind = "Poison".into();
        }
        let store = store.clone();
        tasks.spawn(async move { (n, store.append(append).await) });
    }
    for (n, answer) in tasks.join_all().await {
        assert_eq!(is_away(&answer), n % 17 == 3, "{n}: {answer:?}");
        let seq = store.head(session(n)).await.unwrap().seq;
        assert_eq!(seq, u64::from(answer.is_ok()));
    }
    store.close().await;
}

#[tokio::test]
async fn another_write_that_breaks_a_rule_is_alone_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(dir.path(), Options::default()).await.unwrap();
    poison(dir.path()).await;
    let (bad, good, appended, taken) = tokio::join!(
        store.put("poison".into()),
        store.put("food".into()),
        store.append(append(session(1), 0, 0)),
        store.take(session(2).shard() + 1, "test", At(0)),
    );
    assert!(bad.unwrap_err().to_string().contains("poison"));
    assert!(store.get(&good.unwrap().sha256).await.unwrap().is_some());
    assert_eq!((appended.is_ok(), taken.unwrap()), (true, 1));
    assert_eq!(store.head(session(1)).await.unwrap().seq, 1);
    store.close().await;
}

/// Has the tables refuse some events and one blob, as a rule does that nobody thought of.
async fn poison(dir: &Path) {
    let path = format!("sqlite://{}", dir.join("polycode.db").display());
    let mut on = SqliteConnection::connect(&path).await.unwrap();
    let trigger = "CREATE TRIGGER poison BEFORE INSERT ON events WHEN new.kind = 'Poison'
                   BEGIN SELECT raise(ABORT, 'poison'); END";
    sqlx::query(trigger).execute(&mut on).await.unwrap();
    let trigger =
        "CREATE TRIGGER poison_blob BEFORE INSERT ON blobs WHEN new.bytes = x'706f69736f6e'
                   BEGIN SELECT raise(ABORT, 'poison'); END";
    sqlx::query(trigger).execute(&mut on).await.unwrap();
    on.close().await.unwrap();
}

fn fat(stream: Stream, expected_seq: u64) -> Append {
    let mut append = append(stream, 0, expected_seq);
    append.events[0].body = vec![b'x'; 20_000].into();
    append
}
