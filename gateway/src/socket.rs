//! One live connection: reads frames, checks them, asks, answers; what is watched comes by the hub.

mod line;
pub(crate) mod outbox;
mod typing;
pub(crate) mod upgrade;
mod way;
pub(crate) mod wire;

use std::{
    collections::{HashMap, VecDeque},
    future::pending,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use domain::{
    at::{At, Ms},
    command::{Answer, AnyCommand},
    frame::{ClientFrame, ServerFrame, Why, close},
    ids::{CampaignId, CommandId, SessionId},
    rows::Topic,
    run::Typed,
    stream::Stream,
};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tungstenite::{Error, Message};

use self::{
    line::Line,
    outbox::{Outbox, Overflow},
    way::Way,
    wire::Kind,
};
use crate::{
    access::{self, Relation},
    app::Shared,
    caller::{Caller, origin, relation},
    hub::{Hub, Watching},
};
use actors::ask::Meta;

/// How many topics one socket watches at most.
const TOPICS_MAX: usize = 32;
/// How many commands of one socket wait at most.
const COMMANDS_MAX: usize = 64;
/// How many frames a socket may send at once, and how many a second in the long run.
const FRAMES_BURST: u32 = 400;
const FRAMES_A_SECOND: u32 = 100;
/// The most that is given for the way to the server.
const COMPENSATION_MAX: Ms = Ms(250);
/// Over how long those come back whom a server that stops has told to: a socket takes a millisecond
/// of it, so that the next server is not run over.
const SPREAD_MS: std::ops::Range<u64> = 250..10_000;
/// How long a goodbye may take.
const CLOSING: Duration = Duration::from_secs(5);

/// How often the way to the client and back is measured, and after how long without a sign of life the
/// socket is closed. A candidate's time hangs on the first, and the monitor shows the second.
const CANDIDATES: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(10));
const OTHERS: (Duration, Duration) = (Duration::from_secs(25), Duration::from_mins(1));

/// A command that waits for its turn.
struct Asked {
    command_id: CommandId,
    to: String,
    command: serde_json::Value,
    received_at: At,
    is_first: bool,
}

/// A command that is carried out.
type Answering = Pin<Box<dyn Future<Output = ServerFrame> + Send>>;

type Stopping = watch::Receiver<bool>;

/// What one connection holds.
struct Connection {
    app: Shared,
    caller: Arc<Caller>,
    outbox: Outbox,
    /// In the order in which they came, which is that in which they happen.
    asked: VecDeque<Asked>,
    answering: Option<Answering>,
    watched: HashMap<Topic, Watching>,
    way: Way,
    allowance: u32,
    refilled_at: Instant,
    presence: Option<(SessionId, CampaignId)>,
}

async fn serve(app: Shared, caller: Caller, outbox: Outbox, first: Bytes) {
    // Held until the goodbye is said: whoever stops the server waits for that.
    let mut stopping = app.stopping.subscribe();
    let mut line = Line::new(outbox.clone(), first);
    let mut connection = Connection {
        app,
        caller: Arc::new(caller),
        outbox,
        asked: VecDeque::new(),
        answering: None,
        watched: HashMap::new(),
        way: Way::default(),
        allowance: FRAMES_BURST,
        refilled_at: Instant::now(),
        presence: None,
    };
    connection.arrive().await;
    // Nobody: the cookie has ended, or the link was revoked.
    let is_known = !connection.caller.all().is_empty();
    let code = if is_known {
        connection.read(&mut line, &mut stopping).await
    } else {
        Some(close::NOT_ALLOWED)
    };
    connection.leave();
    match code {
        Some(code) => {
            let retry_after_ms = (code == close::GOING_AWAY).then(|| place(&connection.app));
            say_goodbye(connection.outbox.clone(), line, code, retry_after_ms).await;
        }
        None => line.answer_close(),
    }
    connection.outbox.finish();
}

/// When one of all who are told to come back does so.
fn place(app: &Shared) -> u64 {
    let sockets = u64::try_from(app.stopping.receiver_count()).unwrap_or(u64::MAX);
    fastrand::u64(..sockets.clamp(SPREAD_MS.start, SPREAD_MS.end))
}

/// Says goodbye, and waits until the client has closed: who drops a connection into which somebody
/// writes takes back what was said last.
async fn say_goodbye(outbox: Outbox, mut line: Line, code: u16, retry_after_ms: Option<u64>) {
    outbox.frame(&ServerFrame::Bye { code, retry_after_ms }).ok();
    outbox.send(wire::close(code)).ok();
    let closed = async {
        outbox.empty().await;
        while let Some(Ok(_)) = line.next().await {}
    };
    timeout(CLOSING, closed).await.ok();
}

