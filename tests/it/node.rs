//! A node over a store that forgets, without a server around it; sessions of one question on it.

use std::sync::Arc;

use actors::{
    ask::Meta,
    deps::Deps,
    directory::Directory,
    node::{Node, Options},
};
use anyhow::Context;
use domain::{
    at::{At, Ms},
    command::{Answer, AnyCommand},
    content::{Code, Component, Content, Language},
    frame::Why,
    ids::{CommandId, ContentId, PersonId, SeatId, SessionId},
    plan::{Plan, Question, QuestionPlan},
    points::Points,
    ports::{Clock, EventStore},
    rows::Topic,
    session::{Command, FileKey, Terms},
    stream::{Origin, Stream},
};
use loadtests::typist::Text;
use runner::FakeSandbox;
use serde_json::Value;
use storage::{
    bus::LocalBus,
    forgetful::Forgetful,
    local::{LocalLeases, LocalWire},
    memory::Memory,
};
use tokio::{
    sync::watch,
    time::{Duration, Instant, sleep},
};

const SEAT: SeatId = SeatId::from_u128(1);

/// The node that runs now, if one does.
pub(crate) type Running = watch::Receiver<Option<Arc<Directory>>>;

/// See the module.
pub(crate) struct World {
    pub(crate) store: Arc<Forgetful>,
    deps: Deps,
    node: Option<Node>,
    running: watch::Sender<Option<Arc<Directory>>>,
}

impl World {
    pub(crate) async fn new(store: Forgetful) -> anyhow::Result<Self> {
        let (store, memory) = (Arc::new(store), Arc::new(Memory::new()));
        let deps = Deps {
            store: Arc::clone(&store) as Arc<dyn EventStore>,
            shards: Arc::clone(&store) as _,
            blobs: Arc::clone(&memory) as _,
            people: memory,
            bus: Arc::new(LocalBus::default()),
            clock: Arc::new(Virtual(Instant::now())),
            sandbox: Arc::new(FakeSandbox::new()),
            heads: Arc::default(),
            wire: Arc::new(LocalWire::default()),
            leases: Arc::new(LocalLeases::default()),
        };
        let mut world = Self { store, deps, node: None, running: watch::Sender::new(None) };
        world.start().await?;
        Ok(world)
    }

    /// Starts a node; nobody runs anything on it.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        self.deps.heads = Arc::default();
        self.deps.wire = Arc::new(LocalWire::default());
        self.deps.leases = Arc::new(LocalLeases::default());
        let node = Node::start(self.deps.clone(), Options::alone("here", 0)).await?;
        self.running.send_replace(Some(Arc::clone(&node.directory)));
        self.node = Some(node);
        Ok(())
    }

    /// The power goes.
    pub(crate) async fn cut(&mut self) {
        self.running.send_replace(None);
        self.store.crash();
        self.node = None;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn running(&self) -> Running {
        self.running.subscribe()
    }

    pub(crate) fn now(&self) -> At {
        self.deps.clock.now()
    }

    /// The row `session` of session `n`.
    pub(crate) async fn row(&self, n: u128) -> anyhow::Result<Value> {
        let row = self.store.row(Topic::Of(session(n)), "session").await?;
        let value = row.and_then(|row| row.value).context("a session has a row")?;
        Ok(serde_json::from_slice(&value)?)
    }

    /// What is stored of the file in session `n`.
    pub(crate) async fn text(&self, n: u128) -> anyhow::Result<Text> {
        let directory = &self.node.as_ref().context("a node runs")?.directory;
        let file = directory.look(SessionId::from_u128(n), |session| {
            let file = session.run.as_ref()?.file(&main_file())?;
            Some(Text::new(&file.text, file.rev))
        });
        file.await.flatten().context("the file is there")
    }
}

/// Tokio's clock, as the time of day.
struct Virtual(Instant);

impl Clock for Virtual {
    fn now(&self) -> At {
        At(1_000_000_000) + Ms(i64::try_from(self.0.elapsed().as_millis()).unwrap_or(0))
    }
}

fn session(n: u128) -> Stream {
    Stream::Session(SessionId::from_u128(n))
}

fn main_file() -> FileKey {
    FileKey { question: 0, language: Language::Python, name: "main.py".to_owned() }
}

/// Invites and starts session `n`: an hour for one question of code.
pub(crate) async fn start(world: &World, n: u128) -> anyhow::Result<()> {
    let code = Code { languages: vec![Language::Python], ..Code::default() };
    let component = Component::Code(Box::new(code));
    let content = Content { title: "Sum".to_owned(), component, ..Content::default() };
    let points = Points::from_hundredths(100);
    let question = Question { content: ContentId::from_u128(1), version: 1, points, limit: None };
    let questions = vec![QuestionPlan::new(&question, &content)];
    let plan = Arc::new(Plan { questions, ..Plan::default() });
    let terms = Terms { time_allowed: Ms::from_secs(3_600), ..Terms::default() };
    let invite = Command::Invite { session: SessionId::from_u128(n), campaign: None, terms, plan };
    for command in [invite, Command::Start { seat: SEAT }] {
        let done = ask(&mut world.running(), n, command).await;
        done.map_err(|why| anyhow::anyhow!("{why:?}"))?;
    }
    Ok(())
}

/// `changes` to `text`, as CodeMirror writes them.
pub(crate) fn edit(text: &Text, changes: &Value) -> Command {
    let changes = serde_json::from_value(changes.clone()).expect("a typist writes changes");
    Command::Edit { seat: SEAT, file: main_file(), base_rev: text.rev, changes, caret: 0 }
}

/// Asks session `n` under one id until there is an answer, of whichever node runs.
pub(crate) async fn ask(running: &mut Running, n: u128, command: Command) -> Result<Value, Why> {
    let command = AnyCommand::Session(Box::new(command));
    let (command_id, mut is_first) = (CommandId::random(), true);
    loop {
        let node = running.wait_for(Option::is_some).await.expect("the world is there").clone();
        let Some(node) = node else { continue };
        let origin = Origin::Person(PersonId::from_u128(1));
        let meta = Meta { origin, command_id, received_at: None, is_first };
        is_first = false;
        let answer = tokio::select! {
            answer = node.ask(session(n), meta, command.clone()) => answer,
            _ = running.changed() => continue,
        };
        match answer {
            Answer::Done { answer, .. } => return Ok(answer.unwrap_or_default()),
            Answer::Refused(Why { retry_after_ms: Some(wait_ms), .. }) => {
                sleep(Duration::from_millis(wait_ms)).await;
            }
            Answer::Refused(why) => return Err(why),
        }
    }
}
