//! Runs that go on at another node than their person is at.

use domain::{
    at::Ms, frame::RowsFrame, ids::SubmissionId, run::Typed, session::RunKind, stream::Stream,
};
use serde_json::Value;

use crate::{
    kit::{create_campaign, run, session, settings, sit, submission},
    world::{World, sleep},
};

/// A world of three nodes in which a candidate has asked for a run of `kind`, and where it goes on.
async fn asked(kind: RunKind) -> (World, SubmissionId, usize) {
    let world = World::of_nodes(3).await;
    create_campaign(&world, 1, 1, settings()).await;
    sit(&world, 1_000, "parrot").await;
    world.done(session(1_000), run(kind)).await;
    world.until(submission(1_000, 0), "taken", 1).await;
    sleep(Ms(100)).await;
    let (which, n) = world.script.places.lock().unwrap()[0];
    (world, which, n)
}

fn texts(frame: &RowsFrame) -> Vec<String> {
    let texts = frame.rows.iter().filter(|(key, _)| key == "0.stdout");
    let text = |value: &Value| value["text"].as_str().unwrap().to_owned();
    texts.map(|(_, row)| text(&serde_json::from_slice(row.as_ref().unwrap()).unwrap())).collect()
}

#[tokio::test(start_paused = true)]
async fn who_types_into_a_run_reaches_it_from_every_node_and_all_read_it_alike() {
    let (world, which, at) = asked(RunKind::Interactive).await;
    for n in 0..3 {
        let line = actors::console::text(&format!("from {n}\n"));
        world.node_of(n).pass(which, line).await.unwrap();
        sleep(Ms(10)).await;
    }
    let here = world.node_of(at).output(which).await.unwrap();
    assert!(here.epoch > 0 && here.reset);
    assert_eq!(
        texts(&here).concat(),
        "say something\nfrom 0\nfrom 0\nfrom 1\nfrom 1\nfrom 2\nfrom 2\n"
    );
    for n in 0..3 {
        let there = world.node_of(n).output(which).await.unwrap();
        assert_eq!((texts(&there), there.epoch, there.seq), (texts(&here), here.epoch, here.seq));
    }
    assert_eq!(world.node_of(at).card.borrow().runs, 1);
    world.node_of((at + 1) % 3).pass(which, Typed::End).await.unwrap();
    world.until(session(1_000), "judged", 1).await;
    sleep(Ms(100)).await;
    for n in 0..3 {
        assert!(world.node_of(n).output(which).await.unwrap().rows.is_empty());
        let late = world.node_of(n).pass(which, actors::console::text("x")).await;
        assert_eq!(late.unwrap_err().code, "run_over");
    }
    assert_eq!(world.node_of(at).card.borrow().runs, 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_is_stopped_from_another_node() {
    let (world, which, at) = asked(RunKind::Free).await;
    world.node_of((at + 1) % 3).pass(which, Typed::Stop).await.unwrap();
    world.until(session(1_000), "judged", 1).await;
    let rows = world.rows(domain::rows::Topic::Of(session(1_000))).await;
    let run = &rows.iter().find(|(key, _)| key.starts_with("run.")).unwrap().1;
    assert_eq!(run["results"][0]["verdict"], "stopped");
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_their_place_at_every_node() {
    let world = World::of_nodes(3).await;
    create_campaign(&world, 1, 6, settings()).await;
    for n in 1_000..1_006 {
        sit(&world, n, "slow").await;
        world.done(session(n), run(RunKind::All)).await;
        world.until(submission(n, 0), "submitted", 1).await;
        sleep(Ms(10)).await;
    }
    // The queue is new, and quiet at first.
    sleep(Ms(3_000)).await;
    for (n, place) in [(1_003, 1), (1_004, 2), (1_005, 3)] {
        let Stream::Submission(which) = submission(n, 0) else { panic!() };
        for node in 0..3 {
            let frame = world.node_of(node).output(which).await.unwrap();
            let row = frame.rows[0].1.clone().unwrap();
            let state: Value = serde_json::from_slice(&row).unwrap();
            assert_eq!((&state["state"], &state["place"]), (&"queued".into(), &place.into()));
        }
    }
    for node in 0..3 {
        let card = world.node_of(node).queue().await.unwrap();
        assert_eq!((card.waiting, card.running, card.runners.len()), (3, 3, 3));
        assert!(card.runners.values().all(|runs| *runs == 1), "{card:?}");
        assert!(card.oldest_at.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_run_prints_has_a_greater_epoch_than_its_place_had_and_each_attempt_another() {
    let mut world = World::of_nodes(3).await;
    create_campaign(&world, 1, 4, settings()).await;
    for n in 1_000..1_004 {
        sit(&world, n, "slow").await;
        world.done(session(n), run(RunKind::All)).await;
        world.until(submission(n, 0), "submitted", 1).await;
        sleep(Ms(10)).await;
    }
    sleep(Ms(3_000)).await;
    // The last one waits.
    let mut epochs = vec![];
    let Stream::Submission(which) = submission(1_003, 0) else { panic!() };
    epochs.push(world.node().output(which).await.unwrap().epoch);
    world.until(submission(1_003, 0), "taken", 1).await;
    sleep(Ms(200)).await;
    epochs.push(world.node().output(which).await.unwrap().epoch);
    let at = world.script.places.lock().unwrap().iter().find(|(one, _)| *one == which).unwrap().1;
    world.kill_node(at).await;
    world.until(submission(1_003, 0), "taken", 2).await;
    sleep(Ms(200)).await;
    epochs.push(world.node().output(which).await.unwrap().epoch);
    assert!(epochs.is_sorted_by(|a, b| a < b) && epochs[0] > 0, "{epochs:?}");
}
