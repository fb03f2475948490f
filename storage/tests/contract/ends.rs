//! What becomes of a stream in the end: packed, or erased.

use std::sync::Arc;

use domain::{
    at::At,
    ids::SubmissionId,
    ports::{Append, RowQuery, Snapshot},
    rows::Topic,
    stream::{Head, Stream},
};

use crate::kit::{Store, append, command, event, own, row, session, word};

pub(crate) async fn a_compacted_stream_reads_the_same(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    let rows = vec![row(Topic::Of(stream), "status", 1)];
    store.append(Append { rows, ..append(stream, epoch, 0, 30) }).await.unwrap();
    let body = "{}".into();
    store.save_snapshot(stream, Snapshot { seq: 30, schema: 1, body }).await.unwrap();
    store.compact(stream, epoch).await.unwrap();
    let events: Vec<_> = (1..=30).map(event).collect();
    assert_eq!(store.read(stream, 0, 100).await.unwrap(), events);
    assert_eq!(store.read(stream, 10, 5).await.unwrap(), events[10..15]);
    assert_eq!(store.read(stream, 30, 5).await.unwrap(), []);
    assert_eq!(store.find(stream, "node", command(7)).await.unwrap(), Some(7));
    assert_eq!(
        store.head(stream).await.unwrap(),
        Head { seq: 30, rows_seq: 30, ..Head::default() }
    );
    assert_eq!(store.snapshot(stream, 1).await.unwrap(), None);
    assert!(store.row(Topic::Of(stream), "status").await.unwrap().is_some());
}

pub(crate) async fn a_compacted_stream_goes_on(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    store.append(append(stream, epoch, 0, 10)).await.unwrap();
    store.compact(stream, epoch).await.unwrap();
    store.compact(stream, epoch).await.unwrap();
    let mut again = append(stream, epoch, 10, 1);
    again.events[0].command_id = command(3);
    assert_eq!(word(store.append(again).await), "duplicate of 3");
    store.append(append(stream, epoch, 10, 5)).await.unwrap();
    let events: Vec<_> = (1..=15).map(event).collect();
    assert_eq!(store.read(stream, 0, 100).await.unwrap(), events);
    assert_eq!(store.read(stream, 8, 4).await.unwrap(), events[8..12]);
    store.compact(stream, epoch).await.unwrap();
    assert_eq!(store.read(stream, 0, 100).await.unwrap(), events);
    assert_eq!(store.read(stream, 8, 4).await.unwrap(), events[8..12]);
}

pub(crate) async fn a_long_stream_is_read_across_segments(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    store.append(append(stream, epoch, 0, 2_500)).await.unwrap();
    store.compact(stream, epoch).await.unwrap();
    let events: Vec<_> = (1..=2_500).map(event).collect();
    assert_eq!(store.read(stream, 0, 5_000).await.unwrap(), events);
    assert_eq!(store.read(stream, 990, 20).await.unwrap(), events[990..1_010]);
    assert_eq!(store.read(stream, 500, 1_600).await.unwrap(), events[500..2_100]);
}

pub(crate) async fn compacting_needs_the_epoch(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    assert_eq!(word(store.compact(stream, epoch).await), "ok");
    store.append(append(stream, epoch, 0, 10)).await.unwrap();
    assert_eq!(word(store.compact(stream, epoch - 1).await), "fenced");
    store.erase(stream, At(1)).await.unwrap();
    assert_eq!(word(store.compact(stream, epoch).await), "gone");
}

pub(crate) async fn an_erased_stream_is_gone(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    let topic = Topic::Of(stream);
    let rows = vec![row(topic, "status", 1), row(Topic::Contents, "a", 1)];
    let first = Append { rows, untold: Some(1), ..append(stream, epoch, 0, 10) };
    store.append(first).await.unwrap();
    store.compact(stream, epoch).await.unwrap();
    store.append(append(stream, epoch, 10, 5)).await.unwrap();
    let body = "{}".into();
    store.save_snapshot(stream, Snapshot { seq: 15, schema: 1, body }).await.unwrap();
    store.erase(stream, At(99)).await.unwrap();
    store.erase(stream, At(100)).await.unwrap();
    assert_eq!(word(store.head(stream).await.map(|_| ())), "gone");
    assert_eq!(word(store.append(append(stream, epoch, 15, 1)).await), "gone");
    assert_eq!(word(store.append(append(stream, epoch, 0, 1)).await), "gone");
    assert_eq!(store.read(stream, 0, 100).await.unwrap(), []);
    assert_eq!(store.find(stream, "node", command(3)).await.unwrap(), None);
    assert_eq!(store.due(At(1), None, 10).await.unwrap(), []);
    let body = "{}".into();
    store.save_snapshot(stream, Snapshot { seq: 15, schema: 1, body }).await.unwrap();
    assert_eq!(store.snapshot(stream, 1).await.unwrap(), None);
    let query = RowQuery { topic, after_key: None, changed_after: Some(0), limit: 10 };
    assert_eq!(store.rows(query).await.unwrap(), []);
    assert!(store.row(Topic::Contents, "a").await.unwrap().is_some());
}

pub(crate) async fn a_submission_that_is_erased_waits_no_more(store: Arc<impl Store>) {
    let (one, other) = (SubmissionId::from_u128(1), SubmissionId::from_u128(2));
    for id in [one, other] {
        let stream = Stream::Submission(id);
        let epoch = own(&*store, stream).await;
        let rows = vec![row(Topic::Queue, &id.to_string(), 1)];
        store.append(Append { rows, ..append(stream, epoch, 0, 1) }).await.unwrap();
    }
    store.erase(Stream::Submission(one), At(1)).await.unwrap();
    assert_eq!(store.row(Topic::Queue, &one.to_string()).await.unwrap(), None);
    assert!(store.row(Topic::Queue, &other.to_string()).await.unwrap().is_some());
}

pub(crate) async fn a_stream_is_erased_before_it_began(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    store.erase(stream, At(1)).await.unwrap();
    assert_eq!(word(store.append(append(stream, epoch, 0, 1)).await), "gone");
}
