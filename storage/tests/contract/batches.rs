//! Many appends at the same time, as a store that commits them together gets them.

use std::sync::Arc;

use domain::{
    at::At,
    ids::{CampaignId, SessionId},
    ports::Append,
    rows::Topic,
    stream::Stream,
};
use tokio::task::JoinSet;

use crate::kit::{Store, append, command, own_all, row, session, with_rows, word};

pub(crate) async fn each_append_of_a_batch_is_answered_alone(store: Arc<impl Store>) {
    let epoch = own_all(&*store).await;
    let mut asked = vec![];
    for n in 0..10 {
        for (kind, stream) in (0..).zip((0..7).map(|kind| session(n * 10 + kind))) {
            asked.push(prepare(&*store, epoch, kind, stream).await);
        }
    }
    let mut tasks = JoinSet::new();
    for (append, expected) in asked {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let seq = append.events.last().unwrap().seq;
            let stream = append.stream;
            let body = append.events.last().unwrap().body.clone();
            assert_eq!(word(store.append(append).await), expected);
            if expected == "ok" {
                assert_eq!(store.read(stream, seq - 1, 10).await.unwrap()[0].body, body);
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

/// A stream with some past, an append to it, and how that must be answered.
async fn prepare(
    store: &impl Store,
    epoch: u64,
    kind: u8,
    stream: Stream,
) -> (Append, &'static str) {
    store.append(append(stream, epoch, 0, 2)).await.unwrap();
    let mut next = append(stream, epoch, 2, 1);
    let answer = match kind {
        0 => {
            next.epoch -= 1;
            "fenced"
        }
        1 => {
            next = append(stream, epoch, 1, 1);
            "conflict"
        }
        2 => {
            next.events[0].command_id = command(1);
            "duplicate of 1"
        }
        3 => {
            store.erase(stream, At(1)).await.unwrap();
            "gone"
        }
        4 => {
            next.events[0].body = "a\0b \u{1F600}".into();
            "ok"
        }
        5 => {
            let new = Stream::Session(SessionId::derived(&stream.to_string()));
            return (append(new, epoch, 0, 2), "ok");
        }
        _ => "ok",
    };
    (next, answer)
}

pub(crate) async fn two_streams_write_the_same_row(store: Arc<impl Store>) {
    let topic = Topic::Candidates(CampaignId::from_u128(1));
    let epoch = own_all(&*store).await;
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        let store = Arc::clone(&store);
        let append = with_rows(session(n.into()), epoch, 0, vec![row(topic, "one", n)]);
        tasks.spawn(async move { store.append(append).await.unwrap() });
    }
    tasks.join_all().await;
    assert!(store.row(topic, "one").await.unwrap().is_some());
}

pub(crate) async fn many_streams_at_once(store: Arc<impl Store>) {
    let mut tasks = JoinSet::new();
    let epoch = own_all(&*store).await;
    for n in 0..300 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for seq in 0..5 {
                store.append(append(session(n), epoch, seq, 1)).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    for n in 0..300 {
        assert_eq!(store.read(session(n), 0, 100).await.unwrap().len(), 5);
    }
}
