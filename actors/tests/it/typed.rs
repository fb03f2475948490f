//! Runs into which their person types.

use domain::{at::Ms, ids::SubmissionId, run::Typed, session::RunKind, stream::Stream};
use serde_json::{Value, json};

use crate::{
    kit::{create_campaign, run, session, settings, sit, submission},
    world::{World, sleep},
};

/// A world in which a candidate has asked for a run of `kind`.
async fn asked(kind: RunKind, workers: usize) -> (World, SubmissionId) {
    let world = World::with_workers(workers).await;
    create_campaign(&world, 1, 1, settings()).await;
    sit(&world, 1_000, "parrot").await;
    world.done(session(1_000), run(kind)).await;
    world.until(submission(1_000, 0), "submitted", 1).await;
    let Stream::Submission(which) = submission(1_000, 0) else { panic!() };
    sleep(Ms(100)).await;
    (world, which)
}

fn text(text: &str) -> Typed {
    actors::console::text(text)
}

/// What somebody sees who opens the page now.
fn seen(world: &World, which: SubmissionId) -> Vec<(String, Value)> {
    let rows = world.node().outputs.read(which).rows;
    rows.into_iter()
        .map(|(key, row)| (key, serde_json::from_slice(&row.unwrap()).unwrap()))
        .collect()
}

async fn result(world: &World) -> Value {
    world.until(session(1_000), "judged", 1).await;
    let rows = world.rows(domain::rows::Topic::Of(session(1_000))).await;
    let run = rows.into_iter().find(|(key, _)| key.starts_with("run.")).unwrap().1;
    run["results"][0].clone()
}

#[tokio::test(start_paused = true)]
async fn what_is_typed_reaches_the_program_and_is_seen_where_it_was_typed() {
    let (world, which) = asked(RunKind::Interactive, 1).await;
    world.node().pass(which, text("one\n")).await.unwrap();
    sleep(Ms(10)).await;
    // Whoever loads the page now sees everything so far, without a gap.
    let rows = seen(&world, which);
    let pieces: Vec<_> = rows.iter().filter(|(key, _)| key == "0.stdout").map(|(_, v)| v).collect();
    assert_eq!(
        pieces,
        [
            &json!({ "offset": 0, "text": "say something\n" }),
            &json!({ "offset": 14, "text": "one\n", "typed": true }),
            &json!({ "offset": 18, "text": "one\n" }),
        ]
    );
    assert!(rows.contains(&("input".to_owned(), json!({ "open": true }))));
    world.node().pass(which, Typed::End).await.unwrap();
    let result = result(&world).await;
    assert_eq!(result["verdict"], "accepted");
    // The conversation stays, as one text.
    assert_eq!(result["stdout"], "say something\none\none\n");
    assert_eq!(world.node().pass(which, text("x")).await.unwrap_err().code, "run_over");
}

#[tokio::test(start_paused = true)]
async fn a_run_is_stopped_by_its_person_while_it_runs() {
    for kind in [RunKind::Free, RunKind::Interactive] {
        let (world, which) = asked(kind, 1).await;
        world.node().pass(which, Typed::Stop).await.unwrap();
        assert_eq!(result(&world).await["verdict"], "stopped");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_is_stopped_by_its_person_while_it_waits_and_never_runs() {
    let (world, which) = asked(RunKind::Free, 0).await;
    assert_eq!(world.node().pass(which, text("x")).await.unwrap_err().code, "run_over");
    world.node().pass(which, Typed::Stop).await.unwrap();
    assert_eq!(result(&world).await["verdict"], "stopped");
    assert_eq!(world.rows(domain::rows::Topic::Queue).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_counts_is_not_stopped() {
    let (world, which) = asked(RunKind::All, 0).await;
    assert_eq!(world.node().pass(which, Typed::Stop).await.unwrap_err().code, "run_over");
}

#[tokio::test(start_paused = true)]
async fn a_run_with_all_its_input_takes_no_more() {
    let (world, which) = asked(RunKind::Free, 1).await;
    assert_eq!(world.node().pass(which, text("x")).await.unwrap_err().code, "input_ended");
}

#[tokio::test(start_paused = true)]
async fn what_is_typed_is_bounded() {
    let (world, which) = asked(RunKind::Interactive, 1).await;
    let long = "x".repeat(5_000);
    assert_eq!(world.node().pass(which, text(&long)).await.unwrap_err().code, "typed_too_much");
    let mut codes = vec![];
    for _ in 0..100 {
        codes.push(world.node().pass(which, text(&long[..4_000])).await.map_err(|why| why.code));
        sleep(Ms(1)).await;
    }
    let taken = codes.iter().filter(|code| code.is_ok()).count();
    assert_eq!(taken, 64 * 1024 / 4_000);
    assert_eq!(codes[taken], Err("typed_too_much".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn somebody_who_types_keeps_nobody_from_being_judged() {
    let world = World::with_workers(1).await;
    create_campaign(&world, 1, 2, settings()).await;
    sit(&world, 1_000, "parrot").await;
    sit(&world, 1_001, "right").await;
    world.done(session(1_000), run(RunKind::Interactive)).await;
    world.until(submission(1_000, 0), "taken", 1).await;
    world.done(session(1_001), run(RunKind::All)).await;
    world.until(session(1_001), "judged", 1).await;
    assert_eq!(world.count(session(1_000), "judged").await, 0);
}
