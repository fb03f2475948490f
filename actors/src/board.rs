//! Boards: a campaign's live monitor and its wall, joined from all its sessions by one actor while
//! somebody watches.

mod ring;
mod rows;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use domain::{
    at::At,
    campaign::CampaignRow,
    frame::RowsFrame,
    ids::{CampaignId, SessionId},
    people::Contact,
    ports::{Published, RowQuery, Unavailable},
    rows::Topic,
    session::{CandidateRow, TypingRow},
    stream::Stream,
};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort, rpc::CallResult};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use self::ring::Ring;
use crate::deps::Deps;

/// How often what changed is sent.
const FLUSH: Duration = Duration::from_millis(200);
/// How often everything is read again, in case a frame was lost.
const REREAD: Duration = Duration::from_secs(15);
/// How many rows are read at once.
const PAGE: usize = 1_000;

/// The boards that somebody watches.
#[derive(Default)]
pub struct Boards(Mutex<HashMap<CampaignId, Weak<Board>>>);

/// A board; it stops when nobody holds it any more.
pub struct Board(ActorRef<Msg>);

impl Drop for Board {
    fn drop(&mut self) {
        self.0.stop(Some("nobody watches".to_owned()));
    }
}

/// Who is connected, as a gateway tells it: row `link.<session>`, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkRow {
    pub connected: bool,
    pub at: At,
    pub rtt_ms: Option<u32>,
}

/// Tells a campaign's board something that is not stored.
pub fn pass(deps: &Deps, campaign: CampaignId, key: String, row: &impl Serialize) {
    let row = serde_json::to_vec(row).expect("rows are plain data");
    let rows = vec![(key, Some(row.into()))];
    let topic = Topic::Candidates(campaign);
    let frame = RowsFrame { topic, epoch: 0, seq: 0, prev: None, reset: false, more: false, rows };
    deps.bus.publish(Arc::new(Published { frame, text: Bytes::new() }));
}

impl Boards {
    /// The board of `campaign`, made if there is none. Keep it as long as you watch.
    pub async fn board(
        &self,
        deps: &Deps,
        campaign: CampaignId,
        supervisor: ActorCell,
    ) -> Option<Arc<Board>> {
        if let Some(board) = self.known(campaign) {
            return Some(board);
        }
        let arguments = (deps.clone(), campaign);
        let (actor, _) = Actor::spawn_linked(None, Joiner, arguments, supervisor).await.ok()?;
        let board = Arc::new(Board(actor));
        // Two may have been made at once: the first one in stays, the other one is dropped.
        let mut boards = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        boards.retain(|_, board| board.strong_count() > 0);
        if let Some(first) = boards.get(&campaign).and_then(Weak::upgrade) {
            return Some(first);
        }
        boards.insert(campaign, Arc::downgrade(&board));
        Some(board)
    }

    fn known(&self, campaign: CampaignId) -> Option<Arc<Board>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&campaign)?.upgrade()
    }
}

impl Board {
    /// What brings a watcher up to date who has seen `after` (epoch and seq): the frames since, or
    /// everything anew in pages.
    pub async fn read(&self, topic: Topic, after: (u64, u64)) -> Option<Vec<Arc<Published>>> {
        match self.0.call(|reply| Msg::Read(topic, after, reply), None).await {
            Ok(CallResult::Success(frames)) => Some(frames),
            Ok(CallResult::Timeout | CallResult::SenderError) | Err(_) => None,
        }
    }
}

/// What a board is told.
pub(crate) enum Msg {
    Changed(Arc<Published>),
    Read(Topic, (u64, u64), RpcReplyPort<Vec<Arc<Published>>>),
    Flush,
    Reread,
}

/// Behaviour only.
struct Joiner;

/// What a board holds.
struct State {
    deps: Deps,
    campaign: CampaignId,
    row: Option<CampaignRow>,
    queue: Option<Bytes>,
    people: BTreeMap<SessionId, Seen>,
    contacts_are_old: bool,
    /// Whose row, and whose presence, changed since the last flush.
    changed: BTreeSet<SessionId>,
    stirred: BTreeSet<SessionId>,
    heading_changed: bool,
    monitor: Ring,
    wall: Ring,
    _changes: JoinSet<()>,
}

/// One candidate, as far as it is known.
#[derive(Default)]
struct Seen {
    seq: u64,
    candidate: Option<CandidateRow>,
    tags: Vec<String>,
    is_invited: bool,
    contact: Option<Contact>,
    link: Option<LinkRow>,
    typing: Option<TypingRow>,
}

impl Actor for Joiner {
    type Msg = Msg;
    type State = State;
    type Arguments = (Deps, CampaignId);

