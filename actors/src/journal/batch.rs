//! Commands carried out together: decided one after the other, appended as one, then applied,
//! published and answered.

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    aggregate::{Aggregate, Times},
    at::At,
    command::Answer,
    frame::{RowsFrame, Why},
    ports::{Append, AppendError, Published},
    rows::{RowChange, Topic},
    stream::Recorded,
};

use super::{Failure, Journal, SNAPSHOT_EVERY, STREAM_EPOCH};
use crate::{
    answered::Id,
    ask::{Ask, Meta},
    placement::Hold,
};

/// After how many ms somebody is to ask again whose command came too long ago.
const ASKED_AGAIN: u64 = 50;

/// Some commands, decided but not yet stored.
struct Batch<A: Aggregate> {
    state: A,
    at: At,
    recorded: Vec<Recorded>,
    events: Vec<(At, A::Event)>,
    /// What they change in the read tables.
    rows: Vec<RowChange>,
    answers: Vec<(Id, Answer)>,
}

impl<A: Aggregate> Journal<A> {
    /// Carries out `asks` as one append, and answers each once it is durable.
    pub(crate) async fn execute(&mut self, mut asks: Vec<Ask<A::Command>>) -> Result<(), Failure> {
        loop {
            let mut batch = self.start_batch();
            for ask in &asks {
                let answer = self.decide(&mut batch, ask).await?;
                batch.answers.push((id_of(&ask.meta), answer));
            }
            batch.rows = batch.state.rows(self.stream, &batch.events);
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
        let (recorded, events, rows, answers) = (vec![], vec![], vec![], vec![]);
        Batch { state: (*self.state).clone(), at, recorded, events, rows, answers }
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
            rows: batch.rows.clone(),
        };
        self.deps.store.append(append).await
    }

    /// The batch is durable: it becomes the state, is published, and its commands are answered.
    async fn apply(&mut self, batch: Batch<A>, asks: Vec<Ask<A::Command>>) {
        let Batch { state, at, recorded, events, rows, answers } = batch;
        let is_proved = !recorded.is_empty() || self.hold.as_ref().is_none_or(Hold::is_good);
        if !recorded.is_empty() {
            if let Some(hold) = &self.hold {
                hold.stored_at(at);
            }
            self.state = Arc::new(state);
            self.last_at = at;
            let first = self.seq + 1;
            self.seq += recorded.len() as u64;
            self.publish(&events, rows);
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
    fn publish(&mut self, events: &[(At, A::Event)], rows: Vec<RowChange>) {
        let own = Topic::Of(self.stream);
        let mut by_topic: Vec<(Topic, Vec<RowChange>)> = vec![];
        for row in rows.into_iter().chain(self.state.passing(self.stream, events)) {
            match by_topic.iter_mut().find(|(topic, _)| *topic == row.topic) {
                Some((_, rows)) => rows.push(row),
                None => by_topic.push((row.topic, vec![row])),
            }
        }
        for (topic, mut rows) in by_topic {
            let prev = (topic == own).then_some(self.rows_seq);
            let sitting = rows.iter_mut().find_map(|row| row.sitting.take());
            let rows = rows.into_iter().map(|row| (row.key, row.value)).collect();
            let (epoch, seq) = (STREAM_EPOCH, self.seq);
            let frame = RowsFrame { topic, epoch, seq, prev, reset: false, more: false, rows };
            let text = if topic == own { Bytes::from(frame.write()) } else { Bytes::new() };
            if topic == own {
                self.rows_seq = self.seq;
                self.deps.heads.set(topic, epoch, seq);
            }
            self.deps.bus.publish(Arc::new(Published { frame, text, sitting }));
        }
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
