//! One live connection: reads frames, checks them, asks, answers; streams what is watched.

mod outbox;
mod typing;
mod watch;

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    extract::{
        State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
};
use bytes::Bytes;
use domain::{
    at::{At, Ms},
    command::{Answer, AnyCommand},
    frame::{ClientFrame, FRAME_BYTES_MAX, ServerFrame, Why, close},
    ids::{CampaignId, CommandId, SessionId},
    rows::Topic,
    run::Typed,
    stream::Stream,
};
use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::Instant,
};

use self::outbox::{Outbox, Overflow};
use crate::{
    access::{self, Relation},
    app::Shared,
    caller::{Caller, origin, relation},
};
use actors::ask::Meta;

/// How many topics one socket watches at most.
const TOPICS_MAX: usize = 32;
/// How many commands of one socket wait at most.
const COMMANDS_MAX: usize = 64;
/// How many frames a socket may send at once, and how many a second in the long run.
const FRAMES_BURST: u32 = 400;
const FRAMES_A_SECOND: u32 = 100;
/// How often the server measures the way to the client and back.
const PING_EVERY: Duration = Duration::from_secs(5);
/// After so long without a sign of life the socket is closed.
const SILENCE: Duration = Duration::from_secs(30);
/// The most that is given for the way to the server.
const COMPENSATION_MAX: Ms = Ms(250);

/// Opens a socket. Who it is, is known by its cookies; nobody may watch walls only.
pub(crate) async fn open(
    State(app): State<Shared>,
    caller: Caller,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        // The library's defaults cost 128 KiB a connection.
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .on_upgrade(move |socket| serve(app, caller, socket))
}

/// A command that waits for its turn.
struct Asked {
    command_id: CommandId,
    to: String,
    command: serde_json::Value,
    received_at: At,
    is_first: bool,
}

/// What one connection holds.
struct Connection {
    app: Shared,
    caller: Arc<Caller>,
    outbox: Outbox,
    commands: mpsc::Sender<Box<Asked>>,
    watched: HashMap<String, (Topic, AbortHandle)>,
    tasks: JoinSet<()>,
    /// The way to the client and back, as the server measured it.
    rtt: Ms,
    allowance: u32,
    refilled_at: Instant,
    presence: Option<(SessionId, CampaignId)>,
}

async fn serve(app: Shared, caller: Caller, socket: WebSocket) {
    let (sink, mut stream) = socket.split();
    let (outbox, waiting) = Outbox::new();
    let caller = Arc::new(caller);
    let (commands, asked) = mpsc::channel(COMMANDS_MAX);
    let mut tasks = JoinSet::new();
    tasks.spawn(write(sink, waiting));
    tasks.spawn(carry_out(Arc::clone(&app), Arc::clone(&caller), asked, outbox.clone()));
    let mut connection = Connection {
        app,
        caller,
        outbox,
        commands,
        watched: HashMap::new(),
        tasks,
        rtt: Ms(0),
        allowance: FRAMES_BURST,
        refilled_at: Instant::now(),
        presence: None,
    };
    connection.arrive().await;
    // Nobody: the cookie has ended, or the link was revoked.
    let is_known = !connection.caller.all().is_empty();
    let code = if is_known { connection.read(&mut stream).await } else { Some(close::NOT_ALLOWED) };
    connection.leave();
    if let Some(code) = code {
        connection.outbox.close(code).await;
    }
}

/// Writes what waits, until there is nobody left who could send.
async fn write(mut sink: SplitSink<WebSocket, Message>, mut waiting: outbox::Waiting) {
    while let Some(message) = waiting.next().await {
        let is_last = matches!(message, Message::Close(_));
        if sink.send(message).await.is_err() || is_last {
            return;
        }
    }
}

