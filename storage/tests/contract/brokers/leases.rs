//! Leases when NATS is killed, wiped, stopped, or shared.

use std::{sync::Arc, time::Duration};

use domain::cluster::{Lease, LeaseError, Leases};
use storage::{
    nats::{
        Nats, Options,
        leases::{ClaimError, NatsLeases, Shape},
    },
    scratch::server::{Program, Server},
};

use super::{stranger, until};
use crate::{
    leases::{A, B, Both, is_changed},
    nodes::{Pair, connect, server, shape},
};

/// Leases that outlast the test.
async fn lasting(server: &Server) -> Both {
    let claim = async || {
        let shape = Shape { ttl: Duration::from_mins(1), ..shape("one") };
        Arc::new(NatsLeases::claim(&connect(server).await, shape).await.unwrap())
    };
    [claim().await, claim().await]
}

fn is_away<T>(answer: &Result<T, LeaseError>) -> bool {
    matches!(answer, Err(LeaseError::Unavailable(_)))
}

/// Holds what it held before; the new revision.
async fn put_again([a, b]: &Both, old: u64) {
    let new = until(async || a.put(5, A, None).await.ok()).await;
    assert!(new > old, "{new} is not above {old}");
    assert!(is_changed(&a.put(5, A, Some(old)).await), "nothing of before comes back");
    // It may not be back yet.
    until(async || is_changed(&b.put(5, B, None).await).then_some(())).await;
    let held = Lease { owner: A, revision: new };
    let sees = async |leases: &Arc<dyn Leases>| {
        until(async || {
            let all = leases.all().await.ok()?;
            (all.get(&5) == Some(&held)).then_some(())
        })
        .await;
    };
    sees(b).await;
    sees(a).await;
    let renewed = a.put(5, A, Some(new)).await.unwrap();
    a.release(5, renewed).await.unwrap();
}

async fn killed(wiped: bool) {
    let Some(mut server) = server(Program::Nats).await else { return };
    let both = lasting(&server).await;
    let old = both[0].put(5, A, None).await.unwrap();
    server.kill().unwrap();
    assert!(is_away(&both[0].put(5, A, Some(old)).await));
    assert!(both[1].all().await.is_err());
    if wiped {
        server.wipe().unwrap();
    }
    server.start_again().await.unwrap();
    put_again(&both, old).await;
}

#[tokio::test]
async fn a_server_that_is_killed_takes_no_lease_for_good() {
    killed(false).await;
}

#[tokio::test]
async fn a_server_whose_store_is_wiped_takes_no_lease_for_good() {
    killed(true).await;
}

/// Deletes the bucket behind everybody's back.
async fn delete_bucket(server: &Server) {
    let stranger = stranger(server).await;
    let deleted = stranger.request("$JS.API.STREAM.DELETE.KV_test-leases", "".into()).await;
    let answer = String::from_utf8(deleted.unwrap().payload.to_vec()).unwrap();
    assert!(answer.contains(r#""success":true"#), "{answer}");
}

#[tokio::test]
async fn a_bucket_that_is_deleted_is_made_again() {
    let Some(server) = server(Program::Nats).await else { return };
    let both = lasting(&server).await;
    for _ in 0..2 {
        let old = both[0].put(5, A, None).await.unwrap();
        delete_bucket(&server).await;
        let renewed = both[0].put(5, A, Some(old)).await;
        assert!(is_changed(&renewed), "what is of before is not there: {renewed:?}");
        put_again(&both, old).await;
    }
}

#[tokio::test]
async fn an_empty_bucket_is_no_invitation_to_take_what_was_held() {
    let Some(server) = server(Program::Nats).await else { return };
    let [a, b] = lasting(&server).await;
    let old = a.put(5, A, None).await.unwrap();
    let held = Lease { owner: A, revision: old };
    let sees = async || (b.all().await.ok()?.get(&5) == Some(&held)).then_some(());
    until(sees).await;
    delete_bucket(&server).await;
    until(async || b.put(6, B, None).await.ok()).await;
    until(sees).await;
    let new = a.put(5, A, None).await.unwrap();
    let held = Lease { owner: A, revision: new };
    until(async || (b.all().await.ok()?.get(&5) == Some(&held)).then_some(())).await;
}

#[tokio::test]
async fn a_server_that_stands_still_is_away_and_comes_back() {
    let Some(server) = server(Program::Nats).await else { return };
    let both = Both::at(&server).await;
    let old = both[0].put(5, A, None).await.unwrap();
    server.stand_still().unwrap();
    assert!(is_away(&both[0].put(5, A, Some(old)).await));
    server.go_on().unwrap();
    // What was asked meanwhile may have been carried out, late.
    until(async || {
        let all = both[1].all().await.ok()?;
        all.is_empty().then_some(())
    })
    .await;
    let new = until(async || both[0].put(5, A, None).await.ok()).await;
    assert!(new > old);
    let mut nth = 5;
    until(async || {
        nth += 1;
        let revision = both[0].put(nth, A, None).await.ok()?;
        let all = both[1].all().await.ok()?;
        (all.get(&nth)?.revision == revision).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_name_of_a_cluster_belongs_to_one_database() {
    let Some(server) = server(Program::Nats).await else { return };
    let (a, b) = (connect(&server).await, connect(&server).await);
    let held = NatsLeases::claim(&a, shape("one")).await.unwrap();
    held.put(1, A, None).await.unwrap();
    assert!(NatsLeases::claim(&b, shape("one")).await.is_ok());
    let taken = NatsLeases::claim(&b, shape("two")).await.err().unwrap();
    assert!(matches!(taken, ClaimError::Taken(_)));
    let words = taken.to_string();
    assert!(words.contains("\"test\"") && words.contains("(one, ours is two)"), "{words}");
    assert_eq!(held.all().await.unwrap().len(), 1, "nothing was harmed");
    let other = Options::new(&server.url(), "other".parse().unwrap());
    let other = Nats::connect(other).await.unwrap();
    let other = NatsLeases::claim(&other, shape("two")).await.unwrap();
    assert!(other.put(1, B, None).await.is_ok(), "two clusters do not meet");
    assert_eq!(other.all().await.unwrap().len(), 1);
}
