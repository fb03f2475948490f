//! A candidate: opens a link, watches their session, types, runs, hands in; comes back when the
//! socket is lost, with what was not acknowledged. Everything that is wrong on the way is a problem.

mod hearing;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
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
    topic: String,
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

    /// Opens a socket, goes on watching where the last one ended, and asks again what was not
    /// answered, under the same ids.
    pub async fn connect(&mut self) -> anyhow::Result<()> {
        self.socket = None;
        let mut socket = Socket::open(&self.browser).await?;
        socket.watch(&self.topic, (self.view.epoch, self.view.seq)).await?;
        if self.connections > 0 {
            self.report.resumes += 1;
            self.compare_files().await?;
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
    }

    pub fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// Starts the test and loads the main file of question `question`.
    pub async fn start(&mut self, question: u16) -> anyhow::Result<()> {
        let answer = self.ask(json!({ "type": "start", "seat": self.seat })).await?;
        answer.map_err(|why| anyhow::anyhow!("{}: {}", why.code, why.text))?;
        self.until("the start", |view| !view.row("session")["started_at"].is_null()).await?;
        self.load(question).await
    }

    /// Takes the seat, as a device does that comes second, and loads the file.
    pub async fn take_seat(&mut self, question: u16) -> anyhow::Result<()> {
        let answer = self.ask(json!({ "type": "take_seat", "seat": self.seat })).await?;
        answer.map_err(|why| anyhow::anyhow!("{}: {}", why.code, why.text))?;
        self.load(question).await
    }

    /// Reads the first file of `question`.
    pub async fn load(&mut self, question: u16) -> anyhow::Result<()> {
        let files = self.files().await?;
        let is_it = |file: &&Value| file["question"] == json!(question);
        let file = files.iter().find(is_it).context("the question has no file")?;
        self.file = json!({
            "question": question, "language": file["language"], "name": file["name"],
        });
        self.text = text_of(file)?;
        Ok(())
    }

    /// All files, read over HTTP.
    pub async fn files(&mut self) -> anyhow::Result<Vec<Value>> {
        let path = format!("/api/v1/sit/{}/files", self.session);
        let mut read = self.browser.get(&path).await?.done()?;
        Ok(serde_json::from_value(read["files"].take())?)
    }

    /// The file that is typed in, read over HTTP.
    pub async fn stored_text(&mut self) -> anyhow::Result<Text> {
        let files = self.files().await?;
        let is_it = |file: &&Value| {
            ["question", "language", "name"].iter().all(|part| file[part] == self.file[part])
        };
        text_of(files.iter().find(is_it).context("the file is gone")?)
    }

    /// Notes a problem unless what is stored is what was acknowledged, or one edit further.
    pub async fn compare_files(&mut self) -> anyhow::Result<()> {
        if self.file.is_null() {
            return Ok(());
        }
        let stored = self.stored_text().await?;
        let change = self.unanswered.iter().find_map(|sent| sent.change.clone());
        let further = change.map(|change| {
            let mut text = self.text.clone();
            text.take(change, self.text.rev + 1);
            text
        });
        if stored != self.text && Some(&stored) != further.as_ref() {
            let (known, found) = (self.text.rev, stored.rev);
            self.problem(format!("the text of revision {known} is another one, at {found}"));
        }
        Ok(())
    }

    /// Types once, unless the last edit waits for its acknowledgement.
    pub async fn type_once(&mut self) {
        if self.unanswered.iter().any(|sent| sent.change.is_some()) {
            return;
        }
        let change = self.text.typed(&mut self.random);
        if let Some(sightings) = &self.sightings {
            sightings.sent(self.session, self.acknowledged.load(Ordering::Relaxed) + 1);
        }
        self.send_change(change, false).await;
    }

    /// Sends a change and waits for its answer.
    pub async fn edit(&mut self, change: Change) -> anyhow::Result<Answer> {
        let id = self.send_change(change, true).await;
        self.answer(id).await
    }

    /// Sends a change as the next one.
    pub async fn send_change(&mut self, change: Change, is_awaited: bool) -> CommandId {
        let command = json!({
            "type": "edit", "seat": self.seat, "file": self.file, "base_rev": self.text.rev,
            "changes": change.json, "caret": change.caret,
        });
        self.send(command, Some(change), is_awaited).await
    }

    /// Asks for something and waits for the answer, however many sockets that takes.
    pub async fn ask(&mut self, command: Value) -> anyhow::Result<Answer> {
        let id = self.send(command, None, true).await;
        self.answer(id).await
    }

    async fn answer(&mut self, id: CommandId) -> anyhow::Result<Answer> {
        let answered = async {
            loop {
                if let Some(answer) = self.answers.remove(&id) {
                    return anyhow::Ok(answer);
                }
                self.step().await?;
            }
        };
        tokio::time::timeout(PATIENCE, answered).await.context("a command was not answered")?
    }

    /// Asks for something; the answer is heard later.
    pub async fn send(
        &mut self,
        command: Value,
        change: Option<Change>,
        is_awaited: bool,
    ) -> CommandId {
        let (id, at, connection) = (CommandId::random(), Instant::now(), self.connections);
        let sent = Sent { id, command, at, connection, change, again_at: None, is_awaited };
        let frame = sent.frame(&self.topic, true);
        self.unanswered.push(sent);
        self.send_frame(&frame).await;
        id
    }

    /// Sends a frame; what cannot be sent is sent again on the next socket.
    pub async fn send_frame(&mut self, frame: &Value) {
        if let Some(socket) = &mut self.socket
            && socket.send(frame).await.is_err()
        {
            self.socket = None;
        }
    }

    /// Asks again what it was told to ask later.
    pub async fn ask_again(&mut self) {
        let now = Instant::now();
        let mut frames = vec![];
        for sent in &mut self.unanswered {
            if sent.again_at.take_if(|at| *at <= now).is_some() {
                frames.push(sent.frame(&self.topic, false));
            }
        }
        for frame in frames {
            self.send_frame(&frame).await;
        }
    }

    /// Whether everything that was sent is answered.
    pub fn is_quiet(&self) -> bool {
        self.unanswered.is_empty()
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

impl Sent {
    fn frame(&self, to: &str, first: bool) -> Value {
        let (id, command) = (self.id, &self.command);
        json!({ "type": "do", "command_id": id, "to": to, "command": command, "first": first })
    }
}

fn text_of(file: &Value) -> anyhow::Result<Text> {
    let rev = serde_json::from_value(file["rev"].clone())?;
    Ok(Text::new(file["text"].as_str().context("a file has a text")?, rev))
}
