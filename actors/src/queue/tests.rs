//! The queue with runners that a test plays.

use domain::{
    ids::{CommandId, SessionId},
    ports::{Append, Clock, EventStore, Sandbox, Shards},
    rows::RowChange,
    run::{Job, Outcome, Progress},
    stream::{Recorded, Stream},
};
use ractor::rpc::CallResult;
use storage::{
    bus::LocalBus,
    local::{LocalLeases, LocalWire},
    memory::Memory,
};

use super::*;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> At {
        At(0)
    }
}

struct Nothing;

#[async_trait::async_trait]
impl Sandbox for Nothing {
    fn isolation(&self) -> String {
        String::new()
    }

    async fn run(&self, _job: &Job, _tell: &(dyn Fn(Progress) + Send + Sync)) -> Outcome {
        panic!("the runners are the test's own")
    }
}

/// A queue over a table in which `submissions` wait.
async fn queue(submissions: &[SubmissionId]) -> ActorRef<Msg> {
    let memory = Arc::new(Memory::new());
    for id in submissions {
        let stream = Stream::Submission(*id);
        let epoch = memory.take(stream.shard(), "here", At(0)).await.unwrap();
        let command_id = CommandId::random();
        let (origin, kind) = ("node".to_owned(), "submitted".to_owned());
        let recorded =
            Recorded { seq: 1, at: At(0), origin, command_id, n: 0, kind, body: "{}".into() };
        let session = SessionId::from_u128(1);
        let row = serde_json::json!({
            "submitted": { "session": session, "campaign": null, "kind": "all", "files": [] },
            "at": 0,
        });
        let rows = vec![RowChange::put(Topic::Queue, id.to_string(), &row)];
        let (wake_at, untold, events) = (None, None, vec![recorded]);
        let append = Append { stream, epoch, expected_seq: 0, events, wake_at, untold, rows };
        memory.append(append).await.unwrap();
    }
    let bus = Arc::new(LocalBus::default());
    let deps = Deps {
        store: memory.clone(),
        shards: memory.clone(),
        blobs: memory.clone(),
        people: memory,
        bus: bus.clone(),
        clock: Arc::new(Noon),
        sandbox: Arc::new(Nothing),
        heads: Arc::default(),
        wire: Arc::new(LocalWire::default()),
        leases: Arc::new(LocalLeases::default()),
    };
    let outputs = Arc::new(Outputs::new(bus, Arc::default(), Arc::new(Noon)));
    Actor::spawn(None, Queue, Arguments { deps, outputs, hold: None }).await.unwrap().0
}

async fn take(queue: &ActorRef<Msg>) -> Task {
    loop {
        let take = |reply| Msg::Take {
            runners: Runners::Plain,
            ticket: CommandId::random(),
            by: "me".to_owned(),
            reply,
        };
        match queue.call(take, None).await {
            Ok(CallResult::Success(Some(task))) => return task,
            Ok(CallResult::Success(None)) => {}
            _ => panic!("the queue is gone"),
        }
    }
}

const ONE: SubmissionId = SubmissionId::from_u128(1);

#[tokio::test(start_paused = true)]
async fn what_a_runner_had_that_vanished_is_given_to_another_within_five_seconds() {
    let queue = queue(&[ONE]).await;
    let first = take(&queue).await;
    let began = Instant::now();
    let second = take(&queue).await;
    assert_eq!(second.submission, ONE);
    assert!(second.lease != first.lease && first.epoch < second.epoch);
    assert!(began.elapsed() <= Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_is_there_keeps_what_it_has_however_long_that_takes() {
    let queue = queue(&[ONE]).await;
    let Task { submission, lease, .. } = take(&queue).await;
    let mut others = JoinSet::new();
    let other = queue.clone();
    others.spawn(async move { take(&other).await.submission });
    for _ in 0..120 {
        tokio::time::sleep(leases::RENEW).await;
        let renew = |reply| Msg::Renew { submission, lease, reply };
        assert!(matches!(queue.call(renew, None).await, Ok(CallResult::Success(true))));
    }
    assert!(others.try_join_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_comes_back_late_with_a_verdict_ends_it_for_everybody() {
    let queue = queue(&[ONE]).await;
    let first = take(&queue).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    // It waits again; the first runner is done after all.
    let (submission, lease) = (first.submission, first.lease);
    queue.cast(Msg::Finished { submission, lease, left: Left::Done }).unwrap();
    let nobody = tokio::time::timeout(Duration::from_secs(9), take(&queue)).await;
    assert!(nobody.is_err());
}
