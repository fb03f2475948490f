//! Frames, as two nodes publish and watch them.

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    frame::RowsFrame,
    ids::{CampaignId, SubmissionId},
    ports::{Bus, Heard, Published, Subscription},
    rows::Topic,
};

pub(crate) type Both = [Arc<dyn Bus>; 2];

pub(crate) fn frame(topic: Topic, seq: u64) -> Arc<Published> {
    let rows = vec![
        ("a\"ü".to_owned(), Some(Bytes::from(format!(r#"{{"seq":{seq}}}"#)))),
        ("gone".to_owned(), None),
    ];
    let prev = Some(seq.saturating_sub(1));
    let frame = RowsFrame { topic, epoch: 3, seq, prev, reset: false, more: true, rows };
    let text = frame.write().into();
    Arc::new(Published::new(frame, text))
}

/// What comes next, as its seq; `None` is a gap.
pub(crate) async fn next(watcher: &mut Box<dyn Subscription>) -> Option<u64> {
    match watcher.next().await.unwrap() {
        Heard::Frame(published) => Some(published.frame.seq),
        Heard::Gap => None,
    }
}

/// Publishes until `watcher` hears one: then the other node is known to listen.
pub(crate) async fn meet(bus: &Arc<dyn Bus>, watcher: &mut Box<dyn Subscription>, topic: Topic) {
    for seq in 1_000.. {
        bus.publish(frame(topic, seq));
        let soon = std::time::Duration::from_millis(20);
        while let Ok(heard) = tokio::time::timeout(soon, next(watcher)).await {
            if heard == Some(seq) {
                return;
            }
        }
    }
}

const TOPIC: Topic = Topic::Campaigns;

pub(crate) async fn what_one_publishes_all_hear([a, b]: Both) {
    let (mut here, mut there) = (a.subscribe(TOPIC), b.subscribe(TOPIC));
    let mut beside = b.subscribe(TOPIC);
    meet(&a, &mut there, TOPIC).await;
    a.publish(frame(TOPIC, 1));
    for watcher in [&mut here, &mut there, &mut beside] {
        while next(watcher).await != Some(1) {}
    }
    a.publish(frame(TOPIC, 2));
    let sent = format!("{:?}", frame(TOPIC, 2));
    for watcher in [&mut here, &mut there, &mut beside] {
        let heard = watcher.next().await.unwrap().frame().unwrap();
        assert_eq!(format!("{heard:?}"), sent);
    }
}

pub(crate) async fn frames_come_in_order_from_both([a, b]: Both) {
    let mut there = b.subscribe(TOPIC);
    meet(&a, &mut there, TOPIC).await;
    meet(&b, &mut there, TOPIC).await;
    for seq in 1..=20 {
        a.publish(frame(TOPIC, seq));
        b.publish(frame(TOPIC, 100 + seq));
    }
    let mut heard = vec![];
    while heard.len() < 40 {
        heard.push(next(&mut there).await.expect("nothing was lost"));
    }
    let (theirs, ours): (Vec<u64>, Vec<u64>) = heard.into_iter().partition(|seq| *seq <= 20);
    assert!(theirs.into_iter().eq(1..=20));
    assert!(ours.into_iter().eq(101..=120));
}

pub(crate) async fn each_topic_is_heard_alone([a, b]: Both) {
    let output = Topic::Output(SubmissionId::from_u128(1));
    let (mut there, mut other) = (b.subscribe(output), b.subscribe(TOPIC));
    meet(&a, &mut there, output).await;
    meet(&a, &mut other, TOPIC).await;
    a.publish(frame(Topic::Output(SubmissionId::from_u128(2)), 1));
    a.publish(frame(output, 2));
    a.publish(frame(TOPIC, 3));
    assert_eq!(next(&mut there).await, Some(2));
    assert_eq!(next(&mut other).await, Some(3));
}

pub(crate) async fn who_lags_is_told_of_the_gap([a, b]: Both) {
    let (mut slow, mut quick) = (b.subscribe(TOPIC), b.subscribe(TOPIC));
    meet(&a, &mut quick, TOPIC).await;
    meet(&a, &mut slow, TOPIC).await;
    for seq in 1..=200 {
        a.publish(frame(TOPIC, seq));
        while next(&mut quick).await != Some(seq) {}
    }
    let mut heard = vec![];
    while let Some(seq) = next(&mut slow).await {
        heard.push(seq);
    }
    assert!(heard.len() <= 64 && heard.len() < 200);
    a.publish(frame(TOPIC, 201));
    assert_eq!(next(&mut slow).await, Some(201));
}

pub(crate) async fn a_board_is_of_its_node([a, b]: Both) {
    for topic in [Topic::Monitor(CampaignId::from_u128(1)), Topic::Wall(CampaignId::from_u128(1))] {
        let mut here = a.subscribe(topic);
        a.publish(frame(topic, 1));
        assert_eq!(next(&mut here).await, Some(1));
        drop(b.subscribe(topic));
    }
}
