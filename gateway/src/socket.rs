//! One live connection: reads frames, checks them, asks, answers; what is watched comes by the hub.

mod asking;
#[cfg(test)]
mod fuzz;
mod line;
pub(crate) mod outbox;
mod reading;
mod rights;
mod typing;
pub(crate) mod upgrade;
mod watching;
mod way;
pub(crate) mod wire;

use std::{
    collections::{HashMap, VecDeque},
    future::pending,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use domain::{
    at::At,
    frame::{ClientFrame, ServerFrame, close},
    ids::{CampaignId, SessionId},
    rows::Topic,
    run::Typed,
};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, interval_at, sleep_until, timeout},
};
use tungstenite::Message;

use self::{
    asking::{Answering, Asked},
    line::{Line, NotHeard},
    outbox::{Outbox, Overflow},
    way::Way,
    wire::Kind,
};
use crate::{
    app::Shared,
    caller::Caller,
    hub::Watching,
    limits::{Bucket, Flow},
    live::Door,
};

/// How many frames a socket may send at once, and how many a second in the long run.
const FRAMES: Flow = Flow { burst: 400, a_second: 100 };
/// What a frame counts for that makes the server read.
const WATCH_COST: u32 = 5;
/// Over how long those come back whom a server that stops has told to: a socket takes a millisecond
/// of it, so that the next server is not run over.
const SPREAD_MS: std::ops::Range<u64> = 250..10_000;
/// When whoever has too many sockets may try again.
const TOO_MANY_RETRY_MS: u64 = 30_000;
/// How long a goodbye may take.
const CLOSING: Duration = Duration::from_secs(5);
/// How often it is looked again whether somebody may be here, in case nobody said that they may not.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// How often the way to the client and back is measured, and after how long without a sign of life the
/// socket is closed. A candidate's time hangs on the first, and the monitor shows the second.
const CANDIDATES: (Duration, Duration) = (Duration::from_secs(3), Duration::from_millis(9_500));
const OTHERS: (Duration, Duration) = (Duration::from_secs(25), Duration::from_mins(1));

/// A server that wakes so much later than it wanted to stood still itself: what its clients said meanwhile
/// is yet to be read, for which there is a moment.
const HELD_UP: Duration = Duration::from_millis(100);
const MOMENT: Duration = Duration::from_secs(1);

type Stopping = watch::Receiver<bool>;

/// What one connection holds.
struct Connection {
    app: Shared,
    caller: Arc<Caller>,
    outbox: Outbox,
    door: Door,
    /// In the order in which they came, which is that in which they happen.
    asked: VecDeque<Asked>,
    answering: Option<Answering>,
    watched: HashMap<Topic, Watching>,
    way: Way,
    frames: Bucket,
    presence: Option<(SessionId, CampaignId)>,
}

/// What seldom happens is boxed: of each socket the task stays in memory, with room for the largest of
/// all that it may wait for.
async fn serve(app: Shared, caller: Arc<Caller>, door: Door, outbox: Outbox, first: Bytes) {
    // Held until the goodbye is said: whoever stops the server waits for that.
    let mut stopping = app.stopping.subscribe();
    let mut line = Line::new(outbox.clone(), first);
    let mut connection = Connection {
        app,
        caller,
        outbox,
        door,
        asked: VecDeque::new(),
        answering: None,
        watched: HashMap::new(),
        way: Way::default(),
        frames: Bucket::default(),
        presence: None,
    };
    Box::pin(connection.arrive()).await;
    // Nobody: the cookie has ended, or the link was revoked.
    let is_known = !connection.caller.all().is_empty();
    let code = if is_known {
        connection.read(&mut line, &mut stopping).await
    } else {
        Some(close::NOT_ALLOWED)
    };
    connection.leave();
    // Whoever says goodbye for long keeps their place among all sockets as long.
    let Connection { app, outbox, door: _door, .. } = connection;
    match code {
        Some(code) => {
            drop(line);
            let retry_after_ms = (code == close::GOING_AWAY).then(|| place(&app));
            Box::pin(say_goodbye(&outbox, code, retry_after_ms)).await;
        }
        None => line.answer_close(),
    }
    outbox.finish();
}

/// Sends somebody away who was never let in.
async fn turn_away(app: Shared, outbox: Outbox, code: u16) {
    let _stopping = app.stopping.subscribe();
    let retry_after_ms = (code == close::TOO_MANY).then_some(TOO_MANY_RETRY_MS);
    say_goodbye(&outbox, code, retry_after_ms).await;
    outbox.finish();
}

/// When one of all who are told to come back does so.
fn place(app: &Shared) -> u64 {
    let sockets = u64::try_from(app.stopping.receiver_count()).unwrap_or(u64::MAX);
    fastrand::u64(..sockets.clamp(SPREAD_MS.start, SPREAD_MS.end))
}

async fn say_goodbye(outbox: &Outbox, code: u16, retry_after_ms: Option<u64>) {
    let bye = ServerFrame::Bye { code, retry_after_ms };
    timeout(CLOSING, outbox.close(&bye, code)).await.ok();
}