impl Connection {
    /// Reads until the end. Answers the code to close with, if the client has not closed itself.
    async fn read(
        &mut self,
        stream: &mut futures_util::stream::SplitStream<WebSocket>,
    ) -> Option<u16> {
        let mut pings = tokio::time::interval(PING_EVERY);
        let mut heard_at = Instant::now();
        let opened_at = self.app.now();
        loop {
            let message = tokio::select! {
                message = stream.next() => message,
                _ = pings.tick() => {
                    if self.app.revoked.any(&self.caller.all(), opened_at) {
                        return Some(close::NOT_ALLOWED);
                    }
                    if SILENCE < heard_at.elapsed() {
                        return Some(close::SILENT);
                    }
                    let sent = self.app.now().0.to_be_bytes();
                    if self.outbox.send(Message::Ping(Bytes::copy_from_slice(&sent))).is_err() {
                        return Some(close::TOO_SLOW);
                    }
                    continue;
                }
                () = self.outbox.overflowed() => return Some(close::TOO_SLOW),
            };
            heard_at = Instant::now();
            // Stamped once, before anything else is done with it.
            let received_at = self.app.now();
            match message {
                Some(Ok(Message::Text(text))) => {
                    if !self.may_send() {
                        return Some(close::TOO_FAST);
                    }
                    let Ok(frame) = serde_json::from_str::<ClientFrame>(&text) else {
                        return Some(close::BAD_FRAME);
                    };
                    if self.take(frame, received_at).await.is_err() {
                        return Some(close::TOO_SLOW);
                    }
                }
                Some(Ok(Message::Pong(sent))) => self.measure(&sent, received_at),
                Some(Ok(Message::Ping(_))) => {}
                // Not this protocol, or too long a message.
                Some(Ok(Message::Binary(_)) | Err(_)) => return Some(close::BAD_FRAME),
                Some(Ok(Message::Close(_))) | None => return None,
            }
        }
    }

    async fn take(&mut self, frame: ClientFrame, received_at: At) -> Result<(), Overflow> {
        match frame {
            ClientFrame::Watch { topic, epoch, after_seq } => {
                self.watch(topic, (epoch, after_seq)).await
            }
            ClientFrame::Unwatch { topic } => {
                if let Some((_, task)) = self.watched.remove(&topic) {
                    task.abort();
                }
                Ok(())
            }
            ClientFrame::Do { command_id, to, command, first } => {
                let received_at = received_at - self.rtt.min(COMPENSATION_MAX);
                let asked = Asked { command_id, to, command, received_at, is_first: first };
                if self.commands.try_send(Box::new(asked)).is_ok() {
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
                let heads = self.watched.values().filter_map(|(topic, _)| {
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
        if let Some((_, task)) = self.watched.remove(&name) {
            task.abort();
        }
        let refused = match name.parse::<Topic>() {
            Err(_) => Some(Why::new("no_such_topic", "there is no such topic")),
            Ok(_) if TOPICS_MAX <= self.watched.len() => {
                Some(Why::new("too_many_topics", "this is watched from too many places at once"))
            }
            Ok(topic) if !self.may_watch(topic).await => {
                Some(Why::new("forbidden", "this is not yours to see"))
            }
            Ok(topic) => {
                let (app, outbox) = (Arc::clone(&self.app), self.outbox.clone());
                let task = self.tasks.spawn(watch::run(app, outbox, topic, after));
                self.watched.insert(name.clone(), (topic, task));
                None
            }
        };
        match refused {
            Some(why) => self.outbox.frame(&ServerFrame::Unwatched { topic: name, why }),
            None => Ok(()),
        }
    }

    async fn may_watch(&self, topic: Topic) -> bool {
        for who in self.caller.all() {
            let relation = relation(&self.app, who, topic).await;
            if access::may_watch(who, relation.unwrap_or(Relation::Other), topic) {
                return true;
            }
        }
        false
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

    /// The smallest of what was measured lately: a pong can only be late.
    fn measure(&mut self, sent: &[u8], now: At) {
        if let Ok(sent) = <[u8; 8]>::try_from(sent) {
            let rtt = (now - At(i64::from_be_bytes(sent))).max(Ms(0));
            self.rtt = if self.rtt == Ms(0) { rtt } else { Ms((self.rtt.0 * 3 + rtt.0) / 4) };
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

/// Carries out one command after the other, so that they happen in the order in which they came.
async fn carry_out(
    app: Shared,
    caller: Arc<Caller>,
    mut asked: mpsc::Receiver<Box<Asked>>,
    outbox: Outbox,
) {
    while let Some(asked) = asked.recv().await {
        let command_id = asked.command_id;
        let frame = match answer(&app, &caller, *asked).await {
            Answer::Done { epoch, seq, answer } => {
                ServerFrame::Done { command_id, epoch, seq, answer }
            }
            Answer::Refused(why) => ServerFrame::Refused { command_id, why },
        };
        if outbox.frame(&frame).is_err() {
            return;
        }
    }
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

/// A message that ends a socket.
fn closing(code: u16) -> Message {
    Message::Close(Some(CloseFrame { code, reason: "".into() }))
}
