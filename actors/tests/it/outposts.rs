//! Runners without a store: they reach nothing but the wire.

use std::{sync::Arc, time::Duration};

use actors::outpost::{Outpost, Ports};
use bytes::Bytes;
use domain::{
    at::Ms,
    cluster::{Subject, Wire},
    ids::LeaseId,
    ports::{Blobs, Bus, Sandbox},
    run::{Typed, Verdict},
    session::RunKind,
    stream::Stream,
};
use serde_json::{Value, json};

use crate::{
    kit::{create_campaign, id, run, session, settings, sit, submission},
    lossy::LossyWire,
    world::{World, sleep},
};

/// A world of two nodes that run nothing, and the wire between them.
async fn world() -> (World, Arc<LossyWire>) {
    let wire = Arc::new(LossyWire::default());
    let world = World::over(wire.clone(), 2, 0).await;
    create_campaign(&world, 1, 12, settings()).await;
    (world, wire)
}

fn outpost(world: &World, wire: Arc<dyn Wire>, workers: usize) -> Outpost {
    let ports = Ports {
        wire,
        bus: Arc::clone(&world.bus) as Arc<dyn Bus>,
        clock: Arc::clone(&world.deps.clock),
        sandbox: Arc::clone(&world.script) as Arc<dyn Sandbox>,
    };
    Outpost::start(ports, "outpost", workers, 1 << 20)
}

async fn ask(world: &World, n: u128, program: &str, kind: RunKind) {
    sit(world, n, program).await;
    world.done(session(n), run(kind)).await;
    world.until(submission(n, 0), "submitted", 1).await;
}

async fn attempts(world: &World, n: u128) -> Vec<String> {
    world.kinds(submission(n, 0)).await.into_iter().skip(1).collect()
}

#[tokio::test(start_paused = true)]
async fn an_outpost_judges_what_waits_and_hidden_validators_stay_hidden() {
    let (world, wire) = world().await;
    let _outpost = outpost(&world, wire, 2);
    for n in 1_000..1_006 {
        ask(&world, n, if n % 2 == 0 { "right" } else { "wrong" }, RunKind::All).await;
    }
    for n in 1_000..1_006 {
        world.until(session(n), "judged", 1).await;
        assert_eq!(attempts(&world, n).await, ["taken", "judged"]);
        let expected = if n % 2 == 0 { Verdict::Accepted } else { Verdict::WrongAnswer };
        let last = world.look(id(n), |s| s.run.as_ref().unwrap().last_verdict).await;
        assert_eq!(last.unwrap().verdict, expected);
    }
    let rows = world.rows(domain::rows::Topic::Of(session(1_001))).await;
    let results = &rows.iter().find(|(key, _)| key.starts_with("run.")).unwrap().1["results"];
    assert_eq!(
        (&results[0]["name"], &results[0]["verdict"]),
        (&"shown".into(), &"wrong_answer".into())
    );
    assert_eq!((&results[1]["shown"], &results[1]["verdict"]), (&false.into(), &"rejected".into()));
    let card = world.node().queue().await.unwrap();
    assert_eq!(card.runners.into_iter().collect::<Vec<_>>(), [("outpost".to_owned(), 0)]);
}

#[tokio::test(start_paused = true)]
async fn who_types_reaches_an_outpost() {
    let (world, wire) = world().await;
    let _outpost = outpost(&world, wire, 1);
    ask(&world, 1_000, "parrot", RunKind::Interactive).await;
    world.until(submission(1_000, 0), "taken", 1).await;
    sleep(Ms(100)).await;
    let Stream::Submission(which) = submission(1_000, 0) else { panic!() };
    for n in 0..2 {
        world.node_of(n).pass(which, actors::console::text("hello\n")).await.unwrap();
        sleep(Ms(10)).await;
        let frame = world.node_of(n).output(which).await.unwrap();
        assert!(frame.rows.iter().any(|(key, _)| key == "input"), "{frame:?}");
    }
    world.node().pass(which, Typed::End).await.unwrap();
    world.until(session(1_000), "judged", 1).await;
}

