//! Calls when NATS is away.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::cluster::{Serve, Subject, Wire};
use futures_util::future::join_all;
use storage::{
    nats::{Nats, Options, wire::NatsWire},
    scratch::server::Program,
};

use super::until;
use crate::{
    nodes::{Pair, connect, server},
    wires::{Both, Count, Echo, LONG, SUBJECT, ask, word},
};

#[tokio::test]
async fn who_served_serves_again_after_a_restart() {
    let Some(mut server) = server(Program::Nats).await else { return };
    let [a, b] = Both::at(&server).await;
    let _serving = a.serve(SUBJECT, Arc::new(Echo("a:"))).await.unwrap();
    let mut heard = b.hear(Subject::Nodes).await.unwrap();
    assert_eq!(ask(&b, "x").await, "a:x");
    server.kill().unwrap();
    // A call that is under way when the connection breaks is given up at once.
    until(async || (ask(&b, "x").await == "unavailable").then_some(())).await;
    assert_eq!(ask(&a, "x").await, "a:x", "one's own needs no server");
    assert!(b.serve(SUBJECT, Arc::new(Echo("b:"))).await.is_err());
    assert_eq!(ask(&b, "x").await, "unavailable", "and nothing of it stays");
    server.start_again().await.unwrap();
    until(async || (soon(&b).await == "a:x").then_some(())).await;
    until(async || {
        a.tell(Subject::Nodes, "hello".into());
        tokio::time::timeout(Duration::from_millis(20), heard.next()).await.ok()
    })
    .await;
}

/// As [`ask`], but the server may not know of everybody yet.
async fn soon(wire: &Arc<dyn Wire>) -> String {
    word(wire.call(SUBJECT, Bytes::from_static(b"x"), Duration::from_secs(1)).await)
}

#[tokio::test]
async fn a_server_that_stands_still_costs_time_and_nothing_else() {
    let Some(server) = server(Program::Nats).await else { return };
    let [a, b] = Both::at(&server).await;
    let _serving = a.serve(SUBJECT, Arc::new(Echo("a:"))).await.unwrap();
    server.stand_still().unwrap();
    let short = Duration::from_millis(100);
    assert_eq!(word(b.call(SUBJECT, Bytes::new(), short).await), "timed out");
    server.go_on().unwrap();
    assert_eq!(ask(&b, "x").await, "a:x");
}

#[tokio::test]
async fn a_third_node_has_a_call_carried_out_once_though_two_serve() {
    let Some(server) = server(Program::Nats).await else { return };
    let [a, b] = Both::at(&server).await;
    let counted = Arc::new(Count::default());
    let _one = a.serve(Subject::Runs, Arc::clone(&counted) as _).await.unwrap();
    let _other = b.serve(Subject::Runs, Arc::clone(&counted) as _).await.unwrap();
    let third: Arc<dyn Wire> = Arc::new(NatsWire::new(&connect(&server).await));
    for _ in 0..50 {
        let body = Bytes::from_static(b"x");
        assert_eq!(word(third.call(Subject::Runs, body, Duration::from_secs(1)).await), "x");
    }
    assert_eq!(counted.0.load(Ordering::SeqCst), 50);
}

/// Whoever is told that nobody serves it asks again at once; what is not answered is waited for.
#[tokio::test]
async fn no_command_is_lost_where_its_shard_moves_from_one_node_to_another() {
    let Some(server) = server(Program::Nats).await else { return };
    let [a, b] = Both::at(&server).await;
    let third: Arc<dyn Wire> = Arc::new(NatsWire::new(&connect(&server).await));
    let counted = Arc::new(Count::default());
    let mut serving = a.serve(SUBJECT, Arc::clone(&counted) as _).await.unwrap();
    for turn in 0..40 {
        let to = if turn % 2 == 0 { &b } else { &a };
        let before = std::mem::replace(
            &mut serving,
            to.serve(SUBJECT, Arc::clone(&counted) as _).await.unwrap(),
        );
        let asked = async { join_all((0..50).map(|_| ask(&third, "x"))).await };
        let (answers, ()) = tokio::join!(asked, async { drop(before) });
        let is_answered = |answer: &String| answer == "x" || answer == "nobody";
        assert!(answers.iter().all(is_answered), "{turn}: {answers:?}");
    }
}

#[tokio::test]
async fn what_is_too_large_is_said_to_be() {
    struct Large;
    #[async_trait]
    impl Serve for Large {
        async fn answer(&self, _: Bytes) -> Bytes {
            vec![0; 2 * 1024 * 1024].into()
        }
    }
    let Some(server) = server(Program::Nats).await else { return };
    let [a, b] = Both::at(&server).await;
    let _serving = a.serve(SUBJECT, Arc::new(Large)).await.unwrap();
    let answer = b.call(SUBJECT, Bytes::new(), LONG).await.unwrap_err().to_string();
    assert!(answer.contains("the answer could not be sent"), "{answer}");
    let large = vec![0; 2 * 1024 * 1024].into();
    assert_eq!(word(b.call(SUBJECT, large, LONG).await), "too large");
}

#[tokio::test]
async fn two_clusters_at_one_server_do_not_meet() {
    let Some(server) = server(Program::Nats).await else { return };
    let ours: Arc<dyn Wire> = Arc::new(NatsWire::new(&connect(&server).await));
    let _serving = ours.serve(SUBJECT, Arc::new(Echo("ours:"))).await.unwrap();
    let options = Options::new(&server.url(), "other".parse().unwrap());
    let theirs: Arc<dyn Wire> = Arc::new(NatsWire::new(&Nats::connect(options).await.unwrap()));
    assert_eq!(ask(&theirs, "x").await, "nobody");
    assert_eq!(ask(&ours, "x").await, "ours:x");
}
