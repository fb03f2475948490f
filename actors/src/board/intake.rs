//! What a board takes in: rows as they are committed.

use std::{collections::HashMap, hint::black_box, sync::Arc};

use bytes::Bytes;
use domain::{
    campaign::{CampaignRow, InvitedRow, Settings},
    ids::SessionId,
    ports::{Heard, Published},
    ranking::{Move, Score},
    session::Sitting,
};
use foldhash::fast::FixedState;
use ractor::ActorRef;

use super::{
    Come, Msg, Seen, State,
    rows::{json, parsed},
};

/// How many candidates' rows are put where they belong together: few enough to be in the processor's
/// cache until they are scored, and enough that what they need of memory comes side by side.
const TOGETHER: usize = 32;

/// How many are moved in the order together at most, so that what is kept of them stays small.
const MOVED: usize = 16 * 1_024;

/// One row, from the store or from the bus.
pub(super) struct Told<'a> {
    pub(super) key: &'a str,
    pub(super) seq: u64,
    pub(super) value: Option<&'a Bytes>,
    /// What it says of a sitting, if that need not be read from it.
    pub(super) sitting: Option<&'a Arc<Sitting>>,
}

impl State {
    pub(super) fn hear(&mut self, heard: Vec<Heard>, myself: &ActorRef<Msg>) {
        fetch_frames(&heard);
        for heard in heard {
            match heard {
                Heard::Frame(published) => self.take_in(&published),
                Heard::Gap => self.begin_reading(myself),
            }
        }
    }

    fn take_in(&mut self, published: &Published) {
        let (seq, sitting) = (published.frame.seq, published.sitting.as_ref());
        for (key, value) in &published.frame.rows {
            self.take_in_row(&Told { key, seq, value: value.as_ref(), sitting });
        }
    }

    pub(super) fn take_in_row(&mut self, told: &Told<'_>) {
        match told.key.split_once('.') {
            Some(("gate", id)) => {
                let Some(roll) = parsed(told.value) else { return };
                let changed = self.presences.take(id, roll, self.deps.clock.now());
                self.monitor.stir(changed);
            }
            Some((kind, id)) => {
                if let Ok(session) = id.parse() {
                    self.take_in_of(kind, session, told);
                }
            }
            None if told.key == "campaign" => self.take_in_campaign(told),
            None if told.key == "queue" => {
                self.queue = told.value.cloned();
                self.monitor.heading_changed = true;
            }
            None => {
                let known = told.sitting.map(|sitting| sitting.session);
                if let Some(session) = known.or_else(|| told.key.parse().ok()) {
                    self.take_in_candidate(session, told);
                }
            }
        }
    }

    fn take_in_of(&mut self, kind: &str, session: SessionId, told: &Told<'_>) {
        let seen = self.people.entry(session).or_default();
        let about = &mut seen.about;
        match kind {
            "typing" => {
                about.typing = parsed(told.value);
                self.monitor.stir([session]);
            }
            "candidate" if about.invited_seq < told.seq => {
                about.invited_seq = told.seq;
                // Who is given another name is told of anew.
                self.unnamed.push(session);
                let invited: Option<InvitedRow> = parsed(told.value);
                let tags = invited.as_ref().map(|row| row.tags.clone()).unwrap_or_default();
                if seen.is_invited != invited.is_some() || about.tags != tags {
                    (seen.is_invited, about.tags) = (invited.is_some(), tags);
                    seen.unrank(session, &mut self.unranked);
                    self.monitor.change(session);
                }
            }
            _ => {}
        }
    }

    /// Only noted: many at once are put where they belong together.
    fn take_in_candidate(&mut self, session: SessionId, told: &Told<'_>) {
        let sitting = told.sitting.cloned();
        let is_read = sitting.is_none() || self.monitor.ring.is_some();
        let row = told.value.filter(|_| is_read).cloned();
        self.come.push(Come { session, seq: told.seq, row, sitting });
        if TOGETHER <= self.come.len() {
            self.settle();
        }
    }

