//! Appending, reading, finding, and every way to be refused.

use std::sync::Arc;

use domain::{
    at::At,
    ports::Append,
    rows::Topic,
    stream::{Head, Recorded},
};

use crate::kit::{Store, append, command, event, own, row, session, word};

pub(crate) async fn what_is_appended_is_read(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    store.append(append(stream, epoch, 0, 3)).await.unwrap();
    store.append(append(stream, epoch, 3, 2)).await.unwrap();
    let events: Vec<_> = (1..=5).map(event).collect();
    assert_eq!(store.read(stream, 0, 100).await.unwrap(), events);
    assert_eq!(store.read(stream, 3, 100).await.unwrap(), events[3..]);
}

pub(crate) async fn a_stream_nobody_wrote_to_is_empty(store: Arc<impl Store>) {
    assert_eq!(store.head(session(1)).await.unwrap(), Head::default());
    assert_eq!(store.read(session(1), 0, 10).await.unwrap(), []);
    assert_eq!(store.find(session(1), "node", command(1)).await.unwrap(), None);
    assert_eq!(store.snapshot(session(1), 1).await.unwrap(), None);
}

pub(crate) async fn a_wrong_place_is_a_conflict(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    assert_eq!(word(store.append(append(stream, epoch, 4, 1)).await), "conflict");
    store.append(append(stream, epoch, 0, 2)).await.unwrap();
    assert_eq!(word(store.append(append(stream, epoch, 1, 1)).await), "conflict");
    assert_eq!(word(store.append(append(stream, epoch, 0, 1)).await), "conflict");
    assert_eq!(word(store.append(append(stream, epoch, 3, 1)).await), "conflict");
    assert_eq!(store.read(stream, 0, 10).await.unwrap().len(), 2);
}

pub(crate) async fn another_epoch_is_fenced(store: Arc<impl Store>) {
    let stream = session(1);
    let before = own(&*store, stream).await;
    let epoch = own(&*store, stream).await;
    assert_eq!(word(store.append(append(stream, before, 0, 1)).await), "fenced");
    assert_eq!(word(store.append(append(stream, epoch + 1, 0, 1)).await), "fenced");
    assert_eq!(store.head(stream).await.unwrap(), Head::default());
    assert_eq!(word(store.append(append(stream, epoch, 0, 1)).await), "ok");
}

pub(crate) async fn a_command_is_stored_once(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    store.append(append(stream, epoch, 0, 3)).await.unwrap();
    let mut again = append(stream, epoch, 3, 2);
    again.events[1].command_id = command(2);
    assert_eq!(word(store.append(again).await), "duplicate of 2");
    assert_eq!(store.head(stream).await.unwrap().seq, 3);
    assert_eq!(store.read(stream, 3, 10).await.unwrap(), []);
    assert_eq!(word(store.append(append(stream, epoch, 3, 1)).await), "ok");
}

pub(crate) async fn another_event_of_the_same_command_is_no_duplicate(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    let both = |expected_seq: u64, first_n: u16| {
        let mut append = append(stream, epoch, expected_seq, 2);
        for (n, event) in (first_n..).zip(&mut append.events) {
            event.n = n;
            event.command_id = command(7);
        }
        append
    };
    store.append(both(0, 0)).await.unwrap();
    store.append(both(2, 2)).await.unwrap();
    assert_eq!(store.find(stream, "node", command(7)).await.unwrap(), Some(4));
    assert_eq!(word(store.append(both(4, 1)).await), "duplicate of 4");
}

pub(crate) async fn the_same_id_from_another_origin_is_no_duplicate(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    store.append(append(stream, epoch, 0, 1)).await.unwrap();
    let mut other = append(stream, epoch, 1, 1);
    other.events[0].command_id = command(1);
    other.events[0].origin = "campaign.7".into();
    store.append(other).await.unwrap();
    assert_eq!(store.find(stream, "node", command(1)).await.unwrap(), Some(1));
    assert_eq!(store.find(stream, "campaign.7", command(1)).await.unwrap(), Some(2));
    let elsewhere = session(2);
    let epoch = own(&*store, elsewhere).await;
    assert_eq!(word(store.append(append(elsewhere, epoch, 0, 1)).await), "ok");
}

pub(crate) async fn the_reasons_have_an_order(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    store.append(append(stream, epoch, 0, 2)).await.unwrap();
    let all_wrong = append(stream, epoch - 1, 0, 1);
    assert_eq!(word(store.append(all_wrong.clone()).await), "fenced");
    assert_eq!(word(store.append(Append { epoch, ..all_wrong.clone() }).await), "conflict");
    store.erase(stream, At(1)).await.unwrap();
    assert_eq!(word(store.append(all_wrong).await), "gone");
}

pub(crate) async fn any_bytes_come_back_the_same(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    let long = "x".repeat(70_000);
    let bodies: [&[u8]; 5] =
        [b"a\0b", "für \u{1F600} 你好".as_bytes(), b"", b"\xff\xfe\x00", long.as_bytes()];
    let mut all = append(stream, epoch, 0, 5);
    for (event, body) in all.events.iter_mut().zip(bodies) {
        event.body = body.to_vec().into();
        event.kind = "Größe \"'\\".into();
    }
    let topic = Topic::Of(stream);
    let odd = row(topic, "odd", 1);
    all.rows = bodies
        .iter()
        .enumerate()
        .map(|(i, body)| {
            let mut odd = odd.clone();
            odd.key = format!("{i} 'ö\0{i}");
            odd.value = Some(body.to_vec().into());
            odd
        })
        .collect();
    store.append(all.clone()).await.unwrap();
    assert_eq!(store.read(stream, 0, 10).await.unwrap(), all.events);
    for change in &all.rows {
        let row = store.row(topic, &change.key).await.unwrap().unwrap();
        assert_eq!((row.key, row.value), (change.key.clone(), change.value.clone()));
    }
}

pub(crate) async fn reading_goes_page_by_page(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    store.append(append(stream, epoch, 0, 25)).await.unwrap();
    let mut seqs = vec![];
    loop {
        let after = seqs.last().copied().unwrap_or_default();
        let page: Vec<Recorded> = store.read(stream, after, 10).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 10);
        seqs.extend(page.iter().map(|event| event.seq));
    }
    assert_eq!(seqs, (1..=25).collect::<Vec<_>>());
    assert_eq!(store.read(stream, 0, 0).await.unwrap(), []);
}

pub(crate) async fn finding_a_command(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    store.append(append(stream, epoch, 0, 3)).await.unwrap();
    assert_eq!(store.find(stream, "node", command(2)).await.unwrap(), Some(2));
    assert_eq!(store.find(stream, "node", command(9)).await.unwrap(), None);
    assert_eq!(store.find(stream, "campaign.1", command(2)).await.unwrap(), None);
    assert_eq!(store.find(session(2), "node", command(2)).await.unwrap(), None);
}
