//! What a board takes in: rows as they are committed, and now and then everything anew.

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    campaign::{CampaignRow, InvitedRow},
    ids::SessionId,
    ports::{Published, RowQuery, Unavailable},
    rows::Topic,
    session::Sitting,
    stream::Stream,
};

use super::{
    State,
    rows::{json, parsed},
};

/// How many rows are read at once.
const PAGE: usize = 1_000;

/// One row, from the store or from the bus.
struct Told<'a> {
    key: &'a str,
    seq: u64,
    value: Option<&'a Bytes>,
    /// What it says of a sitting, if that need not be read from it.
    sitting: Option<&'a Arc<Sitting>>,
}

impl State {
    pub(super) async fn reread(&mut self) -> Result<(), Unavailable> {
        for topic in [Topic::Of(Stream::Campaign(self.campaign)), Topic::Candidates(self.campaign)]
        {
            let mut after_key = None;
            loop {
                // With what is gone, so that a lost removal is made up for.
                let query = RowQuery { topic, after_key, changed_after: Some(0), limit: PAGE };
                let rows = self.deps.store.rows(query).await?;
                for row in &rows {
                    let value = row.value.as_ref();
                    self.take_in_row(&Told { key: &row.key, seq: row.seq, value, sitting: None });
                }
                after_key = rows.last().map(|row| row.key.clone());
                if rows.len() < PAGE {
                    break;
                }
            }
        }
        Ok(())
    }

    pub(super) fn take_in(&mut self, published: &Published) {
        let (seq, sitting) = (published.frame.seq, published.sitting.as_ref());
        for (key, value) in &published.frame.rows {
            self.take_in_row(&Told { key, seq, value: value.as_ref(), sitting });
        }
    }

    fn take_in_row(&mut self, told: &Told<'_>) {
        match told.key.split_once('.') {
            Some(("gate", id)) => {
                let Some(roll) = parsed(told.value) else { return };
                let changed = self.presences.take(id, roll, self.deps.clock.now());
                self.stirred.extend(changed);
            }
            Some((kind, id)) => {
                if let Ok(session) = id.parse() {
                    self.take_in_of(kind, session, told);
                }
            }
            None if told.key == "campaign" => self.take_in_campaign(told),
            None if told.key == "queue" => {
                self.queue = told.value.cloned();
                self.heading_changed = true;
            }
            None => {
                if let Ok(session) = told.key.parse() {
                    self.take_in_candidate(session, told);
                }
            }
        }
    }

    fn take_in_of(&mut self, kind: &str, session: SessionId, told: &Told<'_>) {
        let seen = self.people.entry(session).or_default();
        match kind {
            "typing" => {
                seen.typing = parsed(told.value);
                self.stirred.insert(session);
            }
            "candidate" if seen.invited_seq <= told.seq => {
                seen.invited_seq = told.seq;
                let invited: Option<InvitedRow> = parsed(told.value);
                let tags = invited.as_ref().map(|row| row.tags.clone()).unwrap_or_default();
                if seen.is_invited != invited.is_some() || seen.tags != tags {
                    (seen.is_invited, seen.tags) = (invited.is_some(), tags);
                    self.contacts_are_old = true;
                    self.change(session);
                }
            }
            _ => {}
        }
    }

    fn take_in_candidate(&mut self, session: SessionId, told: &Told<'_>) {
        let seen = self.people.entry(session).or_default();
        if seen.seq < told.seq {
            seen.seq = told.seq;
            seen.candidate = told.value.cloned();
            let read = |row: &Bytes| Sitting::read(row).map(Arc::new);
            seen.sitting = told.value.and_then(|row| told.sitting.cloned().or_else(|| read(row)));
            self.change(session);
        }
    }

    fn take_in_campaign(&mut self, told: &Told<'_>) {
        if told.seq < self.row_seq {
            return;
        }
        self.row_seq = told.seq;
        let row: Option<CampaignRow> = parsed(told.value);
        // The settings say how the wall names people.
        if self.row.as_ref().map(|row| &row.settings) != row.as_ref().map(|row| &row.settings) {
            self.wall_changed.extend(self.people.keys());
        }
        let is_other = json(&row) != json(&self.row);
        self.heading_changed |= is_other;
        self.wall_heading_changed |= is_other;
        self.row = row;
    }
}
