//! Heads, deadlines, what is not yet told, and snapshots.

use std::sync::Arc;

use domain::{
    at::At,
    ports::{Append, Loaded, Snapshot},
    rows::Topic,
    stream::{Head, Stream},
};

use crate::kit::{Store, append, own, row, session, with_rows, word};

pub(crate) async fn the_head_moves_with_each_append(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    let first = Append { wake_at: Some(At(500)), untold: Some(2), ..append(stream, epoch, 0, 2) };
    store.append(first).await.unwrap();
    let head = Head { seq: 2, wake_at: Some(At(500)), untold: Some(2), rows_seq: 0 };
    assert_eq!(store.head(stream).await.unwrap(), head);
    store.append(append(stream, epoch, 2, 1)).await.unwrap();
    assert_eq!(store.head(stream).await.unwrap(), Head { seq: 3, ..Head::default() });
}

pub(crate) async fn only_rows_of_its_own_topic_move_rows_seq(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    let own_row =
        Append { rows: vec![row(Topic::Of(stream), "status", 1)], ..append(stream, epoch, 0, 3) };
    store.append(own_row).await.unwrap();
    store.append(with_rows(stream, epoch, 3, vec![row(Topic::Contents, "a", 1)])).await.unwrap();
    store.append(append(stream, epoch, 4, 1)).await.unwrap();
    let head = store.head(stream).await.unwrap();
    assert_eq!((head.seq, head.rows_seq), (5, 3));
}

pub(crate) async fn telling_moves_the_mark_under_the_fence(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    assert_eq!(word(store.told(stream, epoch, None).await), "conflict");
    store.append(Append { untold: Some(1), ..append(stream, epoch, 0, 3) }).await.unwrap();
    assert_eq!(word(store.told(stream, epoch - 1, None).await), "fenced");
    assert_eq!(store.head(stream).await.unwrap().untold, Some(1));
    store.told(stream, epoch, Some(3)).await.unwrap();
    assert_eq!(store.head(stream).await.unwrap().untold, Some(3));
    store.told(stream, epoch, None).await.unwrap();
    assert_eq!(store.head(stream).await.unwrap(), Head { seq: 3, ..Head::default() });
    store.erase(stream, At(0)).await.unwrap();
    assert_eq!(word(store.told(stream, epoch, None).await), "gone");
}

pub(crate) async fn what_is_untold_is_due_first_then_the_earliest(store: Arc<impl Store>) {
    let heads = [
        (1, Some(30), None),
        (2, Some(10), None),
        (3, Some(20), Some(1)),
        (4, None, None),
        (5, None, Some(1)),
        (6, Some(31), None),
    ];
    for (n, wake_at, untold) in heads {
        let epoch = own(&*store, session(n)).await;
        let wake_at = wake_at.map(At);
        let append = Append { wake_at, untold, ..append(session(n), epoch, 0, 1) };
        store.append(append).await.unwrap();
    }
    let due = async |until, limit| {
        let due = store.due(At(until), None, limit).await.unwrap();
        due.into_iter().map(|(stream, _)| stream).collect::<Vec<_>>()
    };
    let all = [3, 5, 2, 1].map(session);
    assert_eq!(due(30, 10).await, all);
    assert_eq!(due(30, 3).await, all[..3]);
    assert_eq!(due(30, 1).await, all[..1]);
    assert_eq!(due(9, 10).await, all[..2]);
    let (_, head) = store.due(At(30), None, 3).await.unwrap()[2];
    assert_eq!(head, Head { seq: 1, wake_at: Some(At(10)), untold: None, rows_seq: 0 });
    store.erase(session(3), At(0)).await.unwrap();
    assert_eq!(due(9, 10).await, all[1..2]);
}

pub(crate) async fn only_what_is_asked_for_is_due(store: Arc<impl Store>) {
    for (n, untold) in (1..=6).zip([None, Some(1)].into_iter().cycle()) {
        let epoch = own(&*store, session(n)).await;
        let wake_at = Some(At(10));
        store.append(Append { wake_at, untold, ..append(session(n), epoch, 0, 1) }).await.unwrap();
    }
    let due = async |shards: Option<&[u16]>| {
        let due = store.due(At(10), shards, 10).await.unwrap();
        due.into_iter().map(|(stream, _)| stream).collect::<Vec<_>>()
    };
    let all = due(None).await;
    assert_eq!(all, [2, 4, 6, 1, 3, 5].map(session));
    let mine = [1, 2, 5].map(|n| session(n).shard());
    let is_mine = |stream: &Stream| mine.contains(&stream.shard());
    assert_eq!(due(Some(&mine)).await, all.into_iter().filter(is_mine).collect::<Vec<_>>());
    assert_eq!(due(Some(&[])).await, []);
}

