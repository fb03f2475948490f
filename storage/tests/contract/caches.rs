//! What two gateways remember together.

use std::sync::Arc;

use bytes::Bytes;
use domain::{at::Ms, cluster::Cache};
use futures_util::future::join_all;

pub(crate) type Both = [Arc<dyn Cache>; 2];

const LONG: Ms = Ms::from_secs(3_600);

pub(crate) async fn what_one_puts_all_get([a, b]: Both) {
    assert_eq!(a.get("key").await, None);
    let value = Bytes::from_static(b"\0\xff\r\n");
    a.put("key", value.clone(), LONG).await;
    assert_eq!(b.get("key").await, Some(value));
    assert_eq!(b.get("other").await, None);
    b.put("key", Bytes::new(), LONG).await;
    assert_eq!(a.get("key").await, Some(Bytes::new()));
    b.forget("key").await;
    assert_eq!(a.get("key").await, None);
    b.forget("key").await;
}

pub(crate) async fn a_value_is_kept_for_its_time([a, b]: Both) {
    a.put("short", "x".into(), Ms(60)).await;
    a.put("long", "x".into(), LONG).await;
    while b.get("short").await.is_some() {
        tokio::task::yield_now().await;
    }
    assert!(b.get("long").await.is_some());
    a.put("long", "x".into(), Ms(0)).await;
    assert_eq!(b.get("long").await, None);
}

pub(crate) async fn so_many_are_allowed_at_once([a, b]: Both) {
    let asks = (0..64).map(|n| if n % 2 == 0 { &a } else { &b }.allow("name", 5, LONG));
    let allowed = join_all(asks).await;
    assert_eq!(allowed.iter().filter(|allowed| **allowed == Some(true)).count(), 5);
    assert_eq!(allowed.iter().filter(|allowed| **allowed == Some(false)).count(), 59);
    assert_eq!(a.allow("other", 1, LONG).await, Some(true));
    assert_eq!(b.allow("other", 1, LONG).await, Some(false));
    a.forget("other").await;
    assert_eq!(b.allow("other", 1, LONG).await, Some(false), "a rate is no value");
}

pub(crate) async fn one_more_is_allowed_after_a_while([a, b]: Both) {
    let every = Ms(300);
    while a.allow("name", 3, every).await == Some(true) {}
    while b.allow("name", 3, every).await == Some(false) {
        tokio::task::yield_now().await;
    }
    assert_eq!(a.allow("name", 3, every).await, Some(false), "and only one");
}

pub(crate) async fn none_and_any_are_rates_too([a, _]: Both) {
    assert_eq!(a.allow("none", 0, LONG).await, Some(false));
    for _ in 0..3 {
        assert_eq!(a.allow("any", 1, Ms(0)).await, Some(true));
    }
}
