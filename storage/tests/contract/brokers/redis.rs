//! A cache that is emptied, killed, stopped, or locked.

use std::sync::Arc;

use domain::{at::Ms, cluster::Cache};
use storage::{
    nats::Credentials,
    redis::{ANSWER_MAX, Options, RedisCache},
    scratch::server::{Program, Server},
};

use super::{HEALS, until};
use crate::{
    caches::Both,
    nodes::{Pair, server},
};

const LONG: Ms = Ms::from_secs(3_600);

/// It remembers what it is told now.
async fn works(cache: &Arc<dyn Cache>) {
    until(async || {
        cache.put("works", "x".into(), LONG).await;
        cache.get("works").await
    })
    .await;
}

#[tokio::test]
async fn it_may_be_emptied_at_any_moment() {
    let Some(server) = server(Program::Redis).await else { return };
    let [a, b] = Both::at(&server).await;
    works(&a).await;
    assert_eq!(a.allow("name", 1, LONG).await, Some(true));
    let client = redis::Client::open(server.url()).unwrap();
    let mut stranger = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("FLUSHALL").exec_async(&mut stranger).await.unwrap();
    redis::cmd("SCRIPT").arg("FLUSH").exec_async(&mut stranger).await.unwrap();
    assert_eq!(b.get("works").await, None);
    assert_eq!(b.allow("name", 1, LONG).await, Some(true));
    assert_eq!(a.allow("name", 1, LONG).await, Some(false));
}

#[tokio::test]
async fn without_it_nothing_is_known_until_it_is_back() {
    let Some(mut server) = server(Program::Redis).await else { return };
    let [a, b] = Both::at(&server).await;
    works(&a).await;
    server.kill().unwrap();
    assert_eq!(a.get("works").await, None);
    assert_eq!(b.allow("name", 1, LONG).await, None);
    a.put("works", "x".into(), LONG).await;
    server.start_again().await.unwrap();
    works(&a).await;
    until(async || b.allow("name", 1, LONG).await).await;
    until(async || b.get("works").await).await;
}

#[tokio::test]
async fn one_that_stands_still_keeps_nobody_waiting() {
    let Some(server) = server(Program::Redis).await else { return };
    let a: Arc<dyn Cache> = Arc::new(RedisCache::open(&options(&server)).unwrap());
    works(&a).await;
    server.stand_still().unwrap();
    let many = async {
        // Each of them would wait for 50 ms.
        for _ in 0..5_000 {
            assert_eq!(a.allow("name", 1, LONG).await, None);
        }
    };
    tokio::time::timeout(HEALS, many).await.expect("nobody waits");
    server.go_on().unwrap();
    works(&a).await;
}

fn options(server: &Server) -> Options {
    let (url, cluster) = (server.url(), "test".parse().unwrap());
    Options { url, cluster, credentials: None, ca: None, answer_max: ANSWER_MAX }
}

#[tokio::test]
async fn a_password_lets_in_and_is_never_in_the_address() {
    let more = ["--requirepass", "secret"];
    let Some(server) = Server::start(Program::Redis, &more).await.unwrap() else { return };
    let credentials = Credentials { user: "default".into(), password: "secret".into() };
    let ours = Options { credentials: Some(credentials), ..options(&server) };
    let ours: Arc<dyn Cache> = Arc::new(RedisCache::open(&ours).unwrap());
    works(&ours).await;
    let without = RedisCache::open(&options(&server)).unwrap();
    for _ in 0..100 {
        assert_eq!(without.get("works").await, None);
        tokio::task::yield_now().await;
    }
    let url = server.url().replace("//", "//default:secret@");
    let words = RedisCache::open(&Options { url, ..options(&server) }).err().unwrap().to_string();
    assert!(words.contains("a file") && !words.contains("secret"), "{words}");
}

#[tokio::test]
async fn two_clusters_at_one_redis_do_not_meet() {
    let Some(server) = server(Program::Redis).await else { return };
    let [a, _] = Both::at(&server).await;
    works(&a).await;
    let other = Options { cluster: "other".parse().unwrap(), ..options(&server) };
    let other: Arc<dyn Cache> = Arc::new(RedisCache::open(&other).unwrap());
    until(async || other.allow("name", 1, LONG).await).await;
    assert_eq!(other.get("works").await, None);
}
