//! Backups: taken beside a server that writes, put back elsewhere, and what was erased since.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::{
    at::At,
    ids::{CampaignId, SessionId},
    people::{Contact, HttpSession, Who},
    ports::{Append, AppendError, Blobs, EventStore, People, RowQuery, Shards, Snapshot},
    rows::{RowChange, Topic},
    stream::Stream,
};
use storage::{
    backup::{self, BackupError},
    postgres::Postgres,
    scratch::Scratch,
    sqlite::{Options, Sqlite},
};

use crate::{
    kit::{append, own, session},
    postgres::server,
};

const BLOB: &[u8] = b"a\0b\n\t\\.";

/// Some of everything, in `store`.
async fn fill(store: &(impl EventStore + Shards + Blobs + People)) {
    for n in 1..=20 {
        let epoch = own(store, session(n)).await;
        let row = RowChange::put(Topic::Of(session(n)), "sta\0tus", &n.to_string());
        let mut first = append(session(n), epoch, 0);
        first.events[0].body = BLOB.into();
        store.append(Append { rows: vec![row], ..first }).await.unwrap();
        store.append(append(session(n), epoch, 1)).await.unwrap();
        store.save_contact(contact(n)).await.unwrap();
    }
    let snapshot = Snapshot { seq: 2, schema: 1, body: "{}".into() };
    store.save_snapshot(session(1), snapshot).await.unwrap();
    let epoch = own(store, session(2)).await;
    store.compact(session(2), epoch).await.unwrap();
    store.put(BLOB.into()).await.unwrap();
    let who = Who::Candidate(SessionId::from_u128(3));
    let signed_in =
        HttpSession { token_sha256: "t".into(), who, created_at: At(1), seen_at: At(1) };
    store.save_http_session(signed_in).await.unwrap();
}

fn contact(n: u128) -> Contact {
    Contact {
        session: SessionId::from_u128(n),
        campaign: CampaignId::from_u128(1),
        email: format!("{n}@example.org"),
        name: "Ada\tL\\ovelace\n".into(),
        alias: "x".into(),
    }
}

/// Everything of `n` that its store can say.
async fn all_of(store: &(impl EventStore + People), n: u128) -> String {
    let stream = session(n);
    let (head, events) = (store.head(stream).await, store.read(stream, 0, 10).await);
    let topic = Topic::Of(stream);
    let query = RowQuery { topic, after_key: None, changed_after: None, limit: 9 };
    let rows = store.rows(query).await;
    let snapshot = store.snapshot(stream, 1).await;
    let contact = store.contact(SessionId::from_u128(n)).await;
    format!("{head:?} {events:?} {rows:?} {snapshot:?} {contact:?}")
}

/// Looks at what was restored: all of `before` but session 5, which was erased since.
async fn look(store: &(impl EventStore + Shards + Blobs + People), before: &[String]) {
    for (n, was) in (1..).zip(before) {
        if n == 5 {
            let head = store.head(session(5)).await;
            assert!(matches!(head, Err(AppendError::Gone)), "{head:?}");
            assert_eq!(store.contact(SessionId::from_u128(5)).await.unwrap(), None);
        } else {
            assert_eq!(&all_of(store, n).await, was);
        }
    }
    let blob = domain::blob::sha256_hex(BLOB);
    assert_eq!(store.get(&blob).await.unwrap().unwrap(), BLOB);
    assert!(store.http_session("t").await.unwrap().is_none(), "nobody is signed in");
    let epoch = own(store, session(1)).await;
    assert!(epoch > 1_000_000, "{epoch} is later than any before");
    store.append(append(session(1), epoch, 2)).await.unwrap();
    let epoch = own(store, session(99)).await;
    store.append(append(session(99), epoch, 0)).await.unwrap();
}

async fn before(store: &(impl EventStore + People)) -> Vec<String> {
    let mut all = vec![];
    for n in 1..=20 {
        all.push(all_of(store, n).await);
    }
    all
}

fn silent(_: &str) {}

fn is_refused<T>(answer: Result<T, BackupError>, why: &str) -> bool {
    matches!(answer, Err(BackupError::Refused(words)) if words.contains(why))
}

#[tokio::test]
async fn a_data_directory_is_backed_up_beside_its_server_and_restored() {
    let scratch = tempfile::tempdir().unwrap();
    let (data, new) = (scratch.path().join("data"), scratch.path().join("new"));
    let (file, ledger) = (scratch.path().join("backup"), scratch.path().join("ledger"));
    assert!(is_refused(backup::back_up_sqlite(&data, &file, At(1), &silent).await, "no data"));
    let store = Sqlite::open(&data, Options::default()).await.unwrap();
    fill(&*store).await;
    let was = before(&*store).await;
    backup::back_up_sqlite(&data, &file, At(1), &silent).await.unwrap();
    let again = backup::back_up_sqlite(&data, &file, At(1), &silent).await;
    assert!(is_refused(again, "is there already"));
    store.erase(session(5), At(7)).await.unwrap();
    let erased = backup::erased_in_sqlite(&data).await.unwrap();
    assert_eq!((backup::add(&ledger, &erased).unwrap(), erased.len()), (1, 1));
    assert_eq!(backup::add(&ledger, &erased).unwrap(), 0, "it is there already");
    let running = backup::restore_sqlite(&file, &data, true, vec![], &silent).await;
    assert!(is_refused(running, "another Polycode is running"));

    let erased = backup::read(&ledger).unwrap();
    backup::restore_sqlite(&file, &new, false, erased, &silent).await.unwrap();
    let restored = Sqlite::open(&new, Options::default()).await.unwrap();
    look(&*restored, &was).await;
    restored.close().await;
    drop(restored);
    store.close().await;
    drop(store);
    // Over what is there, whose own erasures count.
    let refused = backup::restore_sqlite(&file, &data, false, vec![], &silent).await;
    assert!(is_refused(refused, "--force destroys"));
    backup::restore_sqlite(&file, &data, true, vec![], &silent).await.unwrap();
    let restored = Sqlite::open(&data, Options::default()).await.unwrap();
    look(&*restored, &was).await;
    restored.close().await;
}

