//! An aggregate and its stream: decide, store, apply, publish; in that order.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use domain::{
    aggregate::{Aggregate, Times},
    at::At,
    command::Answer,
    frame::{RowsFrame, Why},
    ports::{Append, AppendError, Loaded, Published, Snapshot, Unavailable},
    rows::{RowChange, Topic},
    stream::{Recorded, Stream},
};

use crate::{
    answered::{Answered, Id},
    ask::{Ask, Meta},
    deps::Deps,
    placement::Hold,
};

/// How many events one read of the store returns at most.
const READ_LIMIT: usize = 1_000;
/// How often it is loaded again because somebody wrote meanwhile.
const LOADS_MAX: usize = 5;
/// A snapshot is taken after so many events.
const SNAPSHOT_EVERY: u64 = 200;
/// Fewer than these are as quickly read as a snapshot.
const SNAPSHOT_WORTH: u64 = 8;
/// After how many ms somebody is to ask again whose command came too long ago.
const ASKED_AGAIN: u64 = 50;
/// The epoch of a stream's own topic, which resumes across owners.
pub const STREAM_EPOCH: u64 = 1;

/// Why a journal can go on no more: its owner stops, and whoever asks again loads another.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Not the owner's fault: somebody else writes, or the store is away.
    #[error("{0}")]
    Lost(#[from] AppendError),
    /// An event that cannot be read: a bug, or damage.
    #[error("event {seq} of {stream} cannot be read: {why}")]
    Undecodable { stream: Stream, seq: u64, why: serde_json::Error },
}

impl From<Unavailable> for Failure {
    fn from(unavailable: Unavailable) -> Self {
        Self::Lost(AppendError::Unavailable(unavailable))
    }
}

/// The state of `A` as of event `seq` of its stream. An actor owns one and nobody else does.
pub struct Journal<A: Aggregate> {
    deps: Deps,
    stream: Stream,
    epoch: u64,
    /// While it is good, what was decided without an append is answered.
    hold: Option<Hold>,
    seq: u64,
    rows_seq: u64,
    last_at: At,
    snapshot_seq: u64,
    /// Shared with who tells others of it.
    state: Arc<A>,
    answered: Answered,
    /// Events with something to tell to other streams, oldest first.
    untold: VecDeque<(u64, Arc<A::Event>)>,
}

/// Some commands, decided but not yet stored.
struct Batch<A: Aggregate> {
    state: A,
    at: At,
    recorded: Vec<Recorded>,
    events: Vec<(At, A::Event)>,
    answers: Vec<(Id, Answer)>,
}

impl<A: Aggregate> Journal<A> {
    /// Reads the stream: its snapshot, then the events after it.
    pub async fn load(stream: Stream, epoch: u64, deps: Deps) -> Result<Self, Failure> {
        for _ in 0..LOADS_MAX {
            let loaded = deps.store.load(stream, A::SCHEMA, READ_LIMIT).await?;
            let seq = loaded.head.seq;
            let journal = Self::read_to(stream, loaded, epoch, deps.clone()).await?;
            // Otherwise the owner before wrote meanwhile, and what it has to tell is not in the head.
            if journal.seq == seq {
                if journal.rows_seq > 0 {
                    journal.deps.heads.set(Topic::Of(stream), STREAM_EPOCH, journal.rows_seq);
                }
                return Ok(journal);
            }
        }
        Err(AppendError::Conflict.into())
    }

    /// Answers refusals, and what it remembers, only while `hold` is good: somebody else may have
    /// decided otherwise since.
    pub(crate) fn answering_while(mut self, hold: Hold) -> Self {
        self.hold = Some(hold);
        self
    }

    /// The state as it is stored, to look at only.
    pub(crate) async fn read(stream: Stream, deps: Deps) -> Result<Arc<A>, Failure> {
        let loaded = deps.store.load(stream, A::SCHEMA, READ_LIMIT).await?;
        Ok(Self::read_to(stream, loaded, 0, deps).await?.state)
    }

