//! Everything anew now and then, in case a frame was lost, and names, since no event tells who was
//! erased. A page at a time: of a campaign of 100,000 all of it takes seconds, and the board would
//! stand still.

use std::{collections::HashMap, time::Duration};

use domain::{
    ids::SessionId,
    people::Contact,
    ports::{RowQuery, Unavailable},
    rows::Topic,
    stream::Stream,
};
use ractor::ActorRef;

use super::{Msg, State, intake::Told};

/// How many rows are read at once.
const PAGE: usize = 1_000;
/// How long everything else has its turn between two pages.
const PAUSE: Duration = Duration::from_millis(20);
/// How long it waits for a store that does not answer.
const RETRY: Duration = Duration::from_secs(1);
/// How many names are read at once, which is as often as frames are made.
const NAMES: usize = 5_000;

/// Where reading anew has come to.
#[derive(Default)]
pub(super) struct Reading {
    /// Which topic, and behind which of its keys.
    topic: usize,
    after_key: Option<String>,
}

impl State {
    /// Everything at once, before anybody is told anything.
    pub(super) async fn reread(&mut self) -> Result<(), Unavailable> {
        let mut reading = Some(Reading::default());
        while let Some(at) = reading {
            reading = self.read_page(at).await?;
        }
        for _ in 0..=self.unnamed.len() / NAMES {
            self.read_names().await;
        }
        Ok(())
    }

    /// The same page by page; anew when it is at work already and something may have been lost.
    pub(super) fn begin_reading(&mut self, myself: &ActorRef<Msg>) {
        self.reads_again = self.reading.is_some();
        if self.reading.is_none() {
            self.reading = Some(Reading::default());
            myself.cast(Msg::ReadPage).ok();
        }
    }

    pub(super) async fn read_next(&mut self, myself: &ActorRef<Msg>) {
        let Some(reading) = self.reading.take() else { return };
        match self.read_page(reading).await {
            Ok(Some(next)) => {
                self.reading = Some(next);
                myself.send_after(PAUSE, || Msg::ReadPage);
            }
            Ok(None) => {
                self.ask_names_again();
                if std::mem::take(&mut self.reads_again) {
                    self.begin_reading(myself);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a board could not read");
                self.reading = Some(Reading::default());
                myself.send_after(RETRY, || Msg::ReadPage);
            }
        }
    }

    /// Answers where it goes on.
    async fn read_page(&mut self, reading: Reading) -> Result<Option<Reading>, Unavailable> {
        let topics = [Topic::Of(Stream::Campaign(self.campaign)), Topic::Candidates(self.campaign)];
        let Reading { topic, after_key } = reading;
        let Some(of) = topics.get(topic) else { return Ok(None) };
        // With what is gone, so that a lost removal is made up for.
        let query = RowQuery { topic: *of, after_key, changed_after: Some(0), limit: PAGE };
        let rows = self.deps.store.rows(query).await?;
        for row in &rows {
            let value = row.value.as_ref();
            self.take_in_row(&Told { key: &row.key, seq: row.seq, value, sitting: None });
        }
        self.settle();
        if rows.len() < PAGE {
            return Ok(Some(Reading { topic: topic + 1, after_key: None }));
        }
        Ok(Some(Reading { topic, after_key: rows.last().map(|row| row.key.clone()) }))
    }

    /// Of some, until everybody has had their turn: of 100,000 within five minutes.
    fn ask_names_again(&mut self) {
        if self.named_again.is_empty() {
            self.named_again = self.people.keys().copied().collect();
        }
        let from = self.named_again.len().saturating_sub(NAMES);
        self.unnamed.extend(self.named_again.drain(from..));
    }

    /// Some of the names that are to be read.
    pub(super) async fn read_names(&mut self) {
        let asked = self.unnamed.split_off(self.unnamed.len().saturating_sub(NAMES));
        if asked.is_empty() {
            return;
        }
        match self.deps.people.contacts_of(&asked).await {
            Ok(contacts) => {
                let mut contacts: HashMap<_, _> =
                    contacts.into_iter().map(|contact| (contact.session, contact)).collect();
                for session in asked {
                    self.name(session, contacts.remove(&session));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a board could not read its candidates");
                self.unnamed.extend(asked);
            }
        }
    }

    /// Who was erased has no name any more.
    fn name(&mut self, session: SessionId, contact: Option<Contact>) {
        let Some(seen) = self.people.get_mut(&session) else { return };
        if seen.about.contact != contact {
            seen.is_named = contact.is_some();
            seen.about.contact = contact;
            seen.unrank(session, &mut self.unranked);
            self.monitor.change(session);
        }
    }
}
