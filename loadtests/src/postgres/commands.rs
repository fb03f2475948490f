//! Whole commands on PostgreSQL: candidates who type, through the owners of their sessions; and how
//! long a session that sleeps takes to be there again.

use std::{sync::Arc, time::Duration};

use actors::{
    ask::Meta,
    journal::Journal,
    node::{Node, Options},
};
use anyhow::{Context, bail};
use domain::{
    at::Ms,
    command::{Answer, AnyCommand},
    content::{Code, Component, Content, Language},
    ids::{CommandId, ContentId, SeatId, SessionId},
    plan::{Plan, Question, QuestionPlan},
    points::Points,
    session::{Command, FileKey, Session, Terms},
    stream::{Origin, Stream},
};
use fastrand::Rng;
use loadtests::typist::Text;
use serde_json::Value;
use storage::{bus::LocalBus, postgres::Postgres, scratch::Scratch};
use tokio::{task::JoinSet, time::Instant};

use super::{Meter, Turn};
use crate::alone::deps;

const SEAT: SeatId = SeatId::from_u128(1);

/// How often each session is loaded.
const LOADS: usize = 20;

/// Some sessions on a node of their own.
pub(super) struct Sessions {
    node: Arc<Node>,
    typists: Vec<Typist>,
}

struct Typist {
    session: SessionId,
    text: Text,
    random: Rng,
}

impl Sessions {
    pub(super) async fn start(server: &Scratch, count: u64) -> anyhow::Result<Self> {
        let store = Postgres::open(&server.schema("sessions").await?).await?;
        let deps = deps(&store, Arc::new(LocalBus::default()));
        let node = Arc::new(Node::start(deps, Options::alone("load", 0)).await?);
        let mut typists = vec![];
        for n in 0..count {
            typists.push(Typist::start(&node, n).await?);
        }
        Ok(Self { node, typists })
    }

    /// Everybody types, one edit after the other.
    pub(super) async fn turn(
        &mut self,
        server: &Scratch,
        length: Duration,
    ) -> anyhow::Result<Turn> {
        let meter = Meter::start(server)?;
        let end = Instant::now() + length;
        let mut tasks = JoinSet::new();
        for typist in self.typists.drain(..) {
            tasks.spawn(typist.type_until(Arc::clone(&self.node), end));
        }
        let mut took = vec![];
        while let Some(ended) = tasks.join_next().await {
            let (typist, its) = ended??;
            self.typists.push(typist);
            took.extend(its);
        }
        Turn::of(&took, length, &meter)
    }

    /// Loads each session as its owner does, from its last snapshot and what came after.
    pub(super) async fn activations(&self) -> anyhow::Result<Vec<Duration>> {
        let mut took = vec![];
        for typist in self.typists.iter().cycle().take(LOADS * self.typists.len()) {
            let stream = Stream::Session(typist.session);
            let start = Instant::now();
            Journal::<Session>::load(stream, 1, self.node.deps.clone()).await?;
            took.push(start.elapsed());
        }
        Ok(took)
    }
}

impl Typist {
    /// Invites and starts a session: an hour for one question of code.
    async fn start(node: &Node, n: u64) -> anyhow::Result<Self> {
        let session = SessionId::random();
        let code = Code { languages: vec![Language::Python], ..Code::default() };
        let component = Component::Code(Box::new(code));
        let content = Content { title: "Sum".to_owned(), component, ..Content::default() };
        let points = Points::from_hundredths(100);
        let question =
            Question { content: ContentId::from_u128(1), version: 1, points, limit: None };
        let questions = vec![QuestionPlan::new(&question, &content)];
        let plan = Arc::new(Plan { questions, ..Plan::default() });
        let terms = Terms { time_allowed: Ms::from_secs(3_600), ..Terms::default() };
        ask(node, session, Command::Invite { session, campaign: None, terms, plan }).await?;
        ask(node, session, Command::Start { seat: SEAT }).await?;
        Ok(Self { session, text: Text::new("", 0), random: Rng::with_seed(n) })
    }

    async fn type_until(
        mut self,
        node: Arc<Node>,
        end: Instant,
    ) -> anyhow::Result<(Self, Vec<Duration>)> {
        let mut took = vec![];
        while Instant::now() < end {
            let change = if self.text.text().len() < 4_000 {
                self.text.typed(&mut self.random)
            } else {
                self.text.replaced("print(sum(map(int, input().split())))\n")
            };
            let file =
                FileKey { question: 0, language: Language::Python, name: "main.py".to_owned() };
            let changes = serde_json::from_value(change.json.clone())?;
            let base_rev = self.text.rev;
            let edit = Command::Edit { seat: SEAT, file, base_rev, changes, caret: 0 };
            let start = Instant::now();
            let answer = ask(&node, self.session, edit).await?;
            took.push(start.elapsed());
            let rev = answer["rev"].as_u64().context("an edit has a revision")?;
            self.text.take(change, u32::try_from(rev)?);
        }
        Ok((self, took))
    }
}

async fn ask(node: &Node, session: SessionId, command: Command) -> anyhow::Result<Value> {
    let (origin, command_id) = (Origin::Candidate(session), CommandId::random());
    let meta = Meta { origin, command_id, received_at: None, is_first: true };
    let command = AnyCommand::Session(Box::new(command));
    match node.directory.ask(Stream::Session(session), meta, command).await {
        Answer::Done { answer, .. } => Ok(answer.unwrap_or_default()),
        Answer::Refused(why) => bail!("refused: {why:?}"),
    }
}
