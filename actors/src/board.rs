//! Boards: a campaign's live monitor and its wall, joined from all its sessions by one actor while
//! somebody watches.

mod boards;
mod intake;
mod pass;
mod presence;
mod ring;
mod rows;
mod standings;
mod wall;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use domain::{
    campaign::CampaignRow,
    frame::RowsFrame,
    ids::{CampaignId, SessionId},
    people::Contact,
    ports::Published,
    rows::{Topic, Window},
    session::{Sitting, TypingRow},
    stream::Stream,
};
use ractor::{Actor, ActorProcessingErr, ActorRef, ActorStatus, RpcReplyPort, rpc::CallResult};
use tokio::task::JoinSet;

pub use self::{
    boards::Boards,
    pass::{pass, tell_gateways},
    presence::{Here, ROLL_EVERY, Roll},
    ring::Ring,
    standings::Standings,
    wall::Place,
};
use self::{presence::Presences, wall::Wall};
use crate::{deps::Deps, epochs::Epochs};

/// How often what changed is sent.
const FLUSH: Duration = Duration::from_millis(200);
/// The same for a wall, where one change moves many rows, in many places.
const FLUSH_WALL: Duration = Duration::from_millis(250);
/// How often everything is read again, in case a frame was lost.
const REREAD: Duration = Duration::from_secs(15);

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
    Changed(Arc<Published>),
    Read(Topic, (u64, u64), RpcReplyPort<Vec<Arc<Published>>>),
    ReadWindow(Window, (u64, u64), RpcReplyPort<Vec<Arc<Published>>>),
    Place(SessionId, u64, RpcReplyPort<Place>),
    Flush,
    FlushWall,
    Reread,
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
    people: BTreeMap<SessionId, Seen>,
    contacts_are_old: bool,
    /// Whose row, and whose presence, changed since the last flush.
    changed: BTreeSet<SessionId>,
    stirred: BTreeSet<SessionId>,
    heading_changed: bool,
    presences: Presences,
    monitor: Ring,
    /// Whose results or name changed since the wall was last sent.
    wall_changed: BTreeSet<SessionId>,
    wall_heading_changed: bool,
    standings: Standings,
    wall: Wall,
    epochs: Arc<Epochs>,
    _changes: JoinSet<()>,
}

/// One candidate, as far as it is known.
#[derive(Default)]
struct Seen {
    seq: u64,
    /// The row `CandidateRow` as it is stored, read when the monitor is told.
    candidate: Option<Bytes>,
    sitting: Option<Arc<Sitting>>,
    tags: Vec<String>,
    is_invited: bool,
    invited_seq: u64,
    contact: Option<Contact>,
    /// Their row of the wall with its key, while they are on it.
    wall: Option<(String, Bytes)>,
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
                while let Some(heard) = subscription.next().await {
                    let msg = heard.frame().map_or(Msg::Reread, Msg::Changed);
                    myself.cast(msg).ok();
                }
            });
        }
        let mut state = State {
            deps,
            campaign,
            row: None,
            row_seq: 0,
            queue: None,
            people: BTreeMap::new(),
            contacts_are_old: true,
            changed: BTreeSet::new(),
            stirred: BTreeSet::new(),
            heading_changed: true,
            presences: Presences::default(),
            monitor: Ring::new(Topic::Monitor(campaign), epoch),
            wall_changed: BTreeSet::new(),
            wall_heading_changed: true,
            standings: Standings::default(),
            wall: Wall::new(campaign, epoch),
            epochs,
            _changes: changes,
        };
        // Before the first reading: who is asked answers meanwhile.
        tell_gateways(&state.deps, format!("roll_call.{campaign}"), &());
        state.reread().await?;
        state.flush().await;
        state.flush_wall();
        myself.send_interval(FLUSH, || Msg::Flush);
        myself.send_interval(FLUSH_WALL, || Msg::FlushWall);
        myself.send_interval(REREAD, || Msg::Reread);
        Ok(state)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Msg>,
        msg: Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match msg {
            Msg::Changed(published) => state.take_in(&published),
            Msg::Read(topic, after, reply) => {
                let frames = state.read(topic, after);
                reply.send(frames).ok();
            }
            Msg::ReadWindow(window, after, reply) => {
                let frames = state.read_window(window, after);
                reply.send(frames).ok();
            }
            Msg::Place(session, seen, reply) => {
                reply.send(state.place(session, seen)).ok();
            }
            Msg::Flush => state.flush().await,
            Msg::FlushWall => state.flush_wall(),
            Msg::Reread => {
                // No event tells of a new name.
                state.contacts_are_old = true;
                if let Err(error) = state.reread().await {
                    tracing::warn!(%error, "a board could not read");
                }
            }
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<Msg>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        for ring in [&state.monitor, state.wall.first()] {
            state.deps.heads.forget(ring.topic(), ring.epoch());
        }
        Ok(())
    }
}

impl State {
    async fn flush(&mut self) {
        if std::mem::take(&mut self.contacts_are_old) {
            self.read_contacts().await;
        }
        let gone = self.presences.expire(self.deps.clock.now());
        self.stirred.extend(gone);
        let monitor = self.monitor_changes();
        self.changed.clear();
        self.stirred.clear();
        self.heading_changed = false;
        let frames = self.monitor.push(monitor);
        self.publish(frames);
    }

    fn publish(&self, frames: Vec<Arc<Published>>) {
        for published in frames {
            let RowsFrame { topic, epoch, seq, .. } = published.frame;
            self.deps.heads.set(topic, epoch, seq);
            self.deps.bus.publish(published);
        }
    }

    fn change(&mut self, session: SessionId) {
        self.changed.insert(session);
        self.wall_changed.insert(session);
    }

    async fn read_contacts(&mut self) {
        match self.deps.people.contacts(self.campaign).await {
            Ok(contacts) => {
                let mut contacts: HashMap<SessionId, Contact> =
                    contacts.into_iter().map(|contact| (contact.session, contact)).collect();
                // Who was erased has no name any more.
                for (session, seen) in &mut self.people {
                    let contact = contacts.remove(session);
                    if seen.contact != contact {
                        seen.contact = contact;
                        self.changed.insert(*session);
                        self.wall_changed.insert(*session);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a board could not read its candidates");
                self.contacts_are_old = true;
            }
        }
    }

    fn read(&mut self, topic: Topic, after: (u64, u64)) -> Vec<Arc<Published>> {
        if topic != self.monitor.topic() {
            return self.read_window(Window::default(), after);
        }
        self.monitor.read(after)
    }
}
