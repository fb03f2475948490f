//! Runs: each program gets its verdict, and no campaign waits for another's flood.

use domain::{at::Ms, command::AnyCommand, run::Verdict, session::RunKind, stream::Stream};

use crate::{
    kit::{create_campaign, hand_in, id, run, session, settings, sit, submission},
    world::{World, sleep},
};

#[tokio::test(start_paused = true)]
async fn a_run_whose_worker_panics_is_given_again_and_then_honestly_given_up() {
    let world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    sit(&world, 1_000, "panic").await;
    world.done(session(1_000), run(RunKind::All)).await;
    world.until(session(1_000), "judged", 1).await;
    assert_eq!(*world.script.runs.lock().unwrap(), ["panic"; 3]);
    let rows = world.rows(domain::rows::Topic::Of(session(1_000))).await;
    let row = &rows.iter().find(|(key, _)| key.starts_with("run.")).unwrap().1;
    assert_eq!(row["results"][0]["verdict"], "internal_error");
    assert!(row["results"][0]["detail"].as_str().unwrap().contains("on our side"), "{row}");
    // What was not judged is judged at the end.
    world.done(session(1_000), hand_in()).await;
    world.until(session(1_000), "run_asked", 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_that_fails_is_tried_three_times() {
    let world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    sit(&world, 1_000, "internal").await;
    world.done(session(1_000), run(RunKind::All)).await;
    world.until(session(1_000), "judged", 1).await;
    assert_eq!(*world.script.runs.lock().unwrap(), ["internal"; 3]);
    // Nothing of what it printed is kept beside its verdict.
    sleep(Ms(5_000)).await;
    let Stream::Submission(which) = submission(1_000, 0) else { panic!() };
    assert!(world.node().outputs.read(which).rows.is_empty());
    let last = world.look(id(1_000), |s| s.run.as_ref().unwrap().last_verdict).await;
    assert_eq!(last.unwrap().verdict, Verdict::InternalError);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_costs_nobody_a_verdict() {
    let world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    sit(&world, 1_000, "right").await;
    world.done(session(1_000), run(RunKind::All)).await;
    world.until(submission(1_000, 0), "submitted", 1).await;
    world.set_away(true);
    sleep(Ms(20_000)).await;
    world.set_away(false);
    world.until(session(1_000), "judged", 1).await;
    assert_eq!(world.look(id(1_000), |session| session.score().hundredths()).await, 1_000);
    assert_eq!(*world.script.runs.lock().unwrap(), ["right"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_erased_while_it_ran_is_not_run_again() {
    use domain::ports::EventStore;
    let world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    sit(&world, 1_000, "right").await;
    world.done(session(1_000), run(RunKind::All)).await;
    world.until(submission(1_000, 0), "submitted", 1).await;
    world.memory.erase(submission(1_000, 0), world.now()).await.unwrap();
    sleep(Ms(60_000)).await;
    assert!(world.script.runs.lock().unwrap().len() <= 1);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_one_campaign_does_not_starve_another() {
    let mut world = World::with_workers(0).await;
    create_campaign(&world, 1, 20, settings()).await;
    create_campaign(&world, 2, 2, settings()).await;
    flood(&world, 1, 20, "one").await;
    flood(&world, 2, 2, "two").await;
    world = with_one_worker(world).await;
    for n in (1_000..1_020).chain([2_000, 2_001]) {
        world.until(session(n), "judged", 1).await;
    }
    let runs = world.script.runs.lock().unwrap().clone();
    let last = runs.iter().rposition(|run| run == "two").unwrap();
    assert!(last < 5, "{runs:?}");
    assert_eq!(runs.len(), 22);
}

#[tokio::test(start_paused = true)]
async fn a_timed_session_comes_before_a_preview() {
    let mut world = World::with_workers(0).await;
    create_campaign(&world, 1, 1, settings()).await;
    let (terms, plan) = world.look(id(1_000), |s| (s.terms.clone(), s.plan.clone())).await;
    let invite = domain::session::Command::Invite { session: id(7), campaign: None, terms, plan };
    world.done(session(7), AnyCommand::Session(Box::new(invite))).await;
    sit(&world, 7, "preview").await;
    world.done(session(7), run(RunKind::All)).await;
    world.until(submission(7, 0), "submitted", 1).await;
    sleep(Ms(100)).await;
    flood(&world, 1, 1, "timed").await;
    world = with_one_worker(world).await;
    world.until(session(7), "judged", 1).await;
    assert_eq!(*world.script.runs.lock().unwrap(), ["timed", "preview"]);
}

#[tokio::test(start_paused = true)]
async fn a_hint_that_was_lost_is_made_up_for_by_reading_the_table() {
    let world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    sit(&world, 1_000, "right").await;
    world.bus.lose(true);
    world.done(session(1_000), run(RunKind::All)).await;
    world.until(session(1_000), "judged", 1).await;
    assert!(world.rows(domain::rows::Topic::Queue).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_queued_when_the_node_died_is_judged_once_by_the_next_one() {
    let mut world = World::new().await;
    create_campaign(&world, 1, 5, settings()).await;
    flood(&world, 1, 5, "right").await;
    for _ in 0..3 {
        sleep(Ms(130)).await;
        world.restart(storage::flaky::Plan::new()).await;
    }
    for n in 0..5 {
        world.until(session(1_000 + n), "judged", 1).await;
        let kinds = world.kinds(submission(1_000 + n, 0)).await;
        assert_eq!(kinds.iter().filter(|kind| *kind == "judged").count(), 1, "{kinds:?}");
    }
    sleep(Ms(10_000)).await;
    for n in 0..5 {
        assert_eq!(world.count(session(1_000 + n), "judged").await, 1);
    }
}

/// The attempts of a submission, as they are stored: `taken`, `given_back`, `judged`.
async fn attempts(world: &World, n: u128) -> Vec<String> {
    world.kinds(submission(n, 0)).await.into_iter().skip(1).collect()
}

#[tokio::test(start_paused = true)]
async fn a_submission_that_takes_the_server_down_does_so_three_times_and_no_more() {
    let mut world = World::new().await;
    create_campaign(&world, 1, 2, settings()).await;
    flood(&world, 1, 1, "hang").await;
    for n in 1..=3 {
        world.until(submission(1_000, 0), "taken", n).await;
        world.restart(storage::flaky::Plan::new()).await;
    }
    world.until(session(1_000), "judged", 1).await;
    assert_eq!(attempts(&world, 1_000).await, ["taken", "taken", "taken", "judged"]);
    let last = world.look(id(1_000), |s| s.run.as_ref().unwrap().last_verdict).await;
    assert_eq!(last.unwrap().verdict, Verdict::InternalError);
    // And whoever comes next is judged.
    sit(&world, 1_001, "right").await;
    world.done(session(1_001), run(RunKind::All)).await;
    world.until(session(1_001), "judged", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_that_hangs_is_given_up_and_holds_its_worker_up_for_a_bounded_time() {
    let world = World::new().await;
    create_campaign(&world, 1, 2, settings()).await;
    sit(&world, 1_000, "hang").await;
    world.done(session(1_000), run(RunKind::All)).await;
    world.until(session(1_000), "judged", 1).await;
    assert_eq!(attempts(&world, 1_000).await, ["taken", "taken", "taken", "judged"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_is_given_to_another_within_five_seconds() {
    let world = World::with_workers(2).await;
    create_campaign(&world, 1, 1, settings()).await;
    flood(&world, 1, 1, "panic").await;
    world.until(submission(1_000, 0), "judged", 1).await;
    let log = world.log(submission(1_000, 0)).await;
    for pair in log.windows(2) {
        assert!(pair[1].at - pair[0].at < Ms(5_000), "{log:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_finishes_what_is_short_and_gives_back_what_is_long() {
    let mut world = World::with_workers(2).await;
    create_campaign(&world, 1, 3, settings()).await;
    for (candidate, word) in [(1_000, "slow"), (1_001, "right"), (1_002, "right")] {
        sit(&world, candidate, word).await;
        world.done(session(candidate), run(RunKind::All)).await;
    }
    world.until(submission(1_000, 0), "taken", 1).await;
    world.until(submission(1_001, 0), "taken", 1).await;
    let began = world.now();
    world.node().finish_runs(std::time::Duration::from_secs(10)).await;
    assert!(world.now() - began < Ms(13_500));
    assert_eq!(attempts(&world, 1_000).await, ["taken", "given_back"]);
    assert_eq!(attempts(&world, 1_001).await, ["taken", "judged"]);
    // It took nothing new; the next node does.
    assert!(attempts(&world, 1_002).await.len() < 2);
    world.restart(storage::flaky::Plan::new()).await;
    for n in 0..3 {
        world.until(session(1_000 + n), "judged", 1).await;
    }
    assert_eq!(attempts(&world, 1_000).await, ["taken", "given_back", "taken", "judged"]);
    assert_eq!(
        world.look(id(1_000), |s| s.run.as_ref().unwrap().last_verdict).await.unwrap().verdict,
        Verdict::Accepted
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_with_nothing_to_finish_stops_at_once() {
    let world = World::with_workers(2).await;
    let began = world.now();
    world.node().finish_runs(std::time::Duration::from_secs(10)).await;
    assert_eq!(world.now(), began);
}

#[tokio::test(start_paused = true)]
async fn the_first_of_two_verdicts_counts_though_its_runner_was_given_up() {
    use domain::submission::{Command, out_of_order};
    let world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    flood(&world, 1, 1, "slow").await;
    world.until(submission(1_000, 0), "taken", 1).await;
    // A runner that had it before comes back, while another one runs it.
    let (outcome, validators) = out_of_order("late");
    let judge = Command::Judge { outcome: Box::new(outcome), validators, attempts: 1 };
    world.done(submission(1_000, 0), AnyCommand::Submission(judge.clone())).await;
    world.done(submission(1_000, 0), AnyCommand::Submission(judge)).await;
    sleep(Ms(60_000)).await;
    assert_eq!(attempts(&world, 1_000).await, ["taken", "judged"]);
    assert_eq!(world.count(session(1_000), "judged").await, 1);
    assert_eq!(world.rows(domain::rows::Topic::Queue).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_submission_whose_session_was_erased_is_withdrawn() {
    use domain::ports::EventStore;
    let mut world = World::with_workers(0).await;
    create_campaign(&world, 1, 2, settings()).await;
    flood(&world, 1, 2, "right").await;
    world.memory.erase(submission(1_000, 0), world.now()).await.unwrap();
    world.memory.erase(session(1_001), world.now()).await.unwrap();
    world = with_one_worker(world).await;
    sleep(Ms(20_000)).await;
    assert!(world.script.runs.lock().unwrap().is_empty());
    assert_eq!(world.rows(domain::rows::Topic::Queue).await, []);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_the_place_in_which_they_will_be_run() {
    let world = World::with_workers(0).await;
    create_campaign(&world, 1, 3, settings()).await;
    create_campaign(&world, 2, 1, settings()).await;
    flood(&world, 1, 3, "one").await;
    flood(&world, 2, 1, "two").await;
    sleep(Ms(1_500)).await;
    let place = |n| {
        let Stream::Submission(which) = submission(n, 0) else { panic!() };
        let frame = world.node().outputs.read(which);
        let row = frame.rows.iter().find(|(key, _)| key == "state").unwrap().1.clone().unwrap();
        serde_json::from_slice::<serde_json::Value>(&row).unwrap()["place"].as_u64().unwrap()
    };
    // The other campaign has its turn after the first run of this one.
    assert_eq!([1_000, 2_000, 1_001, 1_002].map(place), [1, 2, 3, 4]);
}

/// Each of the first candidates of campaign `n` asks for a run.
async fn flood(world: &World, n: u128, candidates: u128, text: &str) {
    for candidate in n * 1_000..n * 1_000 + candidates {
        sit(world, candidate, text).await;
        world.done(session(candidate), run(RunKind::All)).await;
        world.until(submission(candidate, 0), "submitted", 1).await;
        // The next one is later.
        sleep(Ms(1)).await;
    }
}

async fn with_one_worker(mut world: World) -> World {
    world.set_workers(1);
    world.restart(storage::flaky::Plan::new()).await;
    world
}