    /// Takes in the rows that have come, and scores all who changed.
    pub(super) fn settle(&mut self) {
        let is_watched = self.monitor.ring.is_some();
        fetch(&self.come, &self.people);
        for come in self.come.drain(..) {
            let seen = self.people.entry(come.session).or_default();
            let is_new = seen.seq < come.seq
                || (is_watched && seen.seq == come.seq && seen.about.candidate.is_none());
            if is_new {
                seen.take_in(&come);
                seen.about.candidate = come.row.filter(|_| is_watched);
                seen.unrank(come.session, &mut self.unranked);
                self.monitor.change(come.session);
            }
        }
        self.score();
        if MOVED <= self.moves.len() {
            self.ranking.put(self.moves.drain(..));
        }
    }

    /// Notes where those who changed belong in the order.
    fn score(&mut self) {
        let Some(settings) = self.row.as_ref().map(|row| &row.settings) else { return };
        self.wall_is_old |= !self.unranked.is_empty();
        for session in self.unranked.drain(..) {
            let Some(seen) = self.people.get_mut(&session) else { continue };
            let (before, after) = seen.score(settings);
            if before != after {
                self.moves.push(Move { key: session, before, after });
            }
        }
    }

    /// Puts all who changed where they belong in the order: of a wall that is told much, thousands
    /// together, so that who is next is where the last one was.
    pub(super) fn rank(&mut self) {
        self.settle();
        self.ranking.put(self.moves.drain(..));
    }

    fn take_in_campaign(&mut self, told: &Told<'_>) {
        if told.seq < self.row_seq {
            return;
        }
        self.row_seq = told.seq;
        let row: Option<CampaignRow> = parsed(told.value);
        // The settings say how the wall names people.
        if self.row.as_ref().map(|row| &row.settings) != row.as_ref().map(|row| &row.settings) {
            for (session, seen) in &mut self.people {
                seen.unrank(*session, &mut self.unranked);
            }
        }
        let is_other = json(&row) != json(&self.row);
        self.monitor.heading_changed |= is_other;
        self.wall_is_old |= is_other;
        self.row = row;
    }
}

impl Seen {
    /// In the memory that they have: of 100,000 each piece given back is one more that has to be
    /// fetched first.
    fn take_in(&mut self, come: &Come) {
        self.seq = come.seq;
        let read = || come.row.as_ref().and_then(|row| Sitting::read(row));
        match (&come.sitting, &mut self.sitting) {
            (Some(told), Some(own)) => own.set(told),
            (Some(told), own) => *own = Some(Sitting::clone(told)),
            (None, own) => *own = read(),
        }
    }

    /// Answers what score they had, and what they have now.
    fn score(&mut self, settings: &Settings) -> (Option<Score>, Option<Score>) {
        self.is_unranked = false;
        self.wall.take();
        let after = self.wall_results(settings).map(|one| one.by(settings.wall_rules));
        (std::mem::replace(&mut self.score, after), after)
    }

    /// Is put where it belongs when all who changed are.
    pub(super) fn unrank(&mut self, session: SessionId, unranked: &mut Vec<SessionId>) {
        if !std::mem::replace(&mut self.is_unranked, true) {
            unranked.push(session);
        }
    }
}

/// Reads a little of all that taking them in needs: of many it comes from memory side by side here,
/// and would come one after the other where it is needed.
fn fetch(come: &[Come], people: &HashMap<SessionId, Seen, FixedState>) {
    let own = come.iter().filter_map(|come| people.get(&come.session)?.sitting.as_ref());
    let sittings = own.chain(come.iter().filter_map(|come| come.sitting.as_deref()));
    black_box(sittings.clone().map(|sitting| sitting.questions.len()).max());
    let questions = sittings.flat_map(|sitting| &sitting.questions);
    black_box(questions.clone().map(|question| question.marks.len()).max());
    black_box(questions.filter_map(|question| question.marks.first()).map(|mark| mark.at).max());
}

/// The same of frames.
fn fetch_frames(heard: &[Heard]) {
    let frames = heard.iter().filter_map(|heard| match heard {
        Heard::Frame(published) => Some(published),
        Heard::Gap => None,
    });
    black_box(frames.clone().map(|frame| frame.text.len()).max());
    let sittings = frames.clone().filter_map(|frame| frame.sitting.as_ref());
    black_box(sittings.map(|sitting| sitting.session).max());
    let rows = frames.flat_map(|published| &published.frame.rows);
    black_box(rows.filter_map(|(key, _)| key.as_bytes().first()).max());
}