    async fn read_to(
        stream: Stream,
        loaded: Loaded,
        epoch: u64,
        deps: Deps,
    ) -> Result<Self, Failure> {
        let Loaded { head, snapshot, events } = loaded;
        let read = |snapshot: &Snapshot| serde_json::from_slice::<(A, At)>(&snapshot.body).ok();
        let start = snapshot.as_ref().and_then(|found| Some((found.seq, read(found)?)));
        let (seq, (state, last_at)) = start.unwrap_or_default();
        let answered = Answered::since(deps.clock.now());
        let mut journal = Self {
            deps,
            stream,
            epoch,
            hold: None,
            seq,
            rows_seq: head.rows_seq,
            last_at,
            snapshot_seq: seq,
            state: Arc::new(state),
            answered,
            untold: VecDeque::new(),
        };
        if let Some(untold) = head.untold.filter(|untold| *untold <= seq) {
            journal.find_untold(untold, seq).await?;
        }
        // Those behind a snapshot that cannot be read are of no use.
        if snapshot.is_none_or(|found| found.seq == seq) {
            journal.replay(events, head.untold)?;
        }
        while journal.seq < head.seq {
            let page = journal.deps.store.read(stream, journal.seq, READ_LIMIT).await?;
            if page.is_empty() {
                break;
            }
            journal.replay(page, head.untold)?;
        }
        Ok(journal)
    }

    /// Applies what is stored after `self.seq`.
    fn replay(&mut self, events: Vec<Recorded>, untold: Option<u64>) -> Result<(), Failure> {
        for recorded in events {
            assert_eq!(recorded.seq, self.seq + 1, "{} has a gap", self.stream);
            let event = self.decode(&recorded)?;
            Arc::make_mut(&mut self.state).evolve(&event, recorded.at);
            self.seq = recorded.seq;
            self.last_at = recorded.at;
            if untold.is_some_and(|untold| untold <= recorded.seq) {
                self.untold.push_back((recorded.seq, Arc::new(event)));
            }
        }
        Ok(())
    }

    /// Events from before the snapshot that were not told to the end.
    async fn find_untold(&mut self, from: u64, to: u64) -> Result<(), Failure> {
        let mut after = from - 1;
        while after < to {
            let page = self.deps.store.read(self.stream, after, READ_LIMIT).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.seq;
            for recorded in page.iter().filter(|recorded| recorded.seq <= to) {
                self.untold.push_back((recorded.seq, Arc::new(self.decode(recorded)?)));
            }
        }
        Ok(())
    }

    fn decode(&self, recorded: &Recorded) -> Result<A::Event, Failure> {
        let (stream, seq) = (self.stream, recorded.seq);
        serde_json::from_slice(&recorded.body).map_err(|why| Failure::Undecodable {
            stream,
            seq,
            why,
        })
    }

    /// Carries out `asks` as one append, and answers each once it is durable.
    pub(crate) async fn execute(&mut self, mut asks: Vec<Ask<A::Command>>) -> Result<(), Failure> {
        loop {
            let mut batch = self.start_batch();
            for ask in &asks {
                let answer = self.decide(&mut batch, ask).await?;
                batch.answers.push((id_of(&ask.meta), answer));
            }
            match self.store(&batch).await {
                Ok(()) => {
                    self.apply(batch, asks).await;
                    return Ok(());
                }
                // Stored before we loaded, though its sender called it new: nobody is believed that
                // any more, and what is decided now finds it.
                Err(AppendError::Duplicate { .. }) if asks.iter().any(|ask| ask.meta.is_first) => {
                    for ask in &mut asks {
                        ask.meta.is_first = false;
                    }
                }
                Err(AppendError::Gone) => {
                    asks.into_iter().for_each(Ask::refuse_as_gone);
                    return Err(AppendError::Gone.into());
                }
                Err(AppendError::Unavailable(why)) if why.is_disk_full() => {
                    asks.into_iter().for_each(Ask::refuse_as_full);
                    return Err(why.into());
                }
                Err(lost) => return Err(lost.into()),
            }
        }
    }

    fn start_batch(&self) -> Batch<A> {
        let at = self.deps.clock.now().max(self.last_at);
        let (recorded, events, answers) = (vec![], vec![], vec![]);
        Batch { state: (*self.state).clone(), at, recorded, events, answers }
    }

