//! Owners that fail: their stream is given up, the others go on.

use domain::{at::Ms, command::Answer};
use storage::flaky::Plan;

use crate::{
    commands::append_behind,
    kit::{create_test, save_test, test},
    world::{World, code, sleep},
};

#[tokio::test(start_paused = true)]
async fn a_stream_whose_owner_panics_five_times_is_broken_and_the_others_go_on() {
    let mut world = World::new().await;
    let Answer::Done { epoch, .. } = world.ask(test(1), create_test("A")).await else { panic!() };
    // No version follows this one.
    let document = serde_json::json!({"title": "A", "time_allowed": 1, "questions": []});
    let saved = serde_json::json!({"type": "saved", "version": u32::MAX, "document": document});
    append_behind(&world, test(1), epoch, 1, &saved).await;
    let frozen = serde_json::json!({"type": "frozen", "version": u32::MAX});
    append_behind(&world, test(1), epoch, 2, &frozen).await;
    world.restart(Plan::new()).await;
    assert_eq!(code(&world.ask(test(1), save_test(1, "B")).await), "broken");
    let broken = world.node().directory.broken();
    assert_eq!(broken.iter().map(|(stream, _)| *stream).collect::<Vec<_>>(), [test(1)]);
    assert!(broken[0].1.contains("overflow"), "{broken:?}");
    assert_eq!(code(&world.ask(test(2), create_test("A")).await), "done");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_read_breaks_its_stream_only_and_nobody_wakes_it_again() {
    let world = World::new().await;
    let Answer::Done { epoch, .. } = world.ask(test(1), create_test("A")).await else { panic!() };
    append_behind(&world, test(1), epoch, 1, &serde_json::json!({"type": "never_heard_of"})).await;
    assert_eq!(code(&world.ask(test(1), save_test(0, "B")).await), "broken");
    assert!(world.node().directory.broken()[0].1.contains("event 2"));
    let awake = world.node().directory.awake();
    sleep(Ms(10_000)).await;
    assert_eq!(world.node().directory.awake(), awake);
    assert_eq!(code(&world.ask(test(1), save_test(0, "B")).await), "broken");
    assert_eq!(code(&world.ask(test(2), create_test("A")).await), "done");
}

#[tokio::test(start_paused = true)]
async fn failures_far_apart_do_not_break_a_stream() {
    let world = World::new().await;
    let Answer::Done { epoch, .. } = world.ask(test(1), create_test("A")).await else { panic!() };
    append_behind(&world, test(1), epoch, 1, &serde_json::json!({"type": "never_heard_of"})).await;
    for _ in 0..6 {
        // One who asks and leaves makes one failure.
        let asked = world.ask(test(1), save_test(0, "B"));
        let left = tokio::time::timeout(std::time::Duration::from_millis(90), asked).await;
        assert!(left.is_err());
        sleep(Ms(20_000)).await;
    }
    assert!(world.node().directory.broken().is_empty());
}
