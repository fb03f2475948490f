//! The stores with faults do what they are told.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::ports::EventStore;
use storage::{
    flaky::{Fault, Flaky},
    forgetful::Forgetful,
    memory::Memory,
};
use tokio::{task::JoinSet, time::Instant};

use crate::kit::{append, is_away, own, session};

#[tokio::test(start_paused = true)]
async fn each_append_meets_the_fault_of_its_number() {
    let memory = Arc::new(Memory::new());
    let epoch = own(&*memory, session(1)).await;
    let second = Duration::from_secs(1);
    let plan = BTreeMap::from([
        (0, Fault::Fail),
        (2, Fault::LoseAnswer),
        (3, Fault::Delay(second)),
        (4, Fault::DelayAnswer(second)),
    ]);
    let flaky = Flaky::new(Arc::clone(&memory), plan);
    let start = Instant::now();
    assert!(is_away(&flaky.append(append(session(1), epoch, 0)).await));
    assert_eq!(memory.head(session(1)).await.unwrap().seq, 0);
    flaky.append(append(session(1), epoch, 0)).await.unwrap();
    assert!(is_away(&flaky.append(append(session(1), epoch, 1)).await));
    assert_eq!(memory.head(session(1)).await.unwrap().seq, 2);
    flaky.append(append(session(1), epoch, 2)).await.unwrap();
    flaky.append(append(session(1), epoch, 3)).await.unwrap();
    assert_eq!(start.elapsed(), second * 2);
    assert_eq!(flaky.appends(), 5);
}

#[tokio::test]
async fn a_store_that_is_away_answers_nothing() {
    let memory = Arc::new(Memory::new());
    let epoch = own(&*memory, session(1)).await;
    let flaky = Flaky::new(memory, BTreeMap::new());
    flaky.set_away(true);
    assert!(is_away(&flaky.append(append(session(1), epoch, 0)).await));
    assert!(flaky.read(session(1), 0, 1).await.is_err());
    flaky.set_away(false);
    flaky.append(append(session(1), epoch, 0)).await.unwrap();
    assert_eq!(flaky.appends(), 1);
}

#[tokio::test]
async fn a_crash_takes_nothing_back_that_was_answered() {
    let store = Arc::new(Forgetful::honest());
    let mut tasks = JoinSet::new();
    for n in 0..40 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            if n % 10 == 9 {
                store.crash();
            }
            let stream = session(n);
            (stream, store.append(append(stream, 0, 0)).await)
        });
    }
    let answers = tasks.join_all().await;
    store.crash();
    let mut lost = 0;
    for (stream, answer) in answers {
        let seq = store.head(stream).await.unwrap().seq;
        match answer {
            Ok(()) => assert_eq!(seq, 1),
            Err(_) => lost += 1,
        }
    }
    assert!(lost > 0, "no crash came at a bad moment");
}

#[tokio::test]
async fn a_dishonest_store_is_found_out() {
    let store = Forgetful::dishonest();
    let epoch = own(&store, session(1)).await;
    store.sync();
    store.append(append(session(1), epoch, 0)).await.unwrap();
    assert_eq!(store.head(session(1)).await.unwrap().seq, 1);
    store.crash();
    assert_eq!(store.head(session(1)).await.unwrap().seq, 0);
}
