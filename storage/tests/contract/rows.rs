//! Rows: written with their events, read by pages.

use std::sync::Arc;

use domain::{
    ids::CampaignId,
    ports::{Append, Row, RowQuery},
    rows::{RowChange, Topic},
};

use crate::kit::{Store, append, own, row, session, with_rows, word};

const TOPIC: Topic = Topic::Candidates(CampaignId::from_u128(1));

pub(crate) async fn rows_are_read_by_key(store: Arc<impl Store>) {
    let (stream, epoch) = ours(&*store).await;
    let rows = vec![row(TOPIC, "b", 2), row(TOPIC, "a", 1), row(TOPIC, "ä", 3)];
    store.append(Append { rows, ..append(stream, epoch, 0, 3) }).await.unwrap();
    let read = store.rows(all()).await.unwrap();
    assert_eq!(read, [kept("a", 3, "1"), kept("b", 3, "2"), kept("ä", 3, "3")]);
    assert_eq!(store.row(TOPIC, "b").await.unwrap(), Some(kept("b", 3, "2")));
    assert_eq!(store.row(TOPIC, "c").await.unwrap(), None);
}

pub(crate) async fn the_later_change_of_an_append_wins(store: Arc<impl Store>) {
    let (stream, epoch) = ours(&*store).await;
    let rows = vec![
        row(TOPIC, "a", 1),
        row(TOPIC, "a", 2),
        RowChange::remove(TOPIC, "b"),
        row(TOPIC, "b", 3),
        row(TOPIC, "c", 4),
        RowChange::remove(TOPIC, "c"),
    ];
    store.append(with_rows(stream, epoch, 0, rows)).await.unwrap();
    assert_eq!(store.rows(all()).await.unwrap(), [kept("a", 1, "2"), kept("b", 1, "3")]);
    store.append(with_rows(stream, epoch, 1, vec![row(TOPIC, "a", 9)])).await.unwrap();
    assert_eq!(store.row(TOPIC, "a").await.unwrap(), Some(kept("a", 2, "9")));
}

pub(crate) async fn a_removed_row_is_a_tombstone(store: Arc<impl Store>) {
    let (stream, epoch) = ours(&*store).await;
    store.append(with_rows(stream, epoch, 0, vec![row(TOPIC, "a", 1)])).await.unwrap();
    store.append(with_rows(stream, epoch, 1, vec![RowChange::remove(TOPIC, "a")])).await.unwrap();
    assert_eq!(store.row(TOPIC, "a").await.unwrap(), None);
    assert_eq!(store.rows(all()).await.unwrap(), []);
    let changed = store.rows(RowQuery { changed_after: Some(0), ..all() }).await.unwrap();
    assert_eq!(changed, [Row { key: "a".into(), seq: 2, value: None }]);
}

pub(crate) async fn changed_rows_include_tombstones(store: Arc<impl Store>) {
    let (stream, epoch) = ours(&*store).await;
    for (seq, change) in (0..).zip([
        row(TOPIC, "a", 1),
        row(TOPIC, "b", 2),
        RowChange::remove(TOPIC, "c"),
        row(TOPIC, "d", 4),
    ]) {
        store.append(with_rows(stream, epoch, seq, vec![change])).await.unwrap();
    }
    let changed = async |after| {
        let query = RowQuery { changed_after: Some(after), ..all() };
        let rows = store.rows(query).await.unwrap();
        rows.into_iter().map(|row| row.key).collect::<Vec<_>>()
    };
    assert_eq!(changed(0).await, ["a", "b", "c", "d"]);
    assert_eq!(changed(2).await, ["c", "d"]);
    assert_eq!(changed(4).await, [""; 0]);
}

pub(crate) async fn rows_go_page_by_page(store: Arc<impl Store>) {
    let (stream, epoch) = ours(&*store).await;
    let rows = (0..25).map(|n| row(TOPIC, &format!("{n:02}"), n)).collect();
    store.append(with_rows(stream, epoch, 0, rows)).await.unwrap();
    for changed_after in [None, Some(0)] {
        let mut keys: Vec<String> = vec![];
        loop {
            let after_key = keys.last().cloned();
            let page = store.rows(RowQuery { after_key, changed_after, limit: 10, ..all() }).await;
            let page = page.unwrap();
            keys.extend(page.iter().map(|row| row.key.clone()));
            if page.len() < 10 {
                break;
            }
        }
        assert_eq!(keys, (0..25).map(|n| format!("{n:02}")).collect::<Vec<_>>());
    }
}

pub(crate) async fn topics_are_apart(store: Arc<impl Store>) {
    let (stream, epoch) = ours(&*store).await;
    let topics = [TOPIC, Topic::Contents, Topic::Of(stream), Topic::Of(session(2))];
    let rows = (0..).zip(topics).map(|(n, topic)| row(topic, "a", n)).collect();
    store.append(with_rows(stream, epoch, 0, rows)).await.unwrap();
    for (n, topic) in (0..).zip(topics) {
        let read = store.rows(RowQuery { topic, ..all() }).await.unwrap();
        assert_eq!(read, [kept("a", 1, &i32::to_string(&n))]);
    }
}

pub(crate) async fn a_refused_append_writes_no_row(store: Arc<impl Store>) {
    let (stream, epoch) = ours(&*store).await;
    let late = with_rows(stream, epoch, 4, vec![row(TOPIC, "a", 1)]);
    assert_eq!(word(store.append(late).await), "conflict");
    let fenced = with_rows(stream, epoch - 1, 0, vec![row(TOPIC, "a", 1)]);
    assert_eq!(word(store.append(fenced).await), "fenced");
    assert_eq!(store.rows(all()).await.unwrap(), []);
}

async fn ours(store: &impl Store) -> (domain::stream::Stream, u64) {
    (session(1), own(store, session(1)).await)
}

fn all() -> RowQuery {
    RowQuery { topic: TOPIC, after_key: None, changed_after: None, limit: 100 }
}

fn kept(key: &str, seq: u64, value: &str) -> Row {
    Row { key: key.into(), seq, value: Some(value.to_owned().into()) }
}
