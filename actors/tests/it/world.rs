//! A node over a store in memory, on tokio's paused clock: time passes when everything waits.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use actors::{
    ask::Meta,
    deps::Deps,
    node::{Node, Options},
};
use async_trait::async_trait;
use domain::{
    aggregate::Outage,
    at::{At, Ms},
    cluster::Wire,
    command::{Answer, AnyCommand},
    frame::Why,
    ids::{CommandId, PersonId, SessionId, SubmissionId},
    ports::{
        Bus, Clock, EventStore, Published, RowQuery, Sandbox, Shard, Shards, Subscription, Typing,
        Unavailable,
    },
    rows::Topic,
    run::{Channel, Job, Outcome, Progress, Typed, ValidatorResult, Verdict},
    session::Session,
    stream::{Origin, Recorded, Stream},
};
use storage::{
    bus::LocalBus,
    flaky::{Flaky, Plan},
    local::{LocalLeases, LocalWire},
    memory::Memory,
};
use tokio::time::{Duration, Instant};

/// When every world begins.
pub(crate) const NOON: At = At(1_000_000_000);

/// See the module.
pub(crate) struct World {
    pub(crate) memory: Arc<Memory>,
    pub(crate) store: Arc<Flaky<Memory>>,
    pub(crate) away: Arc<AtomicBool>,
    pub(crate) bus: Arc<LossyBus>,
    pub(crate) script: Arc<Script>,
    pub(crate) deps: Deps,
    workers: usize,
    nodes: Vec<Option<Node>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_workers(1).await
    }

    pub(crate) async fn with_workers(workers: usize) -> Self {
        let memory = Arc::new(Memory::new());
        let store = Arc::new(Flaky::new(Arc::clone(&memory), Plan::new()));
        let (bus, script) = (Arc::new(LossyBus::default()), Arc::new(Script::default()));
        let away = Arc::new(AtomicBool::new(false));
        let deps = Deps {
            store: Arc::clone(&store) as Arc<dyn EventStore>,
            shards: Arc::new(Gate { memory: Arc::clone(&memory), away: Arc::clone(&away) }),
            blobs: Arc::clone(&memory) as Arc<dyn domain::ports::Blobs>,
            people: Arc::clone(&memory) as Arc<dyn domain::ports::People>,
            bus: Arc::clone(&bus) as Arc<dyn Bus>,
            clock: Arc::new(Virtual(Instant::now())),
            sandbox: Arc::clone(&script) as Arc<dyn Sandbox>,
            heads: Arc::default(),
            wire: Arc::new(LocalWire::default()),
            leases: Arc::new(LocalLeases::default()),
        };
        let nodes = vec![None];
        let mut world = Self { memory, store, away, bus, script, deps, workers, nodes };
        world.restart(Plan::new()).await;
        world
    }

    /// A world of `n` nodes, with leases that can be lost; each has its share of the shards.
    pub(crate) async fn of_nodes(n: usize) -> Self {
        Self::over(Arc::new(LocalWire::default()), n, 1).await
    }

    /// The same, over `wire`, each with so many workers.
    pub(crate) async fn over(wire: Arc<dyn Wire>, n: usize, workers: usize) -> Self {
        let mut world = Self::with_workers(workers).await;
        world.kill().await;
        world.deps.leases = Arc::new(LocalLeases::new(Ms(6_000)));
        world.deps.wire = wire;
        let started = futures_util::future::join_all((0..n).map(|n| world.new_node(n))).await;
        world.nodes = started.into_iter().map(Some).collect();
        world
    }

    /// Starts another node in place `n`, beside the others.
    pub(crate) async fn start(&mut self, n: usize) {
        self.nodes[n] = Some(self.new_node(n).await);
    }

    async fn new_node(&self, n: usize) -> Node {
        let options = Options {
            listens: Duration::from_millis(1_500),
            is_alone: false,
            ..Options::alone(&format!("n{n}"), self.workers)
        };
        let sandbox = Arc::new(Placed { n, script: Arc::clone(&self.script) });
        let deps = Deps { heads: Arc::default(), sandbox, ..self.deps.clone() };
        Node::start(deps, options).await.unwrap()
    }

    /// Ends node `n` as a power cut would.
    pub(crate) async fn kill_node(&mut self, n: usize) {
        self.nodes[n] = None;
        settle().await;
    }

    /// The place of the node that owns `stream`, if one does.
    pub(crate) fn owner(&self, stream: Stream) -> Option<usize> {
        let owns = |node: &Option<Node>| {
            node.as_ref().is_some_and(|node| node.owned().contains(&stream.shard()))
        };
        self.nodes.iter().position(owns)
    }

    pub(crate) fn node_of(&self, n: usize) -> &Node {
        self.nodes[n].as_ref().unwrap()
    }

    /// Kills the node, and starts another one on the same store, with the faults of `plan`.
    pub(crate) async fn restart(&mut self, plan: Plan) {
        self.kill().await;
        self.store = Arc::new(Flaky::new(Arc::clone(&self.memory), plan));
        self.deps.store = Arc::clone(&self.store) as Arc<dyn EventStore>;
        self.deps.heads = Arc::default();
        self.deps.wire = Arc::new(LocalWire::default());
        self.deps.leases = Arc::new(LocalLeases::default());
        let options = Options::alone("here", self.workers);
        let node = Node::start(self.deps.clone(), options).await.unwrap();
        self.nodes = vec![Some(node)];
    }

    pub(crate) fn set_workers(&mut self, workers: usize) {
        self.workers = workers;
    }

    pub(crate) async fn kill(&mut self) {
        self.nodes.iter_mut().for_each(|node| *node = None);
        settle().await;
    }

    /// The first one that lives.
    pub(crate) fn node(&self) -> &Node {
        self.nodes.iter().flatten().next().unwrap()
    }

    /// From now on nothing can be read or committed, or everything can again.
    pub(crate) fn set_away(&self, away: bool) {
        self.store.set_away(away);
        self.away.store(away, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> At {
        self.deps.clock.now()
    }

    pub(crate) async fn ask(&self, to: Stream, command: AnyCommand) -> Answer {
        self.ask_as(to, meta(CommandId::random(), true), command).await
    }

    pub(crate) async fn ask_as(&self, to: Stream, meta: Meta, command: AnyCommand) -> Answer {
        let received_at = meta.received_at.or_else(|| Some(self.now()));
        self.node().directory.ask(to, Meta { received_at, ..meta }, command).await
    }

    /// Asks, again as often as it is told to, as pages do, and panics if that is refused.
    pub(crate) async fn done(&self, to: Stream, command: AnyCommand) -> u64 {
        let (id, until) = (CommandId::random(), self.now() + Ms(30_000));
        let mut is_first = true;
        loop {
            match self.ask_as(to, meta(id, is_first), command.clone()).await {
                Answer::Done { seq, .. } => return seq,
                Answer::Refused(Why { retry_after_ms: Some(after_ms), .. })
                    if self.now() < until =>
                {
                    sleep(Ms(after_ms.cast_signed())).await;
                }
                Answer::Refused(why) => panic!("{to} refused: {why:?}"),
            }
            is_first = false;
        }
    }

    pub(crate) async fn look<R: Send + 'static>(
        &self,
        session: SessionId,
        look: impl Fn(&Session) -> R + Clone + Send + 'static,
    ) -> R {
        self.node().directory.look(session, look).await.unwrap()
    }

    pub(crate) async fn log(&self, stream: Stream) -> Vec<Recorded> {
        self.memory.read(stream, 0, 10_000).await.unwrap()
    }

    /// The names of a stream's events.
    pub(crate) async fn kinds(&self, stream: Stream) -> Vec<String> {
        self.log(stream).await.into_iter().map(|event| event.kind).collect()
    }

    /// How many events of that name a stream has.
    pub(crate) async fn count(&self, stream: Stream, kind: &str) -> usize {
        self.kinds(stream).await.iter().filter(|known| *known == kind).count()
    }

    pub(crate) async fn rows(&self, topic: Topic) -> Vec<(String, serde_json::Value)> {
        let query = RowQuery { topic, after_key: None, changed_after: None, limit: 10_000 };
        let rows = self.memory.rows(query).await.unwrap();
        let read = |row: domain::ports::Row| {
            (row.key, serde_json::from_slice(&row.value.unwrap()).unwrap())
        };
        rows.into_iter().map(read).collect()
    }

    /// Waits until a stream has `n` events of that name; panics after ten minutes.
    pub(crate) async fn until(&self, stream: Stream, kind: &str, n: usize) {
        for _ in 0..60_000 {
            if self.count(stream, kind).await >= n {
                return;
            }
            sleep(Ms(10)).await;
        }
        panic!("{stream} has {:?}", self.kinds(stream).await);
    }
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn sleep(length: Ms) {
    tokio::time::sleep(Duration::from_millis(u64::try_from(length.0).unwrap())).await;
}

/// A command of the one creator there is.
pub(crate) fn meta(command_id: CommandId, is_first: bool) -> Meta {
    let origin = Origin::Person(PersonId::from_u128(1));
    Meta { origin, command_id, received_at: None, is_first }
}

pub(crate) fn code(answer: &Answer) -> &str {
    match answer {
        Answer::Done { .. } => "done",
        Answer::Refused(why) => &why.code,
    }
}

/// Tokio's clock, as the time of day.
struct Virtual(Instant);

impl Clock for Virtual {
    fn now(&self) -> At {
        NOON + Ms(i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// The shards of a store that may be away.
struct Gate {
    memory: Arc<Memory>,
    away: Arc<AtomicBool>,
}

impl Gate {
    fn here(&self) -> Result<&Memory, Unavailable> {
        let away = self.away.load(Ordering::SeqCst);
        if away { Err(Unavailable(anyhow::anyhow!("away"))) } else { Ok(&self.memory) }
    }
}

#[async_trait]
impl Shards for Gate {
    async fn take(&self, shard: u16, owner: &str, now: At) -> Result<u64, Unavailable> {
        self.here()?.take(shard, owner, now).await
    }

    async fn take_after(
        &self,
        shards: &[(u16, u64)],
        owner: &str,
        now: At,
    ) -> Result<Vec<(u16, u64)>, Unavailable> {
        self.here()?.take_after(shards, owner, now).await
    }

    async fn shards(&self) -> Result<Vec<Shard>, Unavailable> {
        self.here()?.shards().await
    }

    async fn clock(&self) -> Result<Option<At>, Unavailable> {
        self.here()?.clock().await
    }

    async fn alive(
        &self,
        shards: &[(u16, u64)],
        outages: &[(u16, Outage)],
        now: At,
    ) -> Result<Vec<u16>, Unavailable> {
        self.here()?.alive(shards, outages, now).await
    }

    async fn outages(&self, shard: u16, since: At) -> Result<Vec<Outage>, Unavailable> {
        self.here()?.outages(shard, since).await
    }
}

/// A bus that loses everything while it is told to.
#[derive(Default)]
pub(crate) struct LossyBus {
    inner: LocalBus,
    loses: AtomicBool,
}

impl LossyBus {
    pub(crate) fn lose(&self, loses: bool) {
        self.loses.store(loses, Ordering::SeqCst);
    }
}

impl Bus for LossyBus {
    fn publish(&self, frame: Arc<Published>) {
        if !self.loses.load(Ordering::SeqCst) {
            self.inner.publish(frame);
        }
    }

    fn subscribe(&self, topic: Topic) -> Box<dyn Subscription> {
        self.inner.subscribe(topic)
    }
}

/// A sandbox whose programs say what comes of them: `right`, `panic`, `internal`, `hang`, `slow`
/// (right, after half a minute), `parrot` (says again what is typed, until that ends), or wrong.
#[derive(Default)]
pub(crate) struct Script {
    /// The first word of each program that was run, in order.
    pub(crate) runs: Mutex<Vec<String>>,
    /// Of several nodes: where each submission was run, in order.
    pub(crate) places: Mutex<Vec<(SubmissionId, usize)>>,
}

/// The script as node `n` plays it.
struct Placed {
    n: usize,
    script: Arc<Script>,
}

impl Placed {
    fn note(&self, job: &Job) {
        self.script.places.lock().unwrap().push((job.submission, self.n));
    }
}

#[async_trait]
impl Sandbox for Placed {
    fn isolation(&self) -> String {
        self.script.isolation()
    }

    async fn run(&self, job: &Job, tell: &(dyn Fn(Progress) + Send + Sync)) -> Outcome {
        self.note(job);
        self.script.run(job, tell).await
    }

    async fn converse(
        &self,
        job: &Job,
        typing: &mut dyn Typing,
        tell: &(dyn Fn(Progress) + Send + Sync),
    ) -> Outcome {
        self.note(job);
        self.script.converse(job, typing, tell).await
    }
}

#[async_trait]
impl Sandbox for Script {
    fn isolation(&self) -> String {
        "none".to_owned()
    }

    async fn run(&self, job: &Job, tell: &(dyn Fn(Progress) + Send + Sync)) -> Outcome {
        let word = job.files[0].text.split_whitespace().next().unwrap_or_default().to_owned();
        self.runs.lock().unwrap().push(word.clone());
        tell(Progress::Running { validator: 0 });
        tokio::time::sleep(Duration::from_millis(100)).await;
        let verdict = match word.as_str() {
            "panic" => panic!("a test planned this panic"),
            "hang" => std::future::pending().await,
            "slow" => {
                tokio::time::sleep(Duration::from_secs(30)).await;
                Verdict::Accepted
            }
            "internal" => Verdict::InternalError,
            "right" => Verdict::Accepted,
            _ => Verdict::WrongAnswer,
        };
        self.outcome(job, verdict)
    }

    async fn converse(
        &self,
        job: &Job,
        typing: &mut dyn Typing,
        tell: &(dyn Fn(Progress) + Send + Sync),
    ) -> Outcome {
        self.runs.lock().unwrap().push("parrot".to_owned());
        tell(Progress::Running { validator: 0 });
        print(tell, "say something\n");
        loop {
            match typing.next().await {
                Typed::Text(text) => print(tell, std::str::from_utf8(&text).unwrap()),
                Typed::End => return self.outcome(job, Verdict::Accepted),
                Typed::Stop => return self.outcome(job, Verdict::Stopped),
            }
        }
    }
}

fn print(tell: &(dyn Fn(Progress) + Send + Sync), text: &str) {
    let bytes = bytes::Bytes::copy_from_slice(text.as_bytes());
    tell(Progress::Output { validator: 0, channel: Channel::Stdout, offset: 0, bytes });
}

impl Script {
    fn outcome(&self, job: &Job, verdict: Verdict) -> Outcome {
        let result = |input: &domain::run::Input| ValidatorResult {
            cpu_ms: 1,
            wall_ms: 1,
            memory_bytes: 1,
            ..ValidatorResult::unmeasured(input.validator, verdict, String::new())
        };
        let results = job.inputs.iter().map(result).collect();
        let (compiler_output, isolation) = (String::new(), self.isolation());
        Outcome { compiled: true, compiler_output, results, isolation }
    }
}