impl Connection {
    /// Reads until the end. Answers the code to close with, if the client has not closed itself.
    async fn read(&mut self, line: &mut Line, stopping: &mut Stopping) -> Option<u16> {
        let is_candidate = self.caller.candidate.is_some();
        let (ping_every, silence) = if is_candidate { CANDIDATES } else { OTHERS };
        let mut pings = interval(ping_every);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Those who came together do not look together.
        let first_look = Instant::now() + LOOK_AGAIN.mul_f64(0.5 + fastrand::f64() / 2.0);
        let mut looks = interval_at(first_look, LOOK_AGAIN);
        let mut silent_at = Instant::now() + silence;
        let outbox = self.outbox.clone();
        loop {
            tokio::select! {
                () = told_to_stop(stopping) => return Some(close::GOING_AWAY),
                message = line.next() => {
                    silent_at = Instant::now() + silence;
                    if let Err(code) = self.hear(message?).await {
                        return Some(code);
                    }
                }
                () = sleep_until(silent_at) => {
                    if silent_at.elapsed() < HELD_UP {
                        return Some(close::SILENT);
                    }
                    silent_at = Instant::now() + MOMENT;
                }
                _ = pings.tick() => {
                    let ping = wire::frame(Kind::Ping, &self.way.ask(Instant::now()));
                    if self.outbox.send(ping).is_err() {
                        return Some(close::TOO_SLOW);
                    }
                }
                () = self.door.told_to_look() => if !Box::pin(self.is_still_allowed()).await {
                    return Some(close::NOT_ALLOWED);
                },
                _ = looks.tick() => if !Box::pin(self.is_still_allowed()).await {
                    return Some(close::NOT_ALLOWED);
                },
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
    async fn hear(&mut self, message: Result<Message, NotHeard>) -> Result<(), u16> {
        // Stamped once, before anything else is done with it.
        let (received_at, now) = (self.app.now(), Instant::now());
        let message = message.map_err(NotHeard::code)?;
        if !self.may_send(1) {
            return Err(close::TOO_FAST);
        }
        match message {
            Message::Text(text) => {
                let Ok(frame) = serde_json::from_str::<ClientFrame>(&text) else {
                    return Err(close::BAD_FRAME);
                };
                if matches!(frame, ClientFrame::Watch { .. }) && !self.may_send(WATCH_COST - 1) {
                    return Err(close::TOO_FAST);
                }
                self.take(frame, received_at).await.map_err(|Overflow| close::TOO_SLOW)
            }
            Message::Pong(sent) => {
                self.measure(&sent, now);
                Ok(())
            }
            // A goodbye is answered by the library, and the end follows it.
            Message::Ping(_) | Message::Close(_) => Ok(()),
            Message::Binary(_) | Message::Frame(_) => Err(close::BAD_FRAME),
        }
    }

    async fn take(&mut self, frame: ClientFrame, received_at: At) -> Result<(), Overflow> {
        match frame {
            ClientFrame::Watch { topic, epoch, after_seq, window } => {
                Box::pin(self.watch(topic, (epoch, after_seq), window)).await
            }
            ClientFrame::Unwatch { topic } => {
                self.unwatch(&topic);
                Ok(())
            }
            ClientFrame::Do { command_id, to, command, first } => {
                let received_at = received_at - self.way.compensation();
                self.ask(Asked { command_id, to, command, received_at, is_first: first })
            }
            ClientFrame::Type { submission, text } => {
                Box::pin(self.pass(submission, actors::console::text(&text))).await
            }
            ClientFrame::EndInput { submission } => {
                Box::pin(self.pass(submission, Typed::End)).await
            }
            ClientFrame::Stop { submission } => Box::pin(self.pass(submission, Typed::Stop)).await,
            ClientFrame::Ping { sent_ms, .. } => {
                let heads = self.heads();
                #[expect(clippy::cast_precision_loss, reason = "exact until the year 287396")]
                let server_ms = received_at.0 as f64;
                self.outbox.frame(&ServerFrame::Pong { sent_ms, server_ms, heads })
            }
        }
    }

    /// Whether so much more may come now, from this socket and from all of the same person.
    fn may_send(&self, cost: u32) -> bool {
        self.frames.take(cost, FRAMES) && self.door.may_send(cost)
    }

    /// Only what the server sent itself counts: whoever answers anything else gains nothing.
    fn measure(&mut self, sent: &[u8], now: Instant) {
        if self.way.answered(sent, now)
            && let Some((session, campaign)) = self.presence
        {
            let rtt_ms = u32::try_from(self.way.rtt().0).unwrap_or(u32::MAX);
            self.app.live.presence.measured(campaign, session, rtt_ms);
        }
    }

    /// Tells the monitor that this candidate is there.
    async fn arrive(&mut self) {
        let Some(session) = self.caller.candidate else { return };
        let contact = self.app.node.deps.people.contact(session).await;
        let Ok(Some(contact)) = contact else { return };
        self.presence = Some((session, contact.campaign));
        self.app.live.presence.arrive(&self.app.node.deps, contact.campaign, session);
    }

    fn leave(&mut self) {
        self.watched.clear();
        let Some((session, campaign)) = self.presence.take() else { return };
        self.app.live.presence.leave(&self.app.node.deps, campaign, session);
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
