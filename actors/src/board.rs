//! Boards: a campaign's live monitor and its wall, joined from all its sessions by one actor while
//! somebody watches.

mod boards;
mod intake;
mod monitor;
mod pass;
mod presence;
mod reread;
mod ring;
mod rows;
mod wall;

use std::{cell::OnceCell, collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{
    campaign::CampaignRow,
    frame::RowsFrame,
    ids::{CampaignId, SessionId},
    people::Contact,
    ports::{Heard, Published},
    ranking::{Move, Ranking, Score},
    rows::{Topic, Window},
    session::{Sitting, TypingRow},
    stream::Stream,
};
use foldhash::fast::FixedState;
use ractor::{Actor, ActorProcessingErr, ActorRef, ActorStatus, RpcReplyPort, rpc::CallResult};
use tokio::task::JoinSet;

pub use self::{
    boards::Boards,
    monitor::Watching,
    pass::{pass, tell_gateways},
    presence::{Here, ROLL_EVERY, Roll},
    ring::Ring,
    wall::Place,
};
use self::{monitor::Monitor, presence::Presences, reread::Reading, wall::Wall};
use crate::{deps::Deps, epochs::Epochs};

/// How often what changed is put where it belongs, and sent.
const FLUSH: Duration = Duration::from_millis(250);
/// How often everything is read again, in case a frame was lost.
const REREAD: Duration = Duration::from_secs(15);
/// How many frames it is told with one message, if so many have come.
const AT_ONCE: usize = 256;

/// A board; it stops when nobody holds it any more.
pub struct Board(ActorRef<Msg>);

impl Drop for Board {
    fn drop(&mut self) {
        self.0.stop(Some("nobody watches".to_owned()));
    }
}

impl Board {
    /// Whether it still joins; one that failed does not.
    pub fn is_alive(&self) -> bool {
        self.0.get_status() < ActorStatus::Stopping
    }

    /// What brings a watcher up to date who has seen `after` (epoch and seq): the frames since, or
    /// everything anew in pages. Of a wall those of the default [`Window`].
    pub async fn read(&self, topic: Topic, after: (u64, u64)) -> Option<Vec<Arc<Published>>> {
        self.ask(|reply| Msg::Read(topic, after, reply)).await
    }

    /// The same for other rows of a wall. Its frames are not published: ask again, with what you
    /// have seen, four times a second at most. Each window has epochs of its own, and is forgotten
    /// when nobody has asked for a minute; of too many at once the one asked for longest ago is.
    pub async fn read_window(
        &self,
        window: Window,
        after: (u64, u64),
    ) -> Option<Vec<Arc<Published>>> {
        self.ask(|reply| Msg::ReadWindow(window, after, reply)).await
    }

    /// A candidate's own row on the wall with five above and five below, each with its key, if it
    /// may be another than at the version `seen`; without any while they are not on it, or are not
    /// told. For them once a second.
    pub async fn place(&self, session: SessionId, seen: u64) -> Option<Place> {
        self.ask(|reply| Msg::Place(session, seen, reply)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(RpcReplyPort<T>) -> Msg,
    ) -> Option<T> {
        match self.0.call(question, None).await {
            Ok(CallResult::Success(answer)) => Some(answer),
            Ok(CallResult::Timeout | CallResult::SenderError) | Err(_) => None,
        }
    }
}

/// What a board is told.
pub(crate) enum Msg {
    Changed(Vec<Heard>),
    MonitorWatched,
    MonitorLeft,
    Read(Topic, (u64, u64), RpcReplyPort<Vec<Arc<Published>>>),
    ReadWindow(Window, (u64, u64), RpcReplyPort<Vec<Arc<Published>>>),
    Place(SessionId, u64, RpcReplyPort<Place>),
    Flush,
    Reread,
    ReadPage,
}

/// Behaviour only.
struct Joiner;

/// What a board holds.
struct State {
    deps: Deps,
    campaign: CampaignId,
    row: Option<CampaignRow>,
    row_seq: u64,
    queue: Option<Bytes>,
    people: HashMap<SessionId, Seen, FixedState>,
    /// What was heard of candidates and is to be put where it belongs.
    come: Vec<Come>,
    /// Whose names are to be read.
    unnamed: Vec<SessionId>,
    /// Whose names are to be read again, a few at a time.
    named_again: Vec<SessionId>,
    /// Where reading anew is, if it is at work, and whether it is to begin once more.
    reading: Option<Reading>,
    reads_again: bool,
    presences: Presences,
    monitor: Monitor,
    /// Whose results or name changed since they were last scored, each once.
    unranked: Vec<SessionId>,
    /// Whether the wall may look different from how it was last sent.
    wall_is_old: bool,
    ranking: Ranking<SessionId>,
    /// Who is to be put elsewhere in it.
    moves: Vec<Move<SessionId>>,
    wall: Wall,
    epochs: Arc<Epochs>,
    _changes: JoinSet<()>,
}

/// A candidate's row as it came.
struct Come {
    session: SessionId,
    seq: u64,
    /// `None` for a row that is gone; not kept either where nobody reads more than the sitting.
    row: Option<Bytes>,
    sitting: Option<Arc<Sitting>>,
}

/// One candidate, as far as it is known: what each of their rows changes. It is kept small, since of
/// 100,000 none is in the processor's cache.
#[derive(Default)]
struct Seen {
    seq: u64,
    sitting: Option<Sitting>,
    /// By which they are ranked, or will be with the next of `moves`.
    score: Option<Score>,
    is_invited: bool,
    is_named: bool,
    /// Whether they are in `unranked`.
    is_unranked: bool,
    /// Their row of the wall with its key, once somebody looks at it.
    wall: OnceCell<Option<Box<(String, Bytes)>>>,
    about: Box<About>,
}

/// What else is known of them.
#[derive(Default)]
struct About {
    /// The row `CandidateRow` as it is stored, while somebody watches the monitor.
    candidate: Option<Bytes>,
    tags: Vec<String>,
    invited_seq: u64,
    contact: Option<Contact>,
    typing: Option<TypingRow>,
}

impl Actor for Joiner {
    type Msg = Msg;
    type State = State;
    type Arguments = (Deps, CampaignId, Arc<Epochs>);

    async fn pre_start(
        &self,
        myself: ActorRef<Msg>,
        (deps, campaign, epochs): Self::Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let epoch = epochs.next(deps.clock.now());
        let mut changes = JoinSet::new();
        for topic in [Topic::Candidates(campaign), Topic::Of(Stream::Campaign(campaign))] {
            let mut subscription = deps.bus.subscribe(topic);
            let myself = myself.clone();
            changes.spawn(async move {
                loop {
                    let heard = subscription.next_many(AT_ONCE).await;
                    if heard.is_empty() {
                        break;
                    }
                    myself.cast(Msg::Changed(heard)).ok();
                }
            });
        }
        let mut state = State {
            deps,
            campaign,
            row: None,
            row_seq: 0,
            queue: None,
            people: HashMap::default(),
            come: vec![],
            unnamed: vec![],
            named_again: vec![],
            reading: None,
            reads_again: false,
            presences: Presences::default(),
            monitor: Monitor::default(),
            unranked: vec![],
            wall_is_old: true,
            ranking: Ranking::default(),
            moves: vec![],
            wall: Wall::new(campaign, epoch),
            epochs,
            _changes: changes,
        };
        // Before the first reading: who is asked answers meanwhile.
        tell_gateways(&state.deps, format!("roll_call.{campaign}"), &());
        state.reread().await?;
        state.flush().await;
        myself.send_interval(FLUSH, || Msg::Flush);
        myself.send_interval(REREAD, || Msg::Reread);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Msg>,
        msg: Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match msg {
            Msg::Changed(heard) => state.hear(heard, &myself),
            Msg::MonitorWatched => state.monitor_watched(&myself).await,
            Msg::MonitorLeft => state.monitor_left(),
            Msg::Read(topic, after, reply) => {
                let frames = state.read(topic, after);
                reply.send(frames).ok();
            }
            Msg::ReadWindow(window, after, reply) => {
                let frames = state.read_window(window, after);
                reply.send(frames).ok();
            }
            Msg::Place(session, seen, reply) => {
                let place = state.place(session, seen);
                reply.send(place).ok();
            }
            Msg::Flush => state.flush().await,
            Msg::Reread => state.begin_reading(&myself),
            Msg::ReadPage => state.read_next(&myself).await,
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<Msg>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.forget(state.monitor.ring.as_ref());
        state.forget(Some(state.wall.first()));
        Ok(())
    }
}

impl State {
    async fn flush(&mut self) {
        self.read_names().await;
        let gone = self.presences.expire(self.deps.clock.now());
        self.monitor.stir(gone);
        self.rank();
        self.flush_monitor();
        self.flush_wall();
    }

    fn monitor_topic(&self) -> Topic {
        Topic::Monitor(self.campaign)
    }

    fn forget(&self, ring: Option<&Ring>) {
        if let Some(ring) = ring {
            self.deps.heads.forget(ring.topic(), ring.epoch());
        }
    }

    fn publish(&self, frames: Vec<Arc<Published>>) {
        for published in frames {
            let RowsFrame { topic, epoch, seq, .. } = published.frame;
            self.deps.heads.set(topic, epoch, seq);
            self.deps.bus.publish(published);
        }
    }

    fn read(&mut self, topic: Topic, after: (u64, u64)) -> Vec<Arc<Published>> {
        if topic != self.monitor_topic() {
            return self.read_window(Window::default(), after);
        }
        self.monitor.read(after)
    }
}