pub(crate) async fn a_snapshot_is_read_with_its_own_schema(store: Arc<impl Store>) {
    let stream = session(1);
    store.save_snapshot(stream, snapshot(1, 1, "nobody wrote here")).await.unwrap();
    assert_eq!(store.snapshot(stream, 1).await.unwrap(), None);
    let epoch = own(&*store, stream).await;
    store.append(append(stream, epoch, 0, 5)).await.unwrap();
    store.save_snapshot(stream, snapshot(3, 1, "a\0b")).await.unwrap();
    assert_eq!(store.snapshot(stream, 1).await.unwrap(), Some(snapshot(3, 1, "a\0b")));
    assert_eq!(store.snapshot(stream, 2).await.unwrap(), None);
    store.save_snapshot(stream, snapshot(2, 2, "newer")).await.unwrap();
    assert_eq!(store.snapshot(stream, 1).await.unwrap(), None);
    assert_eq!(store.snapshot(stream, 2).await.unwrap(), Some(snapshot(2, 2, "newer")));
}

pub(crate) async fn a_snapshot_of_before_does_not_win(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    store.append(append(stream, epoch, 0, 5)).await.unwrap();
    store.save_snapshot(stream, snapshot(4, 1, "four")).await.unwrap();
    store.save_snapshot(stream, snapshot(3, 1, "three")).await.unwrap();
    assert_eq!(store.snapshot(stream, 1).await.unwrap(), Some(snapshot(4, 1, "four")));
    store.save_snapshot(stream, snapshot(5, 1, "five")).await.unwrap();
    assert_eq!(store.snapshot(stream, 1).await.unwrap(), Some(snapshot(5, 1, "five")));
}

pub(crate) async fn without_snapshots_nothing_changes(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    store.append(append(stream, epoch, 0, 5)).await.unwrap();
    let before = (store.head(stream).await.unwrap(), store.read(stream, 0, 10).await.unwrap());
    store.save_snapshot(stream, snapshot(5, 1, "{}")).await.unwrap();
    let after = (store.head(stream).await.unwrap(), store.read(stream, 0, 10).await.unwrap());
    assert_eq!(before, after);
    assert_eq!(word(store.append(append(stream, epoch, 5, 1)).await), "ok");
}

pub(crate) async fn what_is_loaded_is_what_is_read(store: Arc<impl Store>) {
    let stream = session(1);
    let read = async |schema, limit| {
        let head = store.head(stream).await.unwrap();
        let snapshot = store.snapshot(stream, schema).await.unwrap();
        let after = snapshot.as_ref().map_or(0, |snapshot: &Snapshot| snapshot.seq);
        Loaded { head, snapshot, events: store.read(stream, after, limit).await.unwrap() }
    };
    let load = async |schema, limit| store.load(stream, schema, limit).await;
    assert_eq!(load(1, 10).await.unwrap(), Loaded::default());
    let epoch = own(&*store, stream).await;
    let (wake_at, untold) = (Some(At(500)), Some(2));
    let rows = vec![row(Topic::Of(stream), "status", 1)];
    let five = Append { wake_at, untold, rows, ..append(stream, epoch, 0, 5) };
    store.append(five).await.unwrap();
    assert_eq!(load(1, 10).await.unwrap(), read(1, 10).await);
    store.save_snapshot(stream, snapshot(3, 1, "three")).await.unwrap();
    let whole = load(1, 10).await.unwrap();
    assert_eq!(whole, read(1, 10).await);
    assert_eq!((whole.head.seq, whole.events.len()), (5, 2));
    assert_eq!(load(1, 1).await.unwrap(), read(1, 1).await);
    assert_eq!(load(2, 10).await.unwrap(), read(2, 10).await, "of another schema");
    store.compact(stream, epoch).await.unwrap();
    store.append(append(stream, epoch, 5, 1)).await.unwrap();
    let packed = load(1, 10).await.unwrap();
    assert_eq!(packed, read(1, 10).await);
    assert_eq!(packed.events.len(), 6);
    store.erase(stream, At(0)).await.unwrap();
    assert_eq!(word(load(1, 10).await.map(|_| ())), "gone");
}

fn snapshot(seq: u64, schema: u32, body: &'static str) -> Snapshot {
    Snapshot { seq, schema, body: body.into() }
}
