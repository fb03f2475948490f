//! Writers that should not both be there.

use std::sync::Arc;

use domain::ids::CommandId;
use tokio::task::JoinSet;

use crate::kit::{Store, append, own, session, word};

pub(crate) async fn one_append_wins_each_place(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut won = 0;
            while won < 10 {
                let seq = store.head(stream).await.unwrap().seq;
                let mut next = append(stream, epoch, seq, 1);
                next.events[0].command_id = CommandId::random();
                match word(store.append(next).await).as_str() {
                    "ok" => won += 1,
                    "conflict" => {}
                    other => panic!("{other}"),
                }
            }
        });
    }
    tasks.join_all().await;
    let seqs: Vec<_> =
        store.read(stream, 0, 1_000).await.unwrap().iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=160).collect::<Vec<_>>());
}

pub(crate) async fn a_new_stream_has_one_first_event(store: Arc<impl Store>) {
    let stream = session(1);
    let epoch = own(&*store, stream).await;
    let mut tasks = JoinSet::new();
    for n in 0..50_u128 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut first = append(stream, epoch, 0, 1);
            first.events[0].command_id = CommandId::from_u128(n);
            word(store.append(first).await)
        });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| *answer == "ok").count(), 1);
    assert_eq!(answers.iter().filter(|answer| *answer == "conflict").count(), 49);
}
