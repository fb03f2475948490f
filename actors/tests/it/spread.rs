//! Runs on several nodes: one queue, wherever it is, and every submission judged once.

use std::{collections::HashMap, sync::Arc};

use domain::{
    at::{At, Ms},
    ids::SubmissionId,
    run::Verdict,
    session::RunKind,
    stream::Stream,
};

use storage::local::LocalWire;

use crate::{
    kit::{create_campaign, id, run, session, settings, sit, submission},
    lossy::LossyWire,
    world::{World, sleep},
};

/// Whose shard the queue goes with.
fn queue_is_at(world: &World, nodes: usize) -> usize {
    (0..nodes).find(|n| world.node_of(*n).owned().contains(&0)).unwrap()
}

fn which(n: u128) -> SubmissionId {
    let Stream::Submission(which) = submission(n, 0) else { panic!() };
    which
}

/// Each of `candidates` asks for a run of `word`.
async fn ask_all(world: &World, candidates: std::ops::Range<u128>, word: &str) {
    for n in candidates {
        sit(world, n, word).await;
        world.done(session(n), run(RunKind::All)).await;
    }
}

/// Where each submission was run, in order.
fn places(world: &World) -> HashMap<SubmissionId, Vec<usize>> {
    let mut places: HashMap<_, Vec<usize>> = HashMap::new();
    for (submission, n) in world.script.places.lock().unwrap().iter() {
        places.entry(*submission).or_default().push(*n);
    }
    places
}

/// Waits until all of `candidates` have a verdict; each has one, of one attempt.
async fn assert_judged_once(world: &World, candidates: std::ops::Range<u128>) {
    for n in candidates.clone() {
        world.until(session(n), "judged", 1).await;
    }
    sleep(Ms(15_000)).await;
    for n in candidates {
        assert_eq!(world.count(session(n), "judged").await, 1);
        let kinds = world.kinds(submission(n, 0)).await;
        assert_eq!(kinds, ["submitted", "taken", "judged"], "{n}");
    }
    assert_eq!(world.rows(domain::rows::Topic::Queue).await, []);
}

#[tokio::test(start_paused = true)]
async fn every_node_runs_what_one_queue_hands_out_once() {
    let world = World::of_nodes(3).await;
    create_campaign(&world, 1, 30, settings()).await;
    ask_all(&world, 1_000..1_030, "right").await;
    assert_judged_once(&world, 1_000..1_030).await;
    let places = places(&world);
    assert!(places.values().all(|nodes| nodes.len() == 1));
    for n in 0..3 {
        let here = places.values().filter(|nodes| nodes[0] == n).count();
        assert!(here >= 5, "{here} of 30 on node {n}");
    }
}

/// A world of three nodes with a run of half a minute on each, and where the queue is.
async fn with_slow_runs() -> (World, usize) {
    let world = World::of_nodes(3).await;
    create_campaign(&world, 1, 6, settings()).await;
    ask_all(&world, 1_000..1_003, "slow").await;
    for n in 1_000..1_003 {
        world.until(submission(n, 0), "taken", 1).await;
    }
    let at = queue_is_at(&world, 3);
    (world, at)
}

#[tokio::test(start_paused = true)]
async fn when_the_queues_node_is_killed_runs_elsewhere_are_neither_repeated_nor_lost() {
    let (mut world, at) = with_slow_runs().await;
    let before = places(&world);
    let elsewhere: Vec<u128> = (1_000..1_003).filter(|n| before[&which(*n)] != [at]).collect();
    assert_eq!(elsewhere.len(), 2);
    world.kill_node(at).await;
    for n in 1_000..1_003 {
        world.until(session(n), "judged", 1).await;
    }
    for n in 1_000..1_003 {
        let kinds = world.kinds(submission(n, 0)).await;
        if elsewhere.contains(&n) {
            assert_eq!(kinds, ["submitted", "taken", "judged"]);
            assert_eq!(places(&world)[&which(n)], before[&which(n)]);
        } else {
            assert_eq!(kinds, ["submitted", "taken", "taken", "judged"]);
        }
        let last = world.look(id(n), |s| s.run.as_ref().unwrap().last_verdict).await;
        assert_eq!(last.unwrap().verdict, Verdict::Accepted);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_while_there_was_no_queue_is_judged() {
    let (mut world, at) = with_slow_runs().await;
    world.kill_node(at).await;
    ask_all(&world, 1_003..1_006, "right").await;
    for n in 1_003..1_006 {
        world.until(session(n), "judged", 1).await;
        assert_eq!(world.kinds(submission(n, 0)).await, ["submitted", "taken", "judged"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_runner_had_is_judged_elsewhere_within_six_seconds() {
    let mut world = World::over(Arc::new(LocalWire::default()), 3, 2).await;
    create_campaign(&world, 1, 40, settings()).await;
    let at = queue_is_at(&world, 3);
    let victim = (0..3).find(|n| *n != at).unwrap();
    // Its streams are somewhere else, and one more worker is free there.
    let lives = |n: &u128| {
        world.owner(submission(*n, 0)) != Some(victim) && world.owner(session(*n)) != Some(victim)
    };
    let mut lost = None;
    for n in (1_000..1_040).filter(lives).take(4) {
        ask_all(&world, n..n + 1, "slow").await;
        world.until(submission(n, 0), "taken", 1).await;
        if places(&world)[&which(n)] == [victim] {
            lost = Some(n);
            break;
        }
    }
    let lost = lost.unwrap();
    world.kill_node(victim).await;
    let killed_at = world.now();
    world.until(submission(lost, 0), "taken", 2).await;
    let taken_at: At = world.log(submission(lost, 0)).await.last().unwrap().at;
    assert!(taken_at - killed_at < Ms(6_000), "{:?}", taken_at - killed_at);
    world.until(session(lost), "judged", 1).await;
    assert_eq!(places(&world)[&which(lost)].len(), 2);
}

#[tokio::test(start_paused = true)]
async fn when_the_queue_is_handed_over_nothing_is_repeated() {
    let (world, at) = with_slow_runs().await;
    world.node_of(at).leave(std::time::Duration::from_secs(10)).await;
    sleep(Ms(1_000)).await;
    assert!(queue_is_at(&world, 3) != at);
    ask_all(&world, 1_003..1_006, "right").await;
    assert_judged_once(&world, 1_000..1_006).await;
}

#[tokio::test(start_paused = true)]
async fn messages_and_answers_that_are_lost_cost_nobody_a_verdict() {
    for of_ten in [1, 3] {
        let wire = Arc::new(LossyWire::default());
        let world = World::over(wire.clone(), 3, 1).await;
        create_campaign(&world, 1, 30, settings()).await;
        wire.lose(of_ten);
        ask_all(&world, 1_000..1_030, "right").await;
        assert_judged_once(&world, 1_000..1_030).await;
        assert!(wire.lost.load(std::sync::atomic::Ordering::SeqCst) > 10);
    }
}
