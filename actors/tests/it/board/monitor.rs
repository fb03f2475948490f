//! A monitor is there while somebody watches it.

use std::collections::BTreeSet;

use domain::{at::Ms, campaign::Command, ports::People as _};

use super::{MONITOR, OF, Page, WALL, world};
use crate::{
    kit::{campaign, edit, hand_in, id, session, start, to_campaign},
    world::sleep,
};

#[tokio::test(start_paused = true)]
async fn us_081_a_monitor_is_made_for_whoever_watches_and_for_nobody_else() {
    let world = world(3).await;
    let board = world.node().board(OF).await.unwrap();
    let mut told = world.deps.bus.subscribe(MONITOR);
    let _on_the_wall = Page::read(&board, WALL).await;
    world.done(session(1_000), start()).await;
    sleep(Ms(1_000)).await;
    assert!(tokio::time::timeout(std::time::Duration::from_secs(5), told.next()).await.is_err());
    assert!(board.read(MONITOR, (0, 0)).await.unwrap().is_empty());
    assert_eq!(world.deps.heads.get(MONITOR), None);

    let (one, other) = (Page::read(&board, MONITOR).await, Page::read(&board, MONITOR).await);
    let status = |page: &Page| {
        let row = &page.rows[&format!("c.{}", id(1_000))];
        row["candidate"]["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status(&one), "test_in_process", "what happened while nobody watched is in it");
    assert_eq!(one.rows, other.rows);
    drop(other);
    sleep(Ms(1_000)).await;
    assert_eq!(world.deps.heads.get(MONITOR), Some(one.after), "one still watches");

    let before = one.after;
    drop(one);
    sleep(Ms(1_000)).await;
    assert_eq!(world.deps.heads.get(MONITOR), None);
    let again = Page::read(&board, MONITOR).await;
    assert!(before.0 < again.after.0, "who has seen an earlier one begins anew");
}

/// Rows are written when they are looked at, and say what the order says all the same.
#[tokio::test(start_paused = true)]
async fn a_row_says_what_its_rank_says_also_between_two_times_that_the_wall_is_sent() {
    let world = world(2).await;
    for n in [1_000, 1_001] {
        world.done(session(n), start()).await;
    }
    let board = world.node().board(OF).await.unwrap();
    sleep(Ms(1_000)).await;
    world.done(session(1_001), edit(0, "", "right")).await;
    world.done(session(1_001), hand_in()).await;
    let mut seen = BTreeSet::new();
    for _ in 0..300 {
        let rows = board.place(id(1_001), 0).await.unwrap().rows.unwrap();
        let row = |key: &str| -> serde_json::Value {
            let of = rows.iter().find(|(of, _)| of == key);
            serde_json::from_slice(&of.unwrap().1).unwrap()
        };
        let own = row("you")["key"].as_str().unwrap().to_owned();
        // With nothing they are the second of two.
        let (is_first, has_points) = (rows[0].0 == own, row(&own)["score"] != 0.0);
        assert_eq!(is_first, has_points);
        seen.insert(is_first);
        sleep(Ms(10)).await;
    }
    assert_eq!(seen.len(), 2, "they have overtaken the other one");
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_begins_while_the_store_is_away_is_whole_soon_after_it_is_back() {
    let world = world(3).await;
    let board = world.node().board(OF).await.unwrap();
    world.set_away(true);
    let mut page = Page::read(&board, MONITOR).await;
    assert_eq!(page.count("c."), 0);
    sleep(Ms(5_000)).await;
    world.set_away(false);
    sleep(Ms(2_000)).await;
    page.take_in(&board.read(MONITOR, page.after).await.unwrap());
    assert_eq!(page.count("c."), 3);
}

#[tokio::test(start_paused = true)]
async fn another_name_is_shown_at_once_as_the_campaign_tells_of_it() {
    let world = world(2).await;
    let board = world.node().board(OF).await.unwrap();
    let mut page = Page::read(&board, MONITOR).await;
    let mut contact = world.memory.contact(id(1_001)).await.unwrap().unwrap();
    contact.name = "Grace Number 1001".to_owned();
    world.memory.save_contact(contact).await.unwrap();
    // The tags are the same as before.
    let tag = Command::Tag { session: id(1_001), tags: vec![] };
    world.done(campaign(1), to_campaign(tag)).await;
    sleep(Ms(1_000)).await;
    page.take_in(&board.read(MONITOR, page.after).await.unwrap());
    assert_eq!(page.rows[&format!("c.{}", id(1_001))]["name"], "Grace Number 1001");
}