#[tokio::test(start_paused = true)]
async fn an_outpost_cut_off_goes_on_and_the_first_verdict_counts() {
    let (world, wire) = world().await;
    let cut = Arc::new(Cut::over(wire.clone()));
    let _outpost = outpost(&world, cut.clone(), 1);
    ask(&world, 1_000, "slow", RunKind::All).await;
    world.until(submission(1_000, 0), "taken", 1).await;
    cut.set(true);
    // Nobody else is there to take it: it is judged when the outpost is back, by its first run.
    sleep(Ms(40_000)).await;
    assert_eq!(world.count(submission(1_000, 0), "judged").await, 0);
    cut.set(false);
    world.until(session(1_000), "judged", 1).await;
    assert_eq!(attempts(&world, 1_000).await, ["taken", "judged"]);
    assert_eq!(*world.script.runs.lock().unwrap(), ["slow"]);
    // With another one it is judged there.
    ask(&world, 1_001, "slow", RunKind::All).await;
    world.until(submission(1_001, 0), "taken", 1).await;
    cut.set(true);
    let _other = outpost(&world, wire, 1);
    world.until(session(1_001), "judged", 1).await;
    cut.set(false);
    sleep(Ms(60_000)).await;
    assert_eq!(attempts(&world, 1_001).await, ["taken", "taken", "judged"]);
    assert_eq!(world.count(session(1_001), "judged").await, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_on_the_way_to_an_outpost_costs_nobody_a_verdict() {
    let (world, wire) = world().await;
    let _outposts = [outpost(&world, wire.clone(), 1), outpost(&world, wire.clone(), 1)];
    wire.lose(2);
    for n in 1_000..1_012 {
        ask(&world, n, "right", RunKind::All).await;
    }
    for n in 1_000..1_012 {
        world.until(session(n), "judged", 1).await;
    }
    sleep(Ms(60_000)).await;
    for n in 1_000..1_012 {
        assert_eq!(world.count(session(n), "judged").await, 1);
        // Under one lease an attempt counts once; what was cut off for long is taken again.
        assert!(attempts(&world, n).await.len() <= 4, "{:?}", attempts(&world, n).await);
    }
    assert!(wire.lost.load(std::sync::atomic::Ordering::SeqCst) > 10);
}

#[tokio::test(start_paused = true)]
async fn an_outpost_that_stops_gives_back_what_is_long() {
    let (world, wire) = world().await;
    let outpost = outpost(&world, wire, 1);
    ask(&world, 1_000, "slow", RunKind::All).await;
    world.until(submission(1_000, 0), "taken", 1).await;
    outpost.finish(Duration::from_secs(5)).await;
    assert_eq!(attempts(&world, 1_000).await, ["taken", "given_back"]);
    let card = world.node().queue().await.unwrap();
    assert_eq!((card.waiting, card.running), (1, 0));
}

/// Asks what a runner asks.
async fn say(wire: &dyn Wire, request: Value) -> Bytes {
    let body = serde_json::to_vec(&request).unwrap();
    wire.call(Subject::Runs, body.into(), Duration::from_secs(10)).await.unwrap()
}

async fn take(wire: &dyn Wire) -> Value {
    loop {
        let ticket = LeaseId::random().to_string();
        let take = json!({ "type": "take", "runners": "plain", "ticket": ticket, "by": "me" });
        let task: Value = serde_json::from_slice(&say(wire, take).await).unwrap();
        if !task.is_null() {
            return task;
        }
    }
}

fn errand(task: &Value, errand: &Value) -> Value {
    json!({ "type": "errand", "task": task, "errand": errand })
}

fn verdict(results: &Value) -> Value {
    let outcome =
        json!({ "compiled": true, "compiler_output": "", "results": results, "isolation": "" });
    json!({ "type": "judge", "attempt": 1, "outcome": outcome })
}

fn result(validator: u16, stdout: &str) -> Value {
    json!({
        "validator": validator, "verdict": "accepted", "cpu_ms": 1, "wall_ms": 1,
        "memory_bytes": 1, "detail": "", "stdout": stdout, "stderr": "",
    })
}

#[tokio::test(start_paused = true)]
async fn a_runner_speaks_only_of_what_it_has_leased() {
    let (world, wire) = world().await;
    ask(&world, 1_000, "right", RunKind::All).await;
    ask(&world, 1_001, "right", RunKind::All).await;
    let wire = &*wire;
    let task = take(wire).await;
    let mine: u128 = if task["submission"] == of(1_000) { 1_000 } else { 1_001 };
    let other = 2_001 - mine;
    let forged = [
        json!({ "submission": of(other), "lease": task["lease"], "epoch": 1 }),
        json!({ "submission": of(other), "lease": LeaseId::random().to_string(), "epoch": 1 }),
    ];
    for task in &forged {
        let requests = [
            json!({ "type": "begin" }),
            json!({ "type": "draft", "offset": 0 }),
            json!({ "type": "give_back", "attempt": 1 }),
            verdict(&json!([result(0, ""), result(1, "")])),
        ];
        for request in requests {
            assert_eq!(say(wire, errand(task, &request)).await, "-");
        }
        let finish = json!({
            "type": "finish", "submission": task["submission"], "lease": task["lease"], "left": "done",
        });
        say(wire, finish).await;
    }
    // Of its own it gets what belongs to it…
    assert!(say(wire, errand(&task, &json!({ "type": "begin" }))).await.starts_with(b"+"));
    let draft = say(wire, errand(&task, &json!({ "type": "draft", "offset": 0 }))).await;
    assert!(!String::from_utf8_lossy(&draft).contains(&id(mine).to_string()));
    let draft: Value = serde_json::from_slice(&draft[1..]).unwrap();
    let sha256 = &draft["data"][0][0]["sha256"];
    let data = json!({ "type": "data", "sha256": sha256, "offset": 0 });
    assert_eq!(say(wire, errand(&task, &data)).await, "+1\n");
    // …and nothing else.
    let secret = world.memory.put(Bytes::from_static(b"secret")).await.unwrap();
    let data = json!({ "type": "data", "sha256": secret.sha256, "offset": 0 });
    assert_eq!(say(wire, errand(&task, &data)).await, "-");
    let data = json!({ "type": "data", "sha256": sha256, "offset": 99 });
    assert_eq!(say(wire, errand(&task, &data)).await, "-");
    // What is no request is answered with nothing.
    for body in ["", "{}", "[[[[", r#"{"type":"take"}"#, "\u{0}"] {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let answer = wire.call(Subject::Runs, body, Duration::from_secs(1)).await.unwrap();
        assert!(answer.is_empty());
    }
    // More than it was asked for is left out, and what is long is cut.
    let many = json!([
        result(0, &"x".repeat(100_000)),
        result(1, ""),
        result(1, ""),
        result(7, ""),
        result(0, ""),
    ]);
    assert_eq!(say(wire, errand(&task, &verdict(&many))).await, "+");
    world.until(session(mine), "judged", 1).await;
    let rows = world.rows(domain::rows::Topic::Of(submission(mine, 0))).await;
    let outcome = &rows.iter().find(|(key, _)| key == "outcome").unwrap().1;
    assert_eq!(outcome["results"].as_array().unwrap().len(), 2);
    assert_eq!(outcome["results"][0]["stdout"].as_str().unwrap().len(), 16 * 1024);
    // The other one was touched by nobody, and is there for whoever takes it.
    assert_eq!(world.kinds(submission(other, 0)).await, ["submitted"]);
    assert_eq!(take(wire).await["submission"], of(other));
}

#[tokio::test(start_paused = true)]
async fn what_a_runner_says_is_done_and_is_not_waits_again() {
    let (world, wire) = world().await;
    ask(&world, 1_000, "right", RunKind::All).await;
    let task = take(&*wire).await;
    let (submission, lease) = (&task["submission"], &task["lease"]);
    let finish =
        json!({ "type": "finish", "submission": submission, "lease": lease, "left": "done" });
    say(&*wire, finish).await;
    let _outpost = outpost(&world, wire, 1);
    world.until(session(1_000), "judged", 1).await;
    assert_eq!(attempts(&world, 1_000).await, ["taken", "judged"]);
}

fn of(n: u128) -> Value {
    let Stream::Submission(which) = submission(n, 0) else { panic!() };
    which.to_string().into()
}

/// A wire that can be cut.
struct Cut {
    wire: Arc<dyn Wire>,
    is_cut: std::sync::atomic::AtomicBool,
}

impl Cut {
    fn over(wire: Arc<dyn Wire>) -> Self {
        Self { wire, is_cut: false.into() }
    }

    fn set(&self, is_cut: bool) {
        self.is_cut.store(is_cut, std::sync::atomic::Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl Wire for Cut {
    async fn call(
        &self,
        to: Subject,
        body: Bytes,
        within: Duration,
    ) -> Result<Bytes, domain::cluster::CallError> {
        if self.is_cut.load(std::sync::atomic::Ordering::SeqCst) {
            let away = anyhow::anyhow!("cut");
            return Err(domain::ports::Unavailable(away).into());
        }
        self.wire.call(to, body, within).await
    }

    async fn serve(
        &self,
        subject: Subject,
        serve: Arc<dyn domain::cluster::Serve>,
    ) -> Result<Box<dyn domain::cluster::Serving>, domain::ports::Unavailable> {
        self.wire.serve(subject, serve).await
    }

    fn tell(&self, subject: Subject, body: Bytes) {
        self.wire.tell(subject, body);
    }

    async fn hear(
        &self,
        subject: Subject,
    ) -> Result<Box<dyn domain::cluster::Hearing>, domain::ports::Unavailable> {
        self.wire.hear(subject).await
    }
}
