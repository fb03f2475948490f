//! Commands: done once, answered alike, admitted or not.

use std::{sync::Arc, time::Duration};

use actors::ask::Meta;
use bytes::Bytes;
use domain::{
    at::Ms,
    command::Answer,
    ids::CommandId,
    ports::{Append, EventStore, Shards},
    stream::{Recorded, Stream},
};
use futures_util::future::join_all;
use storage::flaky::{Fault, Plan};

use crate::{
    kit::{
        create_campaign, create_test, edit, run, save_test, session, settings, sit, start, test,
    },
    world::{World, code, meta, sleep},
};

const ONCE: CommandId = CommandId::from_u128(77);

#[tokio::test(start_paused = true)]
async fn asked_five_times_it_happens_once_and_is_answered_alike() {
    let mut world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    world.done(session(1_000), start()).await;
    let first = world.ask_as(session(1_000), meta(ONCE, true), edit(0, "", "a")).await;
    let Answer::Done { seq, answer, .. } = first.clone() else { panic!("{first:?}") };
    assert_eq!(answer, Some(serde_json::json!({ "rev": 1 })));
    for _ in 0..2 {
        assert_eq!(world.ask_as(session(1_000), meta(ONCE, false), edit(0, "", "a")).await, first);
    }
    // Another owner has to look it up; one that is told that it is new finds out when it appends.
    for is_first in [false, true] {
        world.restart(Plan::new()).await;
        let again = world.ask_as(session(1_000), meta(ONCE, is_first), edit(1, "a", "b")).await;
        let Answer::Done { seq: again_seq, answer: again, .. } = again else { panic!("{again:?}") };
        assert_eq!((again_seq, again), (seq, answer.clone()));
    }
    assert_eq!(world.count(session(1_000), "edited").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_asked_for_again_after_a_restart_names_its_submission() {
    let mut world = World::with_workers(0).await;
    create_campaign(&world, 1, 1, settings()).await;
    sit(&world, 1_000, "right").await;
    let command = || run(domain::session::RunKind::All);
    let first = world.ask_as(session(1_000), meta(ONCE, true), command()).await;
    let Answer::Done { answer: Some(first), .. } = first else { panic!("{first:?}") };
    world.restart(Plan::new()).await;
    let again = world.ask_as(session(1_000), meta(ONCE, false), command()).await;
    let Answer::Done { answer: Some(again), .. } = again else { panic!("{again:?}") };
    assert_eq!(first["submission"], again["submission"]);
}

#[tokio::test(start_paused = true)]
async fn a_command_whose_answer_was_lost_after_the_append_is_answered_as_done() {
    for fault in [Fault::LoseAnswer, Fault::Fail] {
        let mut world = World::new().await;
        create_campaign(&world, 1, 1, settings()).await;
        world.kill().await;
        world.restart(Plan::from([(0, fault)])).await;
        // A start would be refused the second time, were it decided again.
        let answer = world.ask(session(1_000), start()).await;
        assert_eq!(code(&answer), "done", "{fault:?}");
        assert_eq!(world.count(session(1_000), "started").await, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_found_at_append_time_holds_up_none_of_those_beside_it() {
    let mut world = World::new().await;
    world.done(test(1), create_test("A")).await;
    world.ask_as(test(1), meta(ONCE, true), save_test(0, "B")).await;
    // The first append takes a while, so that the others wait together.
    world.restart(Plan::from([(0, Fault::Delay(Duration::from_millis(50)))])).await;
    let first = world.ask(test(1), save_test(1, "C"));
    let others = async {
        sleep(Ms(10)).await;
        let stored = world.ask_as(test(1), meta(ONCE, true), save_test(3, "D"));
        let new = meta(CommandId::from_u128(78), true);
        let new = || world.ask_as(test(1), new, save_test(2, "E"));
        tokio::join!(new(), stored, new())
    };
    let (_, (one, stored, same)) = tokio::join!(first, others);
    assert!(matches!(stored, Answer::Done { seq: 2, .. }), "{stored:?}");
    assert!(matches!(one, Answer::Done { seq: 4, .. }), "{one:?}");
    assert_eq!(one, same);
    assert_eq!(world.kinds(test(1)).await, ["created", "saved", "saved", "saved"]);
}

#[tokio::test(start_paused = true)]
async fn an_owner_whose_append_conflicts_stops_and_the_sender_succeeds_all_the_same() {
    let world = World::new().await;
    let Answer::Done { epoch, .. } = world.ask(test(1), create_test("A")).await else { panic!() };
    let saved = serde_json::json!({"type": "frozen", "version": 1});
    append_behind(&world, test(1), epoch, 1, &saved).await;
    assert_eq!(world.done(test(1), save_test(0, "B")).await, 3);
    assert_eq!(world.kinds(test(1)).await, ["created", "frozen", "saved"]);
}

#[tokio::test(start_paused = true)]
async fn a_fenced_owner_writes_nothing_and_the_sender_is_told_to_try_again() {
    let mut world = World::new().await;
    world.done(test(1), create_test("A")).await;
    world.memory.take(test(1).shard(), "another", world.now()).await.unwrap();
    let answer = world.ask_as(test(1), meta(ONCE, true), save_test(0, "B")).await;
    let Answer::Refused(why) = answer else { panic!("{answer:?}") };
    assert_eq!((why.code.as_str(), why.retry_after_ms.is_some()), ("unavailable", true));
    assert_eq!(world.kinds(test(1)).await, ["created"]);
    world.restart(Plan::new()).await;
    let answer = world.ask_as(test(1), meta(ONCE, false), save_test(0, "B")).await;
    assert!(matches!(answer, Answer::Done { seq: 2, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_remembered_with_its_id() {
    let world = World::new().await;
    let opens_at = Some(world.now() + Ms(5_000));
    create_campaign(&world, 1, 1, domain::campaign::Settings { opens_at, ..settings() }).await;
    let refused = world.ask_as(session(1_000), meta(ONCE, true), start()).await;
    assert_eq!(code(&refused), "not_open_yet");
    sleep(Ms(6_000)).await;
    assert_eq!(world.ask_as(session(1_000), meta(ONCE, false), start()).await, refused);
    assert_eq!(code(&world.ask(session(1_000), start()).await), "done");
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_what_was_refused_is_not_carried_out_by_an_owner_that_knows_nothing_of_it() {
    let mut world = World::new().await;
    let opens_at = Some(world.now() + Ms(5_000));
    create_campaign(&world, 1, 1, domain::campaign::Settings { opens_at, ..settings() }).await;
    let copy = Meta { received_at: Some(world.now()), ..meta(ONCE, true) };
    let refused = world.ask_as(session(1_000), copy, start()).await;
    assert_eq!(code(&refused), "not_open_yet");
    sleep(Ms(6_000)).await;
    world.restart(Plan::new()).await;
    assert_eq!(code(&world.ask_as(session(1_000), copy, start()).await), "unavailable");
    // Whoever still wants it asks anew under the same id.
    let again = Meta { received_at: Some(world.now()), ..meta(ONCE, false) };
    assert_eq!(code(&world.ask_as(session(1_000), again, start()).await), "done");
}

#[tokio::test(start_paused = true)]
async fn commands_that_wait_are_one_append() {
    let mut world = World::new().await;
    world.done(test(1), create_test("A")).await;
    world.restart(Plan::from([(0, Fault::Delay(Duration::from_millis(50)))])).await;
    let asked = (0..40).map(|edition| {
        let (world, title) = (&world, format!("B{edition}"));
        async move {
            sleep(Ms(i64::from(edition))).await;
            world.ask(test(1), save_test(edition, &title)).await
        }
    });
    let answers = join_all(asked).await;
    let seqs: Vec<u64> = answers
        .iter()
        .map(|answer| match answer {
            Answer::Done { seq, .. } => *seq,
            Answer::Refused(why) => panic!("{why:?}"),
        })
        .collect();
    assert_eq!(seqs, (2..42).collect::<Vec<u64>>());
    assert_eq!(world.store.appends(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_busy_stream_takes_64_and_the_clock_still_gets_in() {
    let mut world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    world.done(session(1_000), start()).await;
    let delay = Fault::Delay(Duration::from_millis(500));
    world.restart(Plan::from([(0, Fault::Delay(Duration::from_millis(1))), (1, delay)])).await;
    world.look(id(), |_| ()).await;
    let first = world.ask(session(1_000), edit(0, "", "a"));
    let flood = async {
        sleep(Ms(50)).await;
        join_all((0..65).map(|_| world.ask(session(1_000), crate::kit::hand_in()))).await
    };
    let clock = async {
        sleep(Ms(60)).await;
        let meta = Meta::of_node();
        world.node().directory.ask(session(1_000), meta, crate::kit::expire()).await
    };
    let (first, flood, clock) = tokio::join!(first, flood, clock);
    assert_eq!(code(&first), "done");
    assert_eq!(flood.iter().filter(|answer| code(answer) == "busy").count(), 1);
    assert_eq!(code(flood.last().unwrap()), "busy");
    assert_eq!(code(&clock), "done");
}

#[tokio::test(start_paused = true)]
async fn what_was_erased_refuses_everything_at_once() {
    let world = World::new().await;
    world.done(test(1), create_test("A")).await;
    world.memory.erase(test(1), world.now()).await.unwrap();
    let before = world.now();
    for _ in 0..2 {
        assert_eq!(code(&world.ask(test(1), save_test(0, "B")).await), "gone");
    }
    assert!(world.now() - before < Ms(1_000));
}

#[tokio::test(start_paused = true)]
async fn who_leaves_while_an_owner_starts_blocks_nobody() {
    let world = Arc::new(World::new().await);
    for polls in 0..20 {
        let asked = world.ask(test(1), create_test("A"));
        let mut asked = std::pin::pin!(asked);
        for _ in 0..polls {
            if futures_util::poll!(asked.as_mut()).is_ready() {
                break;
            }
        }
    }
    let before = world.now();
    let answer = world.ask(test(1), save_test(9, "B")).await;
    assert!(["done", "not_found", "changed_elsewhere"].contains(&code(&answer)), "{answer:?}");
    assert!(world.now() - before < Ms(1_000));
}

fn id() -> domain::ids::SessionId {
    crate::kit::id(1_000)
}

/// Writes as another owner would.
pub(crate) async fn append_behind(
    world: &World,
    stream: Stream,
    epoch: u64,
    expected_seq: u64,
    event: &serde_json::Value,
) {
    let recorded = Recorded {
        seq: expected_seq + 1,
        at: world.now(),
        origin: "node".to_owned(),
        command_id: CommandId::random(),
        n: 0,
        kind: event["type"].as_str().unwrap_or_default().to_owned(),
        body: Bytes::from(event.to_string()),
    };
    let (events, rows) = (vec![recorded], vec![]);
    let (wake_at, untold) = (None, None);
    let append = Append { stream, epoch, expected_seq, events, wake_at, untold, rows };
    world.memory.append(append).await.unwrap();
}