#[tokio::test]
async fn a_damaged_file_restores_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let (data, file) = (scratch.path().join("data"), scratch.path().join("backup"));
    let new = scratch.path().join("new");
    let store = Sqlite::open(&data, Options::default()).await.unwrap();
    fill(&*store).await;
    backup::back_up_sqlite(&data, &file, At(1), &silent).await.unwrap();
    store.close().await;
    damage(&file);
    let refused = backup::restore_sqlite(&file, &new, false, vec![], &silent).await;
    assert!(is_refused(refused, "damaged"));
    std::fs::write(&file, "nothing").unwrap();
    let refused = backup::restore_sqlite(&file, &new, false, vec![], &silent).await;
    assert!(is_refused(refused, "no backup"));
    assert!(!new.exists());
}

/// Turns over the bytes in the middle.
fn damage(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle..middle + 64] {
        *byte = !*byte;
    }
    std::fs::write(file, bytes).unwrap();
}

async fn open(server: &Scratch, schema: &str) -> (storage::postgres::Address, Arc<Postgres>) {
    let address = server.schema(schema).await.unwrap();
    let store = Postgres::open(&address).await.unwrap();
    (address, store)
}

#[tokio::test]
async fn a_database_is_backed_up_beside_its_server_and_restored() {
    let Some(server) = server().await else { return };
    let scratch = tempfile::tempdir().unwrap();
    let file: PathBuf = scratch.path().join("backup");
    let (address, store) = open(&server, "here").await;
    fill(&*store).await;
    let was = before(&*store).await;
    backup::back_up_postgres(&address, &file, At(1), &silent).await.unwrap();
    store.erase(session(5), At(7)).await.unwrap();
    let erased = backup::erased_in_postgres(&address).await.unwrap();
    assert_eq!(erased, [(session(5), At(7))]);
    let running = backup::restore_postgres(&file, &address, true, vec![], &silent).await;
    assert!(is_refused(running, "a Polycode is running"));
    store.close().await;

    let new = server.schema("new").await.unwrap();
    assert!(is_refused(backup::erased_in_postgres(&new).await, "no data"));
    backup::restore_postgres(&file, &new, false, erased, &silent).await.unwrap();
    let restored = Postgres::open(&new).await.unwrap();
    look(&*restored, &was).await;
    restored.close().await;
    // Over what is there, whose own erasures count.
    let refused = backup::restore_postgres(&file, &address, false, vec![], &silent).await;
    assert!(is_refused(refused, "--force destroys"));
    let damaged = scratch.path().join("damaged");
    std::fs::copy(&file, &damaged).unwrap();
    damage(&damaged);
    let refused = backup::restore_postgres(&damaged, &address, true, vec![], &silent).await;
    assert!(is_refused(refused, "damaged"));
    backup::restore_postgres(&file, &address, true, vec![], &silent).await.unwrap();
    let restored = Postgres::open(&address).await.unwrap();
    look(&*restored, &was).await;
    restored.close().await;
}

#[tokio::test]
async fn every_table_of_the_database_is_in_its_backup() {
    let Some(server) = server().await else { return };
    let scratch = tempfile::tempdir().unwrap();
    let (address, store) = open(&server, "here").await;
    store.close().await;
    let told = std::sync::Mutex::new(vec!["http_sessions".to_owned(), "version".to_owned()]);
    let tell = |line: &str| {
        if let Some((table, _)) = line.split_once(": ") {
            told.lock().unwrap().push(table.to_owned());
        }
    };
    let file = scratch.path().join("backup");
    backup::back_up_postgres(&address, &file, At(1), &tell).await.unwrap();
    let mut on = crate::postgres::connect(&server).await;
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'here' ORDER BY 1";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut on).await.unwrap();
    let mut told = told.into_inner().unwrap();
    told.sort();
    assert_eq!(tables, told);
}

#[test]
fn a_damaged_ledger_is_said() {
    let scratch = tempfile::tempdir().unwrap();
    let ledger = scratch.path().join("ledger");
    backup::add(&ledger, &[(session(1), At(5)), (Stream::Session(SessionId::random()), At(6))])
        .unwrap();
    assert_eq!(backup::read(&ledger).unwrap()[0], (session(1), At(5)));
    std::fs::write(&ledger, "5 nobody\n").unwrap();
    let refused = backup::read(&ledger).unwrap_err();
    assert!(refused.to_string().contains("line 1"), "{refused}");
}
