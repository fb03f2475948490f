//! Sealed sessions are filed, whoever has to do it.

use domain::{at::Ms, rows::Topic};
use storage::flaky::Plan;

use crate::{
    kit::{MINUTE, create_campaign, hand_in, session, settings, sit},
    world::{World, sleep},
};

#[tokio::test(start_paused = true)]
async fn what_was_sealed_before_a_restart_is_filed_by_the_next_server() {
    let mut world = World::new().await;
    create_campaign(&world, 1, 30, settings()).await;
    for n in 1_000..1_030 {
        sit(&world, n, "a").await;
        world.done(session(n), hand_in()).await;
    }
    sleep(MINUTE).await;
    assert_eq!(world.rows(Topic::Unfiled).await.len(), 30);
    world.restart(Plan::new()).await;
    sleep(Ms(50 * MINUTE.0)).await;
    assert_eq!(world.count(session(1_000), "filed").await, 0);
    assert_eq!(world.node().directory.awake(), 0, "nobody stays awake for it");
    sleep(Ms(30 * MINUTE.0)).await;
    for n in 1_000..1_030 {
        assert_eq!(world.count(session(n), "filed").await, 1);
    }
    assert_eq!(world.rows(Topic::Unfiled).await, vec![]);
    assert_eq!(world.node().directory.awake(), 0);
    // Filing again at the next looks changes nothing.
    world.restart(Plan::new()).await;
    sleep(Ms(60 * MINUTE.0)).await;
    assert_eq!(world.count(session(1_000), "filed").await, 1);
}

#[tokio::test(start_paused = true)]
async fn who_files_late_wakes_only_a_few_at_once() {
    let mut world = World::new().await;
    create_campaign(&world, 1, 60, settings()).await;
    for n in 1_000..1_060 {
        world.done(session(n), crate::kit::start()).await;
        world.done(session(n), hand_in()).await;
    }
    world.kill().await;
    sleep(Ms(90 * MINUTE.0)).await;
    world.restart(Plan::new()).await;
    sleep(Ms(1_000)).await;
    let awake = world.node().directory.awake();
    assert!((1..=15).contains(&awake), "{awake} in the first second");
    sleep(Ms(10 * MINUTE.0)).await;
    assert_eq!(world.rows(Topic::Unfiled).await, vec![]);
    assert_eq!(world.node().directory.awake(), 0);
}