    /// Decides one command against the batch's state.
    async fn decide(
        &mut self,
        batch: &mut Batch<A>,
        ask: &Ask<A::Command>,
    ) -> Result<Answer, Failure> {
        let id = id_of(&ask.meta);
        if let Some(answer) = self.known_answer(batch, &id, ask.meta.is_first).await? {
            return Ok(answer);
        }
        let received_at = match ask.meta.received_at {
            None => batch.at,
            Some(received_at) => match self.answered.came(&id, received_at, self.now()) {
                Some(came) => came,
                None => return Ok(asked_again()),
            },
        };
        if !batch.state.listens_to(ask.meta.origin) {
            return Ok(Answer::Refused(Why::new("forbidden", "this is not yours to ask")));
        }
        let times = Times { received_at, now: batch.at };
        Ok(match batch.state.decide(ask.command.clone(), times) {
            Err(refusal) => Answer::refused(&refusal),
            Ok(events) => {
                let answer = batch.state.answer(&events);
                self.record(batch, &id, events);
                let seq = self.seq + batch.recorded.len() as u64;
                Answer::Done { epoch: self.epoch, seq, answer }
            }
        })
    }

    async fn known_answer(
        &self,
        batch: &Batch<A>,
        id: &Id,
        is_first: bool,
    ) -> Result<Option<Answer>, Failure> {
        let here = batch.answers.iter().find(|(known, _)| known == id);
        let here = here.map(|(_, answer)| answer.clone());
        if let Some(answer) = here.or_else(|| self.answered.get(id)) {
            return Ok(Some(answer));
        }
        if is_first || self.seq == 0 {
            return Ok(None);
        }
        match self.deps.store.find(self.stream, &id.0.to_string(), id.1).await? {
            Some(seq) => self.stored_answer(seq).await.map(Some),
            None => Ok(None),
        }
    }

    /// The answer to the command whose last event is `seq`: it follows from its events, which lie
    /// side by side.
    async fn stored_answer(&self, seq: u64) -> Result<Answer, Failure> {
        let last = self.deps.store.read(self.stream, seq - 1, 1).await?;
        let before = last.first().map_or(0, |last| last.n);
        let from = seq - 1 - u64::from(before);
        let recorded = self.deps.store.read(self.stream, from, usize::from(before) + 1).await?;
        let events: Result<Vec<_>, _> = recorded.iter().map(|event| self.decode(event)).collect();
        Ok(Answer::Done { epoch: self.epoch, seq, answer: self.state.answer(&events?) })
    }

    fn record(&self, batch: &mut Batch<A>, id: &Id, events: Vec<A::Event>) {
        for (event, n) in events.into_iter().zip(0_u16..) {
            let body = serde_json::to_vec(&event).expect("events are plain data");
            batch.state.evolve(&event, batch.at);
            batch.recorded.push(Recorded {
                seq: self.seq + batch.recorded.len() as u64 + 1,
                at: batch.at,
                origin: id.0.to_string(),
                command_id: id.1,
                n,
                kind: kind_of(&body),
                body: Bytes::from(body),
            });
            batch.events.push((batch.at, event));
        }
    }

    async fn store(&self, batch: &Batch<A>) -> Result<(), AppendError> {
        if batch.recorded.is_empty() {
            return Ok(());
        }
        let tells =
            |(_, event): &(At, A::Event)| !batch.state.reactions(self.stream, event, 0).is_empty();
        let first = batch.events.iter().position(tells).map(|n| self.seq + 1 + n as u64);
        let append = Append {
            stream: self.stream,
            epoch: self.epoch,
            expected_seq: self.seq,
            events: batch.recorded.clone(),
            wake_at: batch.state.wake_at(),
            untold: self.untold.front().map(|(seq, _)| *seq).or(first),
            rows: batch.state.rows(self.stream, &batch.events),
        };
        self.deps.store.append(append).await
    }

    /// The batch is durable: it becomes the state, is published, and its commands are answered.
    async fn apply(&mut self, batch: Batch<A>, asks: Vec<Ask<A::Command>>) {
        let Batch { state, at, recorded, events, answers } = batch;
        let is_proved = !recorded.is_empty() || self.hold.as_ref().is_none_or(Hold::is_good);
        if !recorded.is_empty() {
            if let Some(hold) = &self.hold {
                hold.stored_at(at);
            }
            self.state = Arc::new(state);
            self.last_at = at;
            let first = self.seq + 1;
            self.seq += recorded.len() as u64;
            self.publish(&events);
            for ((_, event), seq) in events.into_iter().zip(first..) {
                if !self.state.reactions(self.stream, &event, 0).is_empty() {
                    self.untold.push_back((seq, Arc::new(event)));
                }
            }
        }
        for (ask, (id, answer)) in asks.into_iter().zip(answers) {
            self.answered.keep(id, &answer, at);
            // Who has left in the meantime asks again, and is answered alike; so does whoever is not
            // answered, because somebody else may be the one to ask.
            if is_proved {
                ask.reply.send(answer).ok();
            }
        }
        if SNAPSHOT_EVERY <= self.seq - self.snapshot_seq {
            self.snapshot().await;
        }
    }