impl Connection {
    /// Reads until the end. Answers the code to close with, if the client has not closed itself.
    async fn read(&mut self, line: &mut Line, stopping: &mut Stopping) -> Option<u16> {
        let (ping_every, silence) = if self.presence.is_some() { CANDIDATES } else { OTHERS };
        let mut pings = interval(ping_every);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard_at = Instant::now();
        let opened_at = self.app.now();
        let outbox = self.outbox.clone();
        loop {
            tokio::select! {
                () = told_to_stop(stopping) => return Some(close::GOING_AWAY),
                message = line.next() => {
                    heard_at = Instant::now();
                    if let Err(code) = self.hear(message?).await {
                        return Some(code);
                    }
                }
                _ = pings.tick() => {
                    if self.app.revoked.any(&self.caller.all(), opened_at) {
                        return Some(close::NOT_ALLOWED);
                    }
                    if silence < heard_at.elapsed() {
                        return Some(close::SILENT);
                    }
                    let sent = self.way.ping(self.app.now());
                    if self.outbox.send(wire::frame(Kind::Ping, &sent)).is_err() {
                        return Some(close::TOO_SLOW);
                    }
                }
                answer = answered(&mut self.answering) => {
                    self.answering = None;
                    if self.outbox.frame(&answer).is_err() {
                        return Some(close::TOO_SLOW);
                    }
                }
                () = outbox.drain() => return Some(close::TOO_SLOW),
            }
            self.carry_on();
        }
    }

    /// Takes in one message. Fails with the code to close with.
    async fn hear(&mut self, message: Result<Message, Error>) -> Result<(), u16> {
        // Stamped once, before anything else is done with it.
        let received_at = self.app.now();
        match message {
            Ok(Message::Text(text)) => {
                if !self.may_send() {
                    return Err(close::TOO_FAST);
                }
                let Ok(frame) = serde_json::from_str::<ClientFrame>(&text) else {
                    return Err(close::BAD_FRAME);
                };
                self.take(frame, received_at).await.map_err(|Overflow| close::TOO_SLOW)
            }
            Ok(Message::Pong(sent)) => {
                self.way.pong(&sent, received_at);
                Ok(())
            }
            // A goodbye is answered by the library, and the end follows it.
            Ok(Message::Ping(_) | Message::Close(_)) => Ok(()),
            // Not this protocol, or too long a message.
            Ok(Message::Binary(_) | Message::Frame(_)) | Err(_) => Err(close::BAD_FRAME),
        }
    }

    /// Begins with the next command, if none is carried out.
    fn carry_on(&mut self) {
        if self.answering.is_some() {
            return;
        }
        let Some(asked) = self.asked.pop_front() else { return };
        let (app, caller) = (Arc::clone(&self.app), Arc::clone(&self.caller));
        self.answering = Some(Box::pin(async move {
            let command_id = asked.command_id;
            match answer(&app, &caller, asked).await {
                Answer::Done { epoch, seq, answer } => {
                    ServerFrame::Done { command_id, epoch, seq, answer }
                }
                Answer::Refused(why) => ServerFrame::Refused { command_id, why },
            }
        }));
    }

    async fn take(&mut self, frame: ClientFrame, received_at: At) -> Result<(), Overflow> {
        match frame {
            ClientFrame::Watch { topic, epoch, after_seq } => {
                self.watch(topic, (epoch, after_seq)).await
            }
            ClientFrame::Unwatch { topic } => {
                if let Ok(topic) = topic.parse::<Topic>() {
                    self.watched.remove(&topic);
                }
                Ok(())
            }
            ClientFrame::Do { command_id, to, command, first } => {
                let received_at = received_at - self.way.rtt().min(COMPENSATION_MAX);
                let asked = Asked { command_id, to, command, received_at, is_first: first };
                if self.asked.len() < COMMANDS_MAX {
                    self.asked.push_back(asked);
                    return Ok(());
                }
                let why = Why::later("busy", "too many commands wait", 500);
                self.outbox.frame(&ServerFrame::Refused { command_id, why })
            }
            ClientFrame::Type { submission, text } => {
                self.pass(submission, actors::console::text(&text)).await
            }
            ClientFrame::EndInput { submission } => self.pass(submission, Typed::End).await,
            ClientFrame::Stop { submission } => self.pass(submission, Typed::Stop).await,
            ClientFrame::Ping { sent_ms, rtt_ms } => {
                self.tell_presence(true, rtt_ms);
                let heads = self.watched.keys().filter_map(|topic| {
                    Some((topic.to_string(), self.app.node.deps.heads.get(*topic)?))
                });
                #[expect(clippy::cast_precision_loss, reason = "exact until the year 287396")]
                let server_ms = received_at.0 as f64;
                let heads = heads.collect();
                self.outbox.frame(&ServerFrame::Pong { sent_ms, server_ms, heads })
            }
        }
    }

