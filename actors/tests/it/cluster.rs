//! Several nodes on one store: every command finds its owner, and every shard has one.

use std::{ops::Range, sync::Arc, time::Duration};

use domain::{
    at::Ms,
    command::AnyCommand,
    ids::CommandId,
    stream::{SHARDS, Stream},
};
use futures_util::future::join_all;

use crate::{
    kit::{create_campaign, create_test, edit, id, save_test, session, settings, start, test},
    late::LateWire,
    world::{World, code, meta, sleep},
};

const HOUR: Ms = Ms(3_600_000);

/// Each shard has one owner.
fn assert_whole(world: &World, nodes: impl IntoIterator<Item = usize>) {
    let mut owned: Vec<u16> = nodes.into_iter().flat_map(|n| world.node_of(n).owned()).collect();
    owned.sort_unstable();
    assert_eq!(owned, (0..SHARDS).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn three_nodes_share_the_shards_and_each_passes_commands_on() {
    let world = World::of_nodes(3).await;
    assert_whole(&world, 0..3);
    for (n, edition) in (0..3).zip([0, 0, 1]) {
        let asked = (1..=30).map(|of| {
            let node = world.node_of(n);
            let meta = meta(CommandId::random(), true);
            let command = if n == 0 { create_test("A") } else { save_test(edition, "B") };
            async move { node.directory.ask(test(of), meta, command).await }
        });
        for answer in join_all(asked).await {
            assert_eq!(code(&answer), "done", "{answer:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn when_a_node_is_killed_others_serve_its_streams_within_seven_seconds() {
    let mut world = World::of_nodes(3).await;
    for of in 1..=60 {
        world.done(test(of), create_test("A")).await;
    }
    let lost: Vec<u128> = (1..=60).filter(|of| world.owner(test(*of)) == Some(2)).collect();
    assert!(lost.len() > 5);
    world.kill_node(2).await;
    let killed_at = world.now();
    let served = lost.iter().map(|of| async {
        let mut edition = 0;
        let meta = meta(CommandId::random(), true);
        loop {
            let node = world.node_of(0);
            let answer = node.directory.ask(test(*of), meta, save_test(edition, "B")).await;
            match code(&answer) {
                "done" => return world.now() - killed_at,
                "unavailable" => edition = 0,
                other => panic!("{other}"),
            }
        }
    });
    let waited = join_all(served).await;
    assert!(waited.iter().all(|waited| *waited <= Ms(7_000)), "{waited:?}");
    sleep(Ms(2_000)).await;
    assert_whole(&world, 0..2);
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_node_took_from_candidates_is_given_back_once() {
    let mut world = World::of_nodes(3).await;
    let campaign = domain::campaign::Settings { time_allowed: HOUR, ..settings() };
    create_campaign(&world, 1, 20, campaign).await;
    for n in 1_000..1_020 {
        world.done(session(n), start()).await;
    }
    let mine: Vec<u128> = (1_000..1_020).filter(|n| world.owner(session(*n)) == Some(1)).collect();
    let others: Vec<u128> =
        (1_000..1_020).filter(|n| world.owner(session(*n)) == Some(0)).collect();
    assert!(!mine.is_empty() && !others.is_empty());
    world.kill_node(1).await;
    sleep(Ms(20_000)).await;
    for n in mine {
        let credits = credits(&world, n).await;
        assert_eq!(credits.len(), 1, "{credits:?}");
        assert!((Ms(5_000)..=Ms(8_500)).contains(&credits[0]), "{credits:?}");
    }
    for n in others {
        assert_eq!(credits(&world, n).await, []);
    }
}

async fn credits(world: &World, n: u128) -> Vec<Ms> {
    world.look(id(n), |s| s.run.as_ref().unwrap().credits.iter().map(|c| c.ms).collect()).await
}

/// Candidates who type every 20 ms; how long each waited at most.
async fn typists(world: &World, sessions: Range<u128>, edits: u32) -> Vec<Ms> {
    let typist = |n: u128| async move {
        let mut slowest = Ms(0);
        for rev in 0..edits {
            let asked_at = world.now();
            let text = |rev: u32| if rev == 0 { "" } else { ["a", "b"][rev as usize % 2] };
            let answer = world.ask(session(n), edit(rev, text(rev), text(rev + 1))).await;
            assert_eq!(code(&answer), "done", "{answer:?}");
            slowest = slowest.max(world.now() - asked_at);
            sleep(Ms(20)).await;
        }
        slowest
    };
    join_all(sessions.map(typist)).await
}

async fn campaign_of(world: &World, sessions: u128) -> Range<u128> {
    let campaign = domain::campaign::Settings { time_allowed: HOUR, ..settings() };
    create_campaign(world, 1, sessions, campaign).await;
    for n in 1_000..1_000 + sessions {
        world.done(session(n), start()).await;
    }
    1_000..1_000 + sessions
}

#[tokio::test(start_paused = true)]
async fn a_node_that_leaves_hands_over_without_a_refusal_and_within_300_ms() {
    let world = World::of_nodes(3).await;
    let sessions = campaign_of(&world, 30).await;
    let leaving = async {
        sleep(Ms(1_000)).await;
        world.node_of(2).leave(Duration::from_secs(10)).await;
    };
    let (slowest, ()) = tokio::join!(typists(&world, sessions.clone(), 200), leaving);
    assert!(world.node_of(2).owned().is_empty());
    assert_whole(&world, 0..2);
    assert!(slowest.iter().all(|slowest| *slowest <= Ms(300)), "{slowest:?}");
    // Every edit once.
    for n in sessions {
        assert_eq!(world.count(session(n), "edited").await, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_given_to_a_node_that_leaves_is_passed_on_at_once() {
    // What a node says of itself is heard a second later.
    let mut world = World::over(Arc::new(LateWire::new(Ms(1_000))), 3, 1).await;
    let sessions = campaign_of(&world, 100).await;
    world.kill_node(2).await;
    sleep(Ms(15_000)).await;
    world.start(2).await;
    // Just before the others trust it to stay, and begin to give.
    sleep(Ms(2_400)).await;
    let leaving = world.node_of(2).leave(Duration::from_secs(10));
    let (slowest, ()) = tokio::join!(typists(&world, sessions, 100), leaving);
    assert_whole(&world, 0..2);
    assert!(slowest.iter().all(|slowest| *slowest <= Ms(300)), "{slowest:?}");
}

#[tokio::test(start_paused = true)]
async fn one_command_asked_of_all_nodes_at_once_happens_once() {
    let world = World::of_nodes(3).await;
    for of in 1..=20 {
        let once = meta(CommandId::random(), false);
        let asked =
            (0..3).map(|n| world.node_of(n).directory.ask(test(of), once, create_test("A")));
        let answers = join_all(asked).await;
        assert!(answers.iter().all(|answer| *answer == answers[0] && code(answer) == "done"));
        assert_eq!(world.log(test(of)).await.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_comes_back_gets_a_tenth_of_the_shards_in_ten_seconds() {
    let mut world = World::of_nodes(2).await;
    world.kill_node(1).await;
    sleep(Ms(15_000)).await;
    assert_whole(&world, [0]);
    world.start(1).await;
    let mut before = world.node_of(1).owned().len();
    while before < 100 {
        sleep(Ms(10_000)).await;
        let now = world.node_of(1).owned().len();
        assert!(now <= before + 26 && before < now, "{before} {now}");
        before = now;
    }
    assert_whole(&world, 0..2);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_stream_is_refused_alike_from_every_node() {
    let world = World::of_nodes(2).await;
    let stream = Stream::Session(id(77));
    let command: AnyCommand = start();
    for n in 0..2 {
        let meta = meta(CommandId::random(), true);
        let answer = world.node_of(n).directory.ask(stream, meta, command.clone()).await;
        assert_eq!(code(&answer), code(&world.ask(stream, start()).await));
    }
}
