//! Time: ends come when they are due, and what was taken from people is given back.

use domain::{
    aggregate::Aggregate,
    at::{At, Ms},
    ids::CommandId,
    ports::{Append, EventStore, Snapshot},
    rows::Topic,
    session::{Event, Session},
    stream::{Recorded, Stream},
};
use storage::flaky::Plan;

use crate::{
    kit::{
        campaign, create_campaign, edit, id, session, settings, sit, start, to_campaign, to_session,
    },
    world::{World, code, sleep},
};

const HOUR: Ms = Ms(3_600_000);

/// When each event of that name happened.
async fn times(world: &World, stream: Stream, kind: &str) -> Vec<At> {
    let log = world.log(stream).await;
    log.iter().filter(|event| event.kind == kind).map(|event| event.at).collect()
}

async fn ends_at(world: &World, n: u128) -> At {
    world.look(id(n), |session| session.run.as_ref().unwrap().ends_at).await
}

/// Outages that were given back: how much each, in ms.
async fn credits(world: &World, n: u128) -> Vec<Ms> {
    world.look(id(n), |s| s.run.as_ref().unwrap().credits.iter().map(|c| c.ms).collect()).await
}

#[tokio::test(start_paused = true)]
async fn us_091_time_up_is_never_early_and_sealed_comes_twelve_seconds_later() {
    let world = World::new().await;
    create_campaign(&world, 1, 3, settings()).await;
    for n in 1_000..1_003 {
        sleep(Ms(333)).await;
        world.done(session(n), start()).await;
    }
    for n in 1_000..1_003 {
        let ends_at = ends_at(&world, n).await;
        world.until(session(n), "sealed", 1).await;
        let (up, sealed) =
            (times(&world, session(n), "time_up").await, times(&world, session(n), "sealed").await);
        assert!(ends_at <= up[0] && up[0] - ends_at <= Ms(100), "{:?}", up[0] - ends_at);
        assert!(Ms(12_000) <= sealed[0] - up[0] && sealed[0] - up[0] <= Ms(12_100));
        assert_eq!((up.len(), sealed.len()), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn us_091_who_types_in_the_last_moment_does_not_hold_up_the_end() {
    let world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    sit(&world, 1_000, "x").await;
    let ends_at = ends_at(&world, 1_000).await;
    sleep(ends_at - world.now()).await;
    // It comes before the tick does.
    world.ask(session(1_000), edit(1, "x", "xy")).await;
    let log = world.log(session(1_000)).await;
    let last: Vec<_> = log.iter().rev().take(2).map(|it| (it.kind.as_str(), it.at)).collect();
    assert_eq!(last, [("edited", ends_at), ("time_up", ends_at)]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_not_awake_ends_in_time_too() {
    let mut world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    let epoch = 2;
    world.restart(Plan::new()).await;
    // As another node would have left it: this one does not have it awake.
    let ends_at = world.now() + Ms(60_000);
    let event = Event::Started { ends_at, seat: crate::kit::HERE };
    let recorded = Recorded {
        seq: 2,
        at: world.now(),
        origin: "node".to_owned(),
        command_id: CommandId::random(),
        n: 0,
        kind: "started".to_owned(),
        body: serde_json::to_vec(&event).unwrap().into(),
    };
    let (stream, expected_seq, untold, rows) = (session(1_000), 1, None, vec![]);
    let (events, wake_at) = (vec![recorded], Some(ends_at));
    let append = Append { stream, epoch, expected_seq, events, wake_at, untold, rows };
    world.memory.append(append).await.unwrap();
    world.until(stream, "sealed", 1).await;
    let up = times(&world, stream, "time_up").await;
    assert!(ends_at <= up[0] && up[0] - ends_at <= Ms(100));
}

#[tokio::test(start_paused = true)]
async fn an_outage_over_the_end_is_given_back_once_and_before_anything_else() {
    let mut world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    sit(&world, 1_000, "a").await;
    let ended = ends_at(&world, 1_000).await;
    sleep(Ms(30_000)).await;
    world.kill().await;
    sleep(Ms(120_000)).await;
    world.restart(Plan::new()).await;
    assert_eq!(code(&world.ask(session(1_000), edit(1, "a", "b")).await), "done");
    let given = credits(&world, 1_000).await;
    assert_eq!(given.len(), 1);
    assert!(Ms(120_000) <= given[0] && given[0] <= Ms(121_100), "{given:?}");
    assert_eq!(ends_at(&world, 1_000).await, ended + given[0]);
    let kinds = world.kinds(session(1_000)).await;
    assert_eq!(kinds, ["invited", "started", "edited", "credited", "edited"]);
    world.until(session(1_000), "sealed", 1).await;
    assert_eq!(
        times(&world, session(1_000), "time_up").await[0].0 / 100,
        (ended + given[0]).0 / 100
    );
    assert_eq!(world.count(session(1_000), "credited").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_was_away_over_the_end_takes_no_time_from_anybody() {
    let world = World::new().await;
    create_campaign(&world, 1, 2, settings()).await;
    sit(&world, 1_000, "a").await;
    sit(&world, 1_001, "a").await;
    let ended = ends_at(&world, 1_000).await;
    sleep(Ms(30_000)).await;
    world.set_away(true);
    sleep(Ms(90_500)).await;
    world.set_away(false);
    // At once, before anything is noted: it counts.
    let answer = world.ask(session(1_000), edit(1, "a", "b")).await;
    assert_eq!(code(&answer), "done");
    sleep(Ms(5_000)).await;
    for n in [1_000, 1_001] {
        assert_eq!(world.count(session(n), "time_up").await, 0, "{n}");
        assert_eq!(world.count(session(n), "edit_kept_apart").await, 0);
        assert_eq!(world.count(session(n), "credited").await, 1);
        assert!(ends_at(&world, n).await >= ended + Ms(90_000));
    }
    world.until(session(1_001), "sealed", 1).await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_given_back_though_a_pause_comes_before_it_is_noted() {
    let world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    sit(&world, 1_000, "a").await;
    world.set_away(true);
    sleep(Ms(20_500)).await;
    world.set_away(false);
    world.done(session(1_000), to_session(domain::session::Command::Pause { reason: None })).await;
    sleep(Ms(5_000)).await;
    assert_eq!(world.count(session(1_000), "credited").await, 0);
    world.done(session(1_000), to_session(domain::session::Command::Resume)).await;
    world.done(session(1_000), edit(1, "a", "b")).await;
    assert_eq!(world.count(session(1_000), "credited").await, 1);
    let credit = world.look(id(1_000), |it| it.run.as_ref().unwrap().credits[0].ms).await;
    assert!((Ms(20_000)..=Ms(22_000)).contains(&credit), "{credit:?}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_within_a_pause_gives_nothing_twice() {
    let mut world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    sit(&world, 1_000, "a").await;
    let ended = ends_at(&world, 1_000).await;
    world.done(campaign(1), to_campaign(domain::campaign::Command::Pause { reason: None })).await;
    world.until(session(1_000), "paused", 1).await;
    let paused_at = times(&world, session(1_000), "paused").await[0];
    world.kill().await;
    sleep(Ms(60_000)).await;
    world.restart(Plan::new()).await;
    world.done(campaign(1), to_campaign(domain::campaign::Command::Resume)).await;
    world.until(session(1_000), "resumed", 1).await;
    let resumed_at = times(&world, session(1_000), "resumed").await[0];
    // Another owner sees the outages anew.
    world.restart(Plan::new()).await;
    world.done(session(1_000), edit(1, "a", "b")).await;
    let moved = ends_at(&world, 1_000).await - ended;
    let paused = resumed_at - paused_at;
    assert!(paused <= moved && moved <= paused + Ms(2_000), "{moved:?} {paused:?}");
}

/// The state, but for what restarts give back.
async fn state(world: &World) -> Session {
    world
        .look(id(1_000), |session| {
            let mut session = session.clone();
            let run = session.run.as_mut().unwrap();
            (run.ends_at, run.shift) = (At(0), Ms(0));
            run.credits.clear();
            session
        })
        .await
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_a_cache_and_one_of_another_schema_is_none() {
    let mut world = World::new().await;
    let long = domain::campaign::Settings { time_allowed: HOUR, ..settings() };
    create_campaign(&world, 1, 1, long).await;
    world.done(session(1_000), start()).await;
    let mut text = String::new();
    for rev in 0..230 {
        let new = format!("{rev}");
        world.done(session(1_000), edit(rev, &text, &new)).await;
        text = new;
    }
    let snapshot = world.memory.snapshot(session(1_000), Session::SCHEMA).await.unwrap().unwrap();
    assert_eq!(snapshot.seq, 200);
    let before = state(&world).await;
    world.restart(Plan::new()).await;
    assert_eq!(state(&world).await, before);
    for schema in [0, Session::SCHEMA] {
        let seq = world.memory.head(session(1_000)).await.unwrap().seq;
        let rubbish = Snapshot { seq, schema, body: b"rubbish"[..].into() };
        world.memory.save_snapshot(session(1_000), rubbish).await.unwrap();
        world.restart(Plan::new()).await;
        assert_eq!(state(&world).await, before);
    }
    assert_eq!(code(&world.ask(session(1_000), edit(230, &text, "end")).await), "done");
}

#[tokio::test(start_paused = true)]
async fn heads_are_those_of_streams_that_are_awake() {
    let world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    let head = || world.deps.heads.get(Topic::Of(session(1_000))).map(|(_, seq)| seq);
    assert_eq!(head(), Some(1));
    let seq = world.done(session(1_000), start()).await;
    assert_eq!(head(), Some(seq));
    world.done(session(1_000), edit(0, "", "a")).await;
    let with_rows = head();
    world.done(session(1_000), edit(1, "a", "b")).await;
    assert_eq!(head(), with_rows);
    world.until(session(1_000), "sealed", 1).await;
    // An hour later it is filed, and nobody has to stay awake.
    sleep(Ms(70 * 60_000)).await;
    world.until(session(1_000), "filed", 1).await;
    assert_eq!(world.node().directory.awake(), 0);
    assert_eq!(head(), None);
    assert_eq!(world.deps.heads.get(Topic::Of(campaign(1))), None);
    // Who reads it wakes it.
    world.look(id(1_000), |_| ()).await;
    assert_eq!(head(), Some(world.memory.head(session(1_000)).await.unwrap().rows_seq));
}

#[tokio::test(start_paused = true)]
async fn every_frame_of_a_stream_names_the_one_before_it() {
    let world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    let mut frames = world.deps.bus.subscribe(Topic::Of(session(1_000)));
    let mut last = world.deps.heads.get(Topic::Of(session(1_000))).unwrap().1;
    world.done(session(1_000), start()).await;
    // Several in one batch, of which some write no row.
    let edits = (0..10).map(|_| world.ask(session(1_000), edit(0, "", "a")));
    futures_util::future::join_all(edits).await;
    world.done(session(1_000), crate::kit::hand_in()).await;
    world.until(session(1_000), "judged", 1).await;
    let head = world.memory.head(session(1_000)).await.unwrap();
    while last < head.rows_seq {
        let frame = frames.next().await.unwrap().frame().unwrap();
        assert_eq!(frame.frame.prev, Some(last));
        last = frame.frame.seq;
    }
    assert_eq!(world.deps.heads.get(Topic::Of(session(1_000))), Some((1, head.rows_seq)));
}
