//! Calls between nodes, and what is said to all of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    cluster::{CallError, Serve, Subject, Wire},
    ids::NodeId,
};
use futures_util::future::join_all;
use tokio::sync::{Barrier, Semaphore};

/// Longer than a test may take: what must be known at once would not be.
pub(crate) const LONG: Duration = Duration::from_mins(10);

pub(crate) const SUBJECT: Subject = Subject::Commands(7);

pub(crate) type Both = [Arc<dyn Wire>; 2];

/// Answers what was asked, with its own name in front.
pub(crate) struct Echo(pub &'static str);

#[async_trait]
impl Serve for Echo {
    async fn answer(&self, body: Bytes) -> Bytes {
        [self.0.as_bytes(), &body].concat().into()
    }
}

/// Counts calls, and answers none until it is let.
pub(crate) struct Gate {
    pub taken: Semaphore,
    pub open: Semaphore,
}

impl Gate {
    pub(crate) fn closed() -> Arc<Self> {
        Arc::new(Self { taken: Semaphore::new(0), open: Semaphore::new(0) })
    }

    /// Waits until `calls` were taken.
    pub(crate) async fn has_taken(&self, calls: u32) {
        self.taken.acquire_many(calls).await.unwrap().forget();
    }
}

#[async_trait]
impl Serve for Gate {
    async fn answer(&self, body: Bytes) -> Bytes {
        self.taken.add_permits(1);
        self.open.acquire().await.unwrap().forget();
        body
    }
}

/// Counts calls.
#[derive(Default)]
pub(crate) struct Count(pub AtomicUsize);

#[async_trait]
impl Serve for Count {
    async fn answer(&self, body: Bytes) -> Bytes {
        self.0.fetch_add(1, Ordering::SeqCst);
        body
    }
}

/// An answer, or its error as a word.
pub(crate) fn word(answer: Result<Bytes, CallError>) -> String {
    match answer {
        Ok(body) => String::from_utf8(body.to_vec()).unwrap(),
        Err(CallError::NobodyServes) => "nobody".into(),
        Err(CallError::Busy) => "busy".into(),
        Err(CallError::TooLarge) => "too large".into(),
        Err(CallError::TimedOut) => "timed out".into(),
        Err(CallError::Unavailable(_)) => "unavailable".into(),
    }
}

pub(crate) async fn ask(wire: &Arc<dyn Wire>, body: &'static str) -> String {
    word(wire.call(SUBJECT, Bytes::from_static(body.as_bytes()), LONG).await)
}

pub(crate) async fn a_call_is_answered_by_who_serves([a, b]: Both) {
    let _serving = a.serve(SUBJECT, Arc::new(Echo("a:"))).await.unwrap();
    assert_eq!(ask(&b, "hello").await, "a:hello");
    assert_eq!(ask(&a, "hello").await, "a:hello");
    let node = Subject::Node(NodeId::from_u128(1));
    let _other = b.serve(node, Arc::new(Echo("b:"))).await.unwrap();
    assert_eq!(word(a.call(node, Bytes::new(), LONG).await), "b:");
    assert_eq!(ask(&b, "hello").await, "a:hello");
}

pub(crate) async fn that_nobody_serves_is_known_at_once([a, b]: Both) {
    assert_eq!(ask(&a, "hello").await, "nobody");
    let serving = a.serve(SUBJECT, Arc::new(Echo("a:"))).await.unwrap();
    assert_eq!(word(b.call(Subject::Commands(8), Bytes::new(), LONG).await), "nobody");
    drop(serving);
    assert_eq!(ask(&a, "hello").await, "nobody");
    assert_eq!(ask(&b, "hello").await, "nobody");
}

pub(crate) async fn a_call_that_was_taken_is_answered_by_who_serves_no_more([a, b]: Both) {
    let gate = Gate::closed();
    let serving = a.serve(SUBJECT, Arc::clone(&gate) as _).await.unwrap();
    let dropping = async {
        gate.has_taken(2).await;
        drop(serving);
        assert_eq!(ask(&a, "late").await, "nobody");
        gate.open.add_permits(2);
    };
    let (here, there, ()) = tokio::join!(ask(&a, "here"), ask(&b, "there"), dropping);
    assert_eq!((here.as_str(), there.as_str()), ("here", "there"));
}

pub(crate) async fn a_call_goes_on_when_its_caller_has_gone([a, b]: Both) {
    let gate = Gate::closed();
    let _serving = a.serve(SUBJECT, Arc::clone(&gate) as _).await.unwrap();
    for wire in [&a, &b] {
        let short = Duration::from_millis(30);
        assert_eq!(word(wire.call(SUBJECT, Bytes::new(), short).await), "timed out");
    }
    gate.has_taken(2).await;
    gate.open.add_permits(2);
    let used_up = async {
        while gate.open.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
    };
    used_up.await;
}

pub(crate) async fn calls_are_carried_out_side_by_side([a, b]: Both) {
    struct Meet(Barrier);
    #[async_trait]
    impl Serve for Meet {
        async fn answer(&self, body: Bytes) -> Bytes {
            self.0.wait().await;
            body
        }
    }
    let _serving = a.serve(SUBJECT, Arc::new(Meet(Barrier::new(3)))).await.unwrap();
    let answers = join_all([ask(&a, "x"), ask(&b, "x"), ask(&b, "x")]).await;
    assert_eq!(answers, ["x", "x", "x"]);
}

pub(crate) async fn too_much_at_once_is_known_at_once([a, b]: Both) {
    let gate = Gate::closed();
    let _serving = a.serve(SUBJECT, Arc::clone(&gate) as _).await.unwrap();
    let calls = join_all((0..1_024).map(|_| ask(&b, "x")));
    let one_more = async {
        gate.has_taken(1_024).await;
        assert_eq!(ask(&b, "x").await, "busy");
        assert_eq!(ask(&a, "x").await, "busy");
        gate.open.add_permits(1_025);
    };
    let (answers, ()) = tokio::join!(calls, one_more);
    assert!(answers.iter().all(|answer| answer == "x"));
    while ask(&b, "x").await == "busy" {}
}

pub(crate) async fn who_serves_later_on_a_node_is_asked([a, b]: Both) {
    let first = a.serve(SUBJECT, Arc::new(Echo("first:"))).await.unwrap();
    let second = a.serve(SUBJECT, Arc::new(Echo("second:"))).await.unwrap();
    for _ in 0..20 {
        assert_eq!(ask(&b, "x").await, "second:x");
        assert_eq!(ask(&a, "x").await, "second:x");
    }
    drop(first);
    assert_eq!(ask(&b, "x").await, "second:x");
    drop(second);
    assert_eq!(ask(&b, "x").await, "nobody");
}

pub(crate) async fn a_call_is_carried_out_once_though_two_serve([a, b]: Both) {
    let counted = Arc::new(Count::default());
    let _one = a.serve(SUBJECT, Arc::clone(&counted) as _).await.unwrap();
    let _other = b.serve(SUBJECT, Arc::clone(&counted) as _).await.unwrap();
    for _ in 0..50 {
        assert_eq!(ask(&b, "x").await, "x");
    }
    assert_eq!(counted.0.load(Ordering::SeqCst), 50);
}

pub(crate) async fn large_bodies_go_both_ways([a, b]: Both) {
    let _serving = a.serve(SUBJECT, Arc::new(Echo(""))).await.unwrap();
    let body = Bytes::from(vec![7; 600 * 1024]);
    let answer = b.call(SUBJECT, body.clone(), LONG).await.unwrap();
    assert!(answer == body);
    assert_eq!(b.call(SUBJECT, Bytes::new(), LONG).await.unwrap(), Bytes::new());
}

pub(crate) async fn a_bug_in_one_call_is_told_and_harms_no_other([a, b]: Both) {
    struct Bug;
    #[async_trait]
    impl Serve for Bug {
        async fn answer(&self, body: Bytes) -> Bytes {
            assert!(body != "bug", "as the test wants it");
            body
        }
    }
    let _serving = a.serve(SUBJECT, Arc::new(Bug)).await.unwrap();
    assert_eq!(ask(&b, "bug").await, "unavailable");
    assert_eq!(ask(&a, "bug").await, "unavailable");
    assert_eq!(ask(&b, "fine").await, "fine");
}

pub(crate) async fn what_is_said_is_heard_by_all([a, b]: Both) {
    let mut here = a.hear(Subject::Nodes).await.unwrap();
    let mut there = b.hear(Subject::Nodes).await.unwrap();
    for text in ["one", "two"] {
        a.tell(Subject::Nodes, text.into());
        a.tell(Subject::Runs, "something else".into());
        assert_eq!(here.next().await.unwrap(), text);
        assert_eq!(there.next().await.unwrap(), text);
    }
}

pub(crate) async fn to_hear_is_not_to_serve([a, b]: Both) {
    let mut heard = a.hear(Subject::Runs).await.unwrap();
    assert_eq!(word(b.call(Subject::Runs, Bytes::new(), LONG).await), "nobody");
    let gate = Gate::closed();
    let _serving = b.serve(Subject::Runs, Arc::clone(&gate) as _).await.unwrap();
    b.tell(Subject::Runs, "hint".into());
    assert_eq!(heard.next().await.unwrap(), "hint");
    assert_eq!(gate.taken.available_permits(), 0, "what is said is no call");
}
