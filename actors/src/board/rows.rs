//! What the monitor and the wall show of each candidate.

use bytes::Bytes;
use domain::{
    at::At, blob::sha256_hex, campaign::WallNames, ids::SessionId, people::Contact, points::Points,
    session::CandidateRow,
};
use serde::Serialize;

use super::{Seen, State, json, ring::Change};

/// Row `c.<session>` of the monitor.
#[derive(Serialize)]
struct CandidateView<'a> {
    name: &'a str,
    tags: &'a [String],
    candidate: &'a CandidateRow,
}

/// Row `p.<session>` of the monitor.
#[derive(Serialize)]
struct Presence {
    connected: bool,
    heard_at: Option<At>,
    rtt_ms: Option<u32>,
    typed_at: Option<At>,
    edits: u32,
}

/// A row of the wall. It says nothing that is not for everybody.
#[derive(Serialize)]
struct WallRow {
    name: String,
    score: Points,
    /// Questions with all their points.
    solved: usize,
    /// Minutes from the start to each question's best, together.
    minutes: i64,
    questions: Vec<WallQuestion>,
    finished: bool,
}

#[derive(Serialize)]
struct WallQuestion {
    score: Points,
    points: Points,
    tries: u32,
    solved_at_min: Option<i64>,
}

impl State {
    pub(super) fn monitor_changes(&self) -> Vec<Change> {
        let mut rows = vec![];
        if self.heading_changed {
            rows.extend(self.row.iter().map(|row| ("campaign".to_owned(), Some(json(row)))));
            rows.extend(self.queue.iter().map(|row| ("queue".to_owned(), Some(row.clone()))));
        }
        for (session, seen) in self.seen(&self.changed) {
            rows.push((format!("c.{session}"), seen.view()));
        }
        let stirred = self.changed.union(&self.stirred).copied().collect();
        for (session, seen) in self.seen(&stirred) {
            let is_there = seen.is_shown() && (seen.link.is_some() || seen.typing.is_some());
            rows.push((format!("p.{session}"), is_there.then(|| json(&seen.presence()))));
        }
        rows
    }

    pub(super) fn wall_changes(&self) -> Vec<Change> {
        let names = self.row.as_ref().map(|row| row.settings.wall).unwrap_or_default();
        let row = |(session, seen): (&SessionId, &Seen)| {
            (wall_key(*session), seen.wall_row(names).map(|row| json(&row)))
        };
        self.seen(&self.changed).map(row).collect()
    }

    fn seen<'a>(
        &'a self,
        which: &'a std::collections::BTreeSet<SessionId>,
    ) -> impl Iterator<Item = (&'a SessionId, &'a Seen)> {
        which.iter().filter_map(|session| Some((session, self.people.get(session)?)))
    }
}

impl Seen {
    /// `None` for who is no longer in the campaign.
    fn view(&self) -> Option<Bytes> {
        let candidate = self.candidate.as_ref().filter(|_| self.is_shown())?;
        let name = self.contact.as_ref().map_or("", |contact| &contact.name);
        Some(json(&CandidateView { name, tags: &self.tags, candidate }))
    }

    /// Who has started and was removed stays to be seen.
    fn is_shown(&self) -> bool {
        let has_started = |candidate: &CandidateRow| candidate.started_at.is_some();
        self.candidate.as_ref().is_some_and(|row| self.is_invited || has_started(row))
    }

    fn presence(&self) -> Presence {
        let typed_at = self.typing.map(|typing| typing.at);
        Presence {
            connected: self.link.is_some_and(|link| link.connected),
            heard_at: self.link.map(|link| link.at).max(typed_at),
            rtt_ms: self.link.and_then(|link| link.rtt_ms),
            typed_at,
            edits: self.typing.map_or(0, |typing| typing.edits),
        }
    }

    fn wall_row(&self, names: WallNames) -> Option<WallRow> {
        let candidate = self.candidate.as_ref().filter(|_| self.is_invited)?;
        let started_at = candidate.started_at?;
        let minute = |at: At| (at - started_at).0 / 60_000;
        let question = |question: &domain::session::QuestionScore| WallQuestion {
            score: question.score,
            points: question.points,
            tries: question.runs,
            solved_at_min: question
                .best_at
                .filter(|_| question.score > Points::default())
                .map(minute),
        };
        let questions: Vec<_> = candidate.questions.iter().map(question).collect();
        let is_solved = |one: &&WallQuestion| one.score == one.points;
        Some(WallRow {
            name: wall_name(names, self.contact.as_ref())?,
            score: candidate.score,
            solved: questions.iter().filter(is_solved).count(),
            minutes: questions.iter().filter_map(|one| one.solved_at_min).sum(),
            questions,
            finished: candidate.sealed_at.is_some(),
        })
    }
}

/// What the wall calls somebody; `None` while there is no wall.
fn wall_name(names: WallNames, contact: Option<&Contact>) -> Option<String> {
    let contact = contact?;
    match names {
        WallNames::Off => None,
        // Where the address was given for a name, it is not for everybody.
        WallNames::Names if contact.name.contains('@') => Some(contact.alias.clone()),
        WallNames::Names => Some(contact.name.clone()),
        WallNames::Initials => {
            let initial = |word: &str| word.chars().next().map(|c| format!("{c}."));
            Some(contact.name.split_whitespace().filter_map(initial).collect::<Vec<_>>().join(" "))
        }
        WallNames::Aliases => Some(contact.alias.clone()),
    }
}

/// A key that tells nobody which session it is.
fn wall_key(session: SessionId) -> String {
    sha256_hex(session.uuid().as_bytes()).chars().take(16).collect()
}