    async fn watch(&mut self, name: String, after: (u64, u64)) -> Result<(), Overflow> {
        let topic = name.parse::<Topic>();
        if let Ok(topic) = &topic {
            self.watched.remove(topic);
        }
        let refused = match topic {
            Err(_) => Some(Why::new("no_such_topic", "there is no such topic")),
            Ok(_) if TOPICS_MAX <= self.watched.len() => {
                Some(Why::new("too_many_topics", "this is watched from too many places at once"))
            }
            Ok(topic) if !may_watch(&self.app, &self.caller, topic).await => {
                Some(Why::new("forbidden", "this is not yours to see"))
            }
            Ok(topic) => {
                let watching = Hub::watch(&self.app, topic, self.outbox.clone(), after);
                self.watched.insert(topic, watching);
                None
            }
        };
        match refused {
            Some(why) => self.outbox.frame(&ServerFrame::Unwatched { topic: name, why }),
            None => Ok(()),
        }
    }

    /// Whether one more frame may come now.
    fn may_send(&mut self) -> bool {
        let earned = self.refilled_at.elapsed().as_millis() * u128::from(FRAMES_A_SECOND) / 1_000;
        if earned > 0 {
            self.refilled_at = Instant::now();
            let earned = u32::try_from(earned).unwrap_or(FRAMES_BURST);
            self.allowance = self.allowance.saturating_add(earned).min(FRAMES_BURST);
        }
        match self.allowance.checked_sub(1) {
            Some(left) => {
                self.allowance = left;
                true
            }
            None => false,
        }
    }

    async fn arrive(&mut self) {
        let Some(session) = self.caller.candidate else { return };
        let contact = self.app.node.deps.people.contact(session).await;
        let Ok(Some(contact)) = contact else { return };
        self.presence = Some((session, contact.campaign));
        self.app.connected.change(session, 1);
        self.tell_presence(true, None);
    }

    fn leave(&mut self) {
        let Some((session, _)) = self.presence else { return };
        let connected = self.app.connected.change(session, -1) > 0;
        self.tell_presence(connected, None);
    }

    /// Tells the monitor that this candidate is there.
    fn tell_presence(&self, connected: bool, rtt_ms: Option<f64>) {
        let Some((session, campaign)) = self.presence else { return };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let rtt_ms = rtt_ms.map(|ms| ms.clamp(0.0, 60_000.0) as u32);
        let row = actors::board::LinkRow { connected, at: self.app.now(), rtt_ms };
        actors::board::pass(&self.app.node.deps, campaign, format!("link.{session}"), &row);
    }
}

/// Waits until the server stops.
async fn told_to_stop(stopping: &mut Stopping) {
    stopping.wait_for(|stopping| *stopping).await.ok();
}

/// The answer to the command that is carried out; none for ever where there is none.
async fn answered(answering: &mut Option<Answering>) -> ServerFrame {
    match answering {
        Some(answering) => answering.await,
        None => pending().await,
    }
}

async fn may_watch(app: &Shared, caller: &Caller, topic: Topic) -> bool {
    for who in caller.all() {
        let relation = relation(app, who, topic).await;
        if access::may_watch(who, relation.unwrap_or(Relation::Other), topic) {
            return true;
        }
    }
    false
}

async fn answer(app: &Shared, caller: &Caller, asked: Asked) -> Answer {
    let Asked { command_id, to, command, received_at, is_first } = asked;
    let Ok(stream) = to.parse::<Stream>() else {
        return refused("no_such_stream", "there is no such thing");
    };
    let Ok(command) = AnyCommand::parse(stream, command) else {
        return refused("bad_command", "this command is not understood");
    };
    for who in caller.all() {
        let Some(origin) = origin(who) else { continue };
        let Ok(relation) = relation(app, who, Topic::Of(stream)).await else {
            return Answer::Refused(Why::later(
                "unavailable",
                "this cannot be read just now",
                1_000,
            ));
        };
        if access::may_do(who, relation, &command) {
            let received_at = Some(received_at);
            let meta = Meta { origin, command_id, received_at, is_first };
            return app.node.directory.ask(stream, meta, command).await;
        }
    }
    refused("forbidden", "this is not yours to do")
}

fn refused(code: &str, text: &str) -> Answer {
    Answer::Refused(Why::new(code, text))
}
