//! A candidate: opens a link, watches their session, types, runs, hands in; comes back when the
//! socket is lost, with what was not acknowledged. Everything that is wrong on the way is a problem.

mod asking;
mod hearing;
mod sitting;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use anyhow::Context;
use domain::{
    frame::Why,
    ids::{CommandId, SeatId, SessionId},
};
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    http::Http,
    monitor::Sightings,
    socket::Socket,
    typist::{Change, Text},
    view::View,
};

/// How a command was answered: what `done` says besides, or why not.
pub type Answer = Result<Value, Why>;

/// How many problems of one candidate are kept.
const PROBLEMS_MAX: usize = 10;

/// See the module.
pub struct Candidate {
    pub browser: Http,
    pub session: SessionId,
    pub seat: SeatId,
    /// The rows of the own session.
    pub view: View,
    /// The file that is typed in, and what is in it as far as it is acknowledged.
    pub file: Value,
    pub text: Text,
    pub report: Report,
    /// How many edits are acknowledged, for those who wait.
    pub acknowledged: Arc<AtomicU32>,
    /// Where a monitor's watcher reads when each edit was sent.
    pub sightings: Option<Arc<Sightings>>,
    pub random: Rng,
    /// The own session's.
    pub topic: String,
    socket: Option<Socket>,
    /// How often there was a socket.
    connections: u32,
    /// Sent and not yet answered, oldest first.
    unanswered: Vec<Sent>,
    answers: BTreeMap<CommandId, Answer>,
}

/// What a candidate has seen.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// From sending an edit to its acknowledgement; only those without a lost socket in between.
    pub acks: Vec<Duration>,
    /// From asking for a run to its verdict.
    pub verdicts: Vec<Duration>,
    /// Edits that came too late and were kept apart.
    pub lates: u32,
    pub resumes: u32,
    /// When the row came that says that the time is up, in ms of this machine's clock.
    pub time_up_heard_at: Option<i64>,
    pub refusals: BTreeMap<String, u32>,
    pub problems: Vec<String>,
}

struct Sent {
    id: CommandId,
    command: Value,
    at: Instant,
    /// Which connection it was sent on first.
    connection: u32,
    change: Option<Change>,
    /// When it may be asked again, after it was told to wait.
    again_at: Option<Instant>,
    /// Somebody waits for the answer.
    is_awaited: bool,
}

impl Candidate {
    /// Opens the link `code` in a browser of its own, without a socket yet.
    pub async fn open(browser: &Http, code: &str) -> anyhow::Result<Self> {
        let mut browser = browser.without_cookies();
        let opened = browser.post(&format!("/api/v1/links/{code}/open"), &json!({})).await?;
        let session = serde_json::from_value(opened.done()?["session"].take())?;
        Ok(Self::signed_in(browser, session))
    }

    /// The candidate of `session`, in a browser that has its cookie.
    pub fn signed_in(browser: Http, session: SessionId) -> Self {
        Self {
            browser,
            session,
            seat: SeatId::random(),
            view: View::default(),
            file: Value::Null,
            text: Text::default(),
            report: Report::default(),
            acknowledged: Arc::default(),
            sightings: None,
            random: Rng::with_seed(session.uuid().as_u64_pair().0),
            topic: format!("session.{session}"),
            socket: None,
            connections: 0,
            unanswered: vec![],
            answers: BTreeMap::new(),
        }
    }

    /// Opens a socket as [`Self::resume`] does; the files have to be as they are known here.
    pub async fn connect(&mut self) -> anyhow::Result<()> {
        let is_first = self.connections == 0;
        self.resume().await?;
        if is_first { Ok(()) } else { self.compare_files().await }
    }

    /// Opens a socket, goes on watching where the last one ended, and asks again what was not
    /// answered, under the same ids.
    pub async fn resume(&mut self) -> anyhow::Result<()> {
        self.cut();
        let mut socket = Socket::open(&self.browser).await?;
        socket.watch(&self.topic, (self.view.epoch, self.view.seq)).await?;
        if self.connections > 0 {
            self.report.resumes += 1;
        }
        self.connections += 1;
        for sent in &mut self.unanswered {
            sent.again_at = None;
            socket.send(&sent.frame(&self.topic, false)).await?;
        }
        self.socket = Some(socket);
        Ok(())
    }

    /// Connects, and tries again with jitter for as long as `patience`.
    pub async fn reconnect(&mut self, patience: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + patience;
        loop {
            match self.connect().await {
                Ok(()) => return Ok(()),
                Err(error) if until < Instant::now() => return Err(error),
                Err(_) => sleep(Duration::from_millis(self.random.u64(50..500))).await,
            }
        }
    }

    /// Loses the socket without a goodbye.
    pub fn cut(&mut self) {
        self.socket = None;
        self.view.forget_reading();
    }

    pub fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// Waits until the rows are as `is_so` says.
    pub async fn until(&mut self, what: &str, is_so: impl Fn(&View) -> bool) -> anyhow::Result<()> {
        let seen = async {
            while !self.view.is_whole() || !is_so(&self.view) {
                self.step().await?;
            }
            anyhow::Ok(())
        };
        let seen = tokio::time::timeout(PATIENCE, seen).await;
        seen.with_context(|| format!("still waiting for {what}; {:?}", self.view.rows))?
    }

    /// Hears one frame, on another socket if need be; asks again what is due.
    pub async fn step(&mut self) -> anyhow::Result<()> {
        if self.socket.is_none() {
            self.reconnect(PATIENCE).await?;
        }
        tokio::select! {
            heard = hearing::next(&mut self.socket) => self.hear(heard),
            () = sleep(Duration::from_millis(100)) => self.ask_again().await,
        }
        Ok(())
    }

    pub fn problem(&mut self, what: impl std::fmt::Display) {
        if self.report.problems.len() < PROBLEMS_MAX {
            self.report.problems.push(format!("{}: {what}", self.session));
        }
    }
}

/// How long anything is waited for: far longer than it takes.
pub const PATIENCE: Duration = Duration::from_secs(30);