    async fn pre_start(
        &self,
        myself: ActorRef<Msg>,
        (deps, campaign): Self::Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let mut changes = JoinSet::new();
        for topic in [Topic::Candidates(campaign), Topic::Of(Stream::Campaign(campaign))] {
            let mut subscription = deps.bus.subscribe(topic);
            let myself = myself.clone();
            changes.spawn(async move {
                while let Some(published) = subscription.next().await {
                    myself.cast(Msg::Changed(published)).ok();
                }
            });
        }
        // A new board is a new epoch: what was seen of another one cannot be gone on from.
        let epoch = u64::try_from(deps.clock.now().0).unwrap_or(0);
        let mut state = State {
            deps,
            campaign,
            row: None,
            queue: None,
            people: BTreeMap::new(),
            contacts_are_old: true,
            changed: BTreeSet::new(),
            stirred: BTreeSet::new(),
            heading_changed: true,
            monitor: Ring::new(Topic::Monitor(campaign), epoch),
            wall: Ring::new(Topic::Wall(campaign), epoch),
            _changes: changes,
        };
        state.reread().await?;
        state.flush().await;
        myself.send_interval(FLUSH, || Msg::Flush);
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
            Msg::Changed(published) => state.take_in(&published.frame),
            Msg::Read(topic, after, reply) => {
                let frames = state.read(topic, after);
                reply.send(frames).ok();
            }
            Msg::Flush => state.flush().await,
            Msg::Reread => {
                if let Err(error) = state.reread().await {
                    tracing::warn!(%error, "a board could not read");
                }
            }
        }
        Ok(())
    }
}

impl State {
    async fn reread(&mut self) -> Result<(), Unavailable> {
        for topic in [Topic::Of(Stream::Campaign(self.campaign)), Topic::Candidates(self.campaign)]
        {
            let mut after_key = None;
            loop {
                let query = RowQuery { topic, after_key, changed_after: None, limit: PAGE };
                let rows = self.deps.store.rows(query).await?;
                for row in &rows {
                    self.take_in_row(&row.key, row.seq, row.value.as_ref());
                }
                after_key = rows.last().map(|row| row.key.clone());
                if rows.len() < PAGE {
                    break;
                }
            }
        }
        Ok(())
    }

    fn take_in(&mut self, frame: &RowsFrame) {
        for (key, value) in &frame.rows {
            self.take_in_row(key, frame.seq, value.as_ref());
        }
    }

    /// One row, from the store or from the bus.
    fn take_in_row(&mut self, key: &str, seq: u64, value: Option<&Bytes>) {
        let Some((kind, id)) = key.split_once('.') else {
            return self.take_in_plain(key, seq, value);
        };
        let Ok(session) = id.parse::<SessionId>() else { return };
        let seen = self.people.entry(session).or_default();
        match kind {
            "link" => {
                seen.link = parsed(value);
                self.stirred.insert(session);
            }
            "typing" => {
                seen.typing = parsed(value);
                self.stirred.insert(session);
            }
            "candidate" => {
                let invited: Option<domain::campaign::InvitedRow> = parsed(value);
                let tags = invited.as_ref().map(|row| row.tags.clone()).unwrap_or_default();
                if seen.is_invited != invited.is_some() || seen.tags != tags {
                    (seen.is_invited, seen.tags) = (invited.is_some(), tags);
                    self.contacts_are_old = true;
                    self.changed.insert(session);
                }
            }
            _ => {}
        }
    }

    fn take_in_plain(&mut self, key: &str, seq: u64, value: Option<&Bytes>) {
        if let Ok(session) = key.parse::<SessionId>() {
            let seen = self.people.entry(session).or_default();
            if seen.seq < seq {
                seen.seq = seq;
                seen.candidate = parsed(value);
                self.changed.insert(session);
            }
        } else if key == "campaign" {
            let row: Option<CampaignRow> = parsed(value);
            // The settings say how the wall names people.
            if self.row.as_ref().map(|row| &row.settings) != row.as_ref().map(|row| &row.settings) {
                self.changed.extend(self.people.keys());
            }
            self.row = row;
            self.contacts_are_old = true;
            self.heading_changed = true;
        } else if key == "queue" {
            self.queue = value.cloned();
            self.heading_changed = true;
        }
    }

    async fn flush(&mut self) {
        if std::mem::take(&mut self.contacts_are_old) {
            self.read_contacts().await;
        }
        let monitor = self.monitor_changes();
        let wall = self.wall_changes();
        self.changed.clear();
        self.stirred.clear();
        self.heading_changed = false;
        for (ring, rows) in [(&mut self.monitor, monitor), (&mut self.wall, wall)] {
            if let Some(published) = ring.push(rows) {
                self.deps.heads.set(
                    published.frame.topic,
                    published.frame.epoch,
                    published.frame.seq,
                );
                self.deps.bus.publish(published);
            }
        }
    }

    async fn read_contacts(&mut self) {
        match self.deps.people.contacts(self.campaign).await {
            Ok(contacts) => {
                for contact in contacts {
                    let session = contact.session;
                    let seen = self.people.entry(session).or_default();
                    if seen.contact.as_ref() != Some(&contact) {
                        seen.contact = Some(contact);
                        self.changed.insert(session);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a board could not read its candidates");
                self.contacts_are_old = true;
            }
        }
    }

    fn read(&self, topic: Topic, after: (u64, u64)) -> Vec<Arc<Published>> {
        let ring = if topic == self.monitor.topic() { &self.monitor } else { &self.wall };
        ring.since(after).unwrap_or_else(|| ring.anew())
    }
}

fn parsed<T: serde::de::DeserializeOwned>(value: Option<&Bytes>) -> Option<T> {
    serde_json::from_slice(value?).ok()
}
