//! The data directory: whose it is, what it keeps, who may read it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use domain::{
    at::At,
    ports::{EventStore, Shards},
};
use sqlx::{Connection, SqliteConnection};
use storage::sqlite::{OpenError, Options, Sqlite};

use crate::kit::{append, is_away, own, session};

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(dir.path(), Options::default()).await.unwrap();
    let epoch = own(&*store, session(1)).await;
    store.append(append(session(1), epoch, 0)).await.unwrap();
    let events = store.read(session(1), 0, 10).await.unwrap();
    store.close().await;
    drop(store);

    let store = Sqlite::open(dir.path(), Options::default()).await.unwrap();
    assert_eq!(store.read(session(1), 0, 10).await.unwrap(), events);
    let lost = store.alive(&[(session(1).shard(), epoch)], &[], At(1)).await.unwrap();
    assert!(lost.is_empty());
    store.append(append(session(1), epoch, 1)).await.unwrap();
    drop(store);

    let store = Sqlite::open(dir.path(), Options::default()).await.unwrap();
    assert_eq!(store.head(session(1)).await.unwrap().seq, 2);
    store.close().await;
}

#[tokio::test]
async fn closing_finishes_what_waits_and_refuses_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(dir.path(), Options::default()).await.unwrap();
    let epoch = own(&*store, session(1)).await;
    let (answer, ()) = tokio::join!(store.append(append(session(1), epoch, 0)), store.close());
    answer.unwrap();
    assert!(is_away(&store.append(append(session(1), epoch, 1)).await));
    assert!(store.read(session(1), 0, 1).await.is_err());
    store.close().await;
}

#[tokio::test]
async fn a_second_server_is_told_who_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(dir.path(), Options::default()).await.unwrap();
    let refusal = Sqlite::open(dir.path(), Options::default()).await.unwrap_err();
    assert!(matches!(refusal, OpenError::Running { .. }));
    let (shown, process) = (dir.path().display(), std::process::id());
    let words = format!("another Polycode is running on {shown} (process {process})");
    assert_eq!(refusal.to_string(), words);
    store.close().await;
}

#[tokio::test]
async fn only_its_owner_may_read_the_data() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("some/data");
    let store = Sqlite::open(&data, Options::default()).await.unwrap();
    own(&*store, session(1)).await;
    assert_eq!(mode(&data), 0o700);
    for file in fs::read_dir(&data).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    store.close().await;
}

#[tokio::test]
async fn tables_of_a_newer_version_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    Sqlite::open(dir.path(), Options::default()).await.unwrap().close().await;
    set_version(dir.path(), 7, 1).await;
    Sqlite::open(dir.path(), Options::default()).await.unwrap().close().await;
    set_version(dir.path(), 7, 7).await;
    let refusal = Sqlite::open(dir.path(), Options::default()).await.unwrap_err();
    assert!(refusal.to_string().contains("written by a newer Polycode"), "{refusal}");
}

async fn set_version(dir: &Path, version: i64, oldest: i64) {
    let path = format!("sqlite://{}", dir.join("polycode.db").display());
    let mut on = SqliteConnection::connect(&path).await.unwrap();
    let update = sqlx::query("UPDATE version SET version = ?1, oldest = ?2");
    update.bind(version).bind(oldest).execute(&mut on).await.unwrap();
    on.close().await.unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
