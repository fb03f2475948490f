//! Frames that are lost, and how that is found out.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{
    frame::RowsFrame,
    ids::{NodeId, SubmissionId},
    ports::{Published, Subscription},
    rows::Topic,
};
use storage::scratch::server::Program;

use super::{HEALS, stranger, until};
use crate::{
    buses::{Both, frame, meet, next},
    nodes::{Pair, server},
};

const TOPIC: Topic = Topic::Campaigns;

/// Hears until it is told of a gap.
async fn gap(watcher: &mut Box<dyn Subscription>) {
    let gap = async { while next(watcher).await.is_some() {} };
    tokio::time::timeout(HEALS, gap).await.expect("it is told of the gap");
}

#[tokio::test]
async fn a_restart_is_a_gap_and_frames_come_again() {
    let Some(mut server) = server(Program::Nats).await else { return };
    let [a, b] = Both::at(&server).await;
    let (mut there, mut here) = (b.subscribe(TOPIC), a.subscribe(TOPIC));
    meet(&a, &mut there, TOPIC).await;
    server.kill().unwrap();
    // More than any queue takes.
    for seq in 1..=5_000 {
        a.publish(frame(TOPIC, seq));
    }
    server.start_again().await.unwrap();
    gap(&mut there).await;
    gap(&mut here).await;
    meet(&a, &mut there, TOPIC).await;
    meet(&b, &mut here, TOPIC).await;
}

/// Larger than what NATS takes.
fn large(topic: Topic) -> Arc<Published> {
    let rows = vec![("key".to_owned(), Some(Bytes::from(vec![b'1'; 2 * 1024 * 1024])))];
    let frame = RowsFrame { topic, epoch: 1, seq: 5, prev: None, reset: true, more: false, rows };
    Arc::new(Published::new(frame, Bytes::new()))
}

#[tokio::test]
async fn a_lost_frame_is_found_by_the_one_behind_it() {
    let Some(server) = server(Program::Nats).await else { return };
    let [a, b] = Both::at(&server).await;
    let mut there = b.subscribe(TOPIC);
    meet(&a, &mut there, TOPIC).await;
    a.publish(large(TOPIC));
    a.publish(frame(TOPIC, 6));
    assert_eq!(next(&mut there).await, None);
    assert_eq!(next(&mut there).await, Some(6));
}

#[tokio::test]
async fn a_lost_last_frame_is_found_though_nothing_follows() {
    let Some(server) = server(Program::Nats).await else { return };
    let [a, b] = Both::at(&server).await;
    for topic in [TOPIC, Topic::Output(SubmissionId::from_u128(1))] {
        let mut there = b.subscribe(topic);
        meet(&a, &mut there, topic).await;
        a.publish(large(topic));
        gap(&mut there).await;
        a.publish(frame(topic, 6));
        assert_eq!(next(&mut there).await, Some(6), "it is told once");
    }
}

#[tokio::test]
async fn heads_of_what_nobody_heard_are_a_gap() {
    let Some(server) = server(Program::Nats).await else { return };
    let [_, b] = Both::at(&server).await;
    let mut there = b.subscribe(TOPIC);
    let stranger = stranger(&server).await;
    let mut told_of = async |age: u32| {
        let heads = format!("{}\ncampaigns 7 {age}\nnonsense\n", NodeId::from_u128(1));
        stranger.publish("test.heads", heads.into()).await.unwrap();
        let soon = Duration::from_millis(400);
        tokio::time::timeout(soon, next(&mut there)).await.ok()
    };
    until(async || told_of(0).await).await;
    assert_eq!(told_of(0).await, None, "it is told once");
}

#[tokio::test]
async fn a_subscription_ends_with_its_last_watcher() {
    let Some(server) = server(Program::Nats).await else { return };
    let [_, b] = Both::at(&server).await;
    let stranger = stranger(&server).await;
    let is_heard = async || {
        let asked = stranger.request("test.live.campaigns", "".into());
        let asked = tokio::time::timeout(Duration::from_millis(50), asked).await;
        // Who hears does not answer; that nobody hears is said at once.
        asked.is_err()
    };
    let (one, other) = (b.subscribe(TOPIC), b.subscribe(TOPIC));
    until(async || is_heard().await.then_some(())).await;
    drop(one);
    assert!(is_heard().await);
    drop(other);
    until(async || (!is_heard().await).then_some(())).await;
    let _again = b.subscribe(TOPIC);
    until(async || is_heard().await.then_some(())).await;
}