    /// Tells the watchers of each topic what changed in it.
    fn publish(&mut self, events: &[(At, A::Event)]) {
        let own = Topic::Of(self.stream);
        let mut by_topic: Vec<(Topic, Vec<RowChange>)> = vec![];
        let rows = self.state.rows(self.stream, events);
        for row in rows.into_iter().chain(self.state.passing(self.stream, events)) {
            match by_topic.iter_mut().find(|(topic, _)| *topic == row.topic) {
                Some((_, rows)) => rows.push(row),
                None => by_topic.push((row.topic, vec![row])),
            }
        }
        for (topic, rows) in by_topic {
            let prev = (topic == own).then_some(self.rows_seq);
            let rows = rows.into_iter().map(|row| (row.key, row.value)).collect();
            let (epoch, seq) = (STREAM_EPOCH, self.seq);
            let frame = RowsFrame { topic, epoch, seq, prev, reset: false, more: false, rows };
            let text = if topic == own { Bytes::from(frame.write()) } else { Bytes::new() };
            if topic == own {
                self.rows_seq = self.seq;
                self.deps.heads.set(topic, epoch, seq);
            }
            self.deps.bus.publish(Arc::new(Published { frame, text }));
        }
    }

    /// Keeps what is needed to go on later: a snapshot, or of what is filed one segment.
    pub(crate) async fn put_away(&mut self) {
        if !self.state.is_filed() {
            if SNAPSHOT_WORTH <= self.seq - self.snapshot_seq {
                self.snapshot().await;
            }
            return;
        }
        if let Err(error) = self.deps.store.compact(self.stream, self.epoch).await {
            tracing::warn!(stream = %self.stream, %error, "a finished stream was not compacted");
        }
    }

    /// Keeps the state, to load faster. It is a cache: failing to is no failure.
    pub(crate) async fn snapshot(&mut self) {
        if self.seq == self.snapshot_seq {
            return;
        }
        let body = serde_json::to_vec(&(&*self.state, self.last_at)).expect("state is plain data");
        let snapshot = Snapshot { seq: self.seq, schema: A::SCHEMA, body: body.into() };
        if let Err(error) = self.deps.store.save_snapshot(self.stream, snapshot).await {
            tracing::warn!(stream = %self.stream, %error, "no snapshot was kept");
        }
        self.snapshot_seq = self.seq;
    }

    /// The oldest event that other streams have to be told.
    pub(crate) fn untold(&self) -> Option<(u64, Arc<A::Event>)> {
        self.untold.front().map(|(seq, event)| (*seq, Arc::clone(event)))
    }

    /// Everything up to `seq` was told.
    pub(crate) async fn told(&mut self, seq: u64) -> Result<(), Failure> {
        while self.untold.front().is_some_and(|(untold, _)| *untold <= seq) {
            self.untold.pop_front();
        }
        let untold = self.untold.front().map(|(seq, _)| *seq);
        Ok(self.deps.store.told(self.stream, self.epoch, untold).await?)
    }

    /// The time, as this journal's commands see it.
    pub fn now(&self) -> At {
        self.deps.clock.now()
    }

    /// The state, to read elsewhere.
    pub(crate) fn shared(&self) -> Arc<A> {
        Arc::clone(&self.state)
    }

    /// The state, to read.
    pub fn state(&self) -> &A {
        &self.state
    }

    /// The last event's place.
    pub fn seq(&self) -> u64 {
        self.seq
    }
}

fn asked_again() -> Answer {
    let text = "this has waited for long; it is asked again, and nothing is lost";
    Answer::Refused(Why::later("unavailable", text, ASKED_AGAIN))
}

/// A command: who asked, under which id.
fn id_of(meta: &Meta) -> Id {
    (meta.origin, meta.command_id)
}

/// The event's name: the value of its tag, for people who read the log.
fn kind_of(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Tagged {
        #[serde(rename = "type")]
        kind: String,
    }
    serde_json::from_slice::<Tagged>(body).map(|tagged| tagged.kind).unwrap_or_default()
}
