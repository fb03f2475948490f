//! What the monitor and the wall show of each candidate.

use bytes::Bytes;
use domain::{
    at::At,
    blob::sha256_hex,
    campaign::{Settings, WallNames, WallRules},
    ids::SessionId,
    people::Contact,
    points::Points,
    ranking::Ranked,
    session::{CandidateRow, QuestionScore, Results, Shown, minutes_between},
};
use serde::Serialize;

use super::{Seen, State, presence::Link, ring::Change};

/// Row `c.<session>` of the monitor.
#[derive(Serialize)]
struct CandidateView<'a> {
    name: &'a str,
    tags: &'a [String],
    candidate: CandidateRow,
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

/// Row `present` of the monitor: how many candidates are connected, each once.
#[derive(Serialize)]
struct Present {
    connected: usize,
}

/// Row `you` of a candidate's place: which of the rows is theirs, and of how many.
#[derive(Serialize)]
struct You {
    key: String,
    of: usize,
}

/// Row `about` of the wall: what may change while it is watched.
#[derive(Serialize)]
struct WallAbout<'a> {
    title: &'a str,
    opens_at: Option<At>,
    closes_at: Option<At>,
    frozen_at: Option<At>,
    /// How many are on it.
    people: usize,
}

/// Row `window` of a wall and of a place: where the rows stand, whose order follows from themselves.
/// Ranks are in none of them, so that who overtakes half the wall changes one row.
#[derive(Serialize)]
struct WindowRow {
    /// The place of the first row, from 0.
    from: usize,
    /// Its rank, from 1; equals share one.
    rank: usize,
    /// By what the rows are ordered.
    rules: WallRules,
}

/// A row of the wall. It says nothing that is not for everybody.
#[derive(Serialize)]
struct WallRow {
    name: String,
    started_at: At,
    score: Points,
    /// Questions with all their points.
    solved: u32,
    /// Minutes from the start to each question's best, together; by the rules of the ICPC those to
    /// each that is solved, and 20 for each run rejected before.
    minutes: u32,
    /// When the last of them came to it, if one has: of equals the earlier is first.
    since: Option<At>,
    questions: Vec<WallQuestion>,
    finished: bool,
}

#[derive(Serialize)]
struct WallQuestion {
    score: Points,
    points: Points,
    tries: u32,
    solved_at_min: Option<i64>,
    /// Tried since the freeze: what came of it is not told.
    pending: bool,
}

impl State {
    pub(super) fn monitor_changes(&self) -> Vec<Change> {
        let mut rows = vec![];
        if self.monitor.heading_changed {
            rows.extend(self.row.iter().map(|row| ("campaign".to_owned(), Some(json(row)))));
            rows.extend(self.queue.iter().map(|row| ("queue".to_owned(), Some(row.clone()))));
        }
        let connected = self.presences.connected();
        rows.push(("present".to_owned(), Some(json(&Present { connected }))));
        for (session, seen) in self.seen(&self.monitor.changed) {
            rows.push((format!("c.{session}"), seen.view()));
        }
        let stirred = self.monitor.changed.union(&self.monitor.stirred).copied().collect();
        for (session, seen) in self.seen(&stirred) {
            let link = self.presences.of(*session);
            let is_there = seen.is_shown() && (link.is_some() || seen.about.typing.is_some());
            rows.push((format!("p.{session}"), is_there.then(|| json(&seen.presence(link)))));
        }
        rows
    }

    /// What everybody may see of the campaign itself; `None` while there is no wall.
    pub(super) fn wall_about(&self) -> Option<Bytes> {
        let settings = self.row.as_ref().map(|row| &row.settings)?;
        let about = WallAbout {
            title: &settings.title,
            opens_at: settings.opens_at,
            closes_at: settings.closes_at,
            frozen_at: settings.wall_frozen_at,
            people: self.ranking.len(),
        };
        (settings.wall != WallNames::Off).then(|| json(&about))
    }

    fn rules(&self) -> WallRules {
        self.row.as_ref().map(|row| row.settings.wall_rules).unwrap_or_default()
    }

    /// Which of the rows around them is a candidate's own.
    pub(super) fn you(&self, session: SessionId) -> (String, Bytes) {
        let you = You { key: wall_key(session), of: self.ranking.len() };
        ("you".to_owned(), json(&you))
    }

    /// The rows of people who stand one after the other, and where that is.
    pub(super) fn wall_rows(&self, ranked: &[Ranked<SessionId>]) -> Vec<(String, Bytes)> {
        let row = |one: &Ranked<SessionId>| self.wall_row(one.key);
        let window = ranked.first().map(|first| {
            let from = self.ranking.place(first.key, first.score);
            let window = WindowRow { from, rank: first.rank, rules: self.rules() };
            ("window".to_owned(), json(&window))
        });
        ranked.iter().filter_map(row).chain(window).collect()
    }

    /// Written when somebody looks at it first: of 100,000 hardly anybody is looked at.
    fn wall_row(&self, session: SessionId) -> Option<(String, Bytes)> {
        let (seen, settings) = (self.people.get(&session)?, &self.row.as_ref()?.settings);
        let write = || Some(Box::new((wall_key(session), json(&seen.wall_row(settings)?))));
        seen.wall.get_or_init(write).as_deref().cloned()
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
        let candidate = parsed(self.about.candidate.as_ref()).filter(|_| self.is_shown())?;
        let name = self.about.contact.as_ref().map_or("", |contact| &contact.name);
        Some(json(&CandidateView { name, tags: &self.about.tags, candidate }))
    }

    /// Who has started and was removed stays to be seen.
    fn is_shown(&self) -> bool {
        self.sitting.as_ref().is_some_and(|one| self.is_invited || one.started_at.is_some())
    }

    fn presence(&self, link: Option<Link>) -> Presence {
        let typed_at = self.about.typing.map(|typing| typing.at);
        Presence {
            connected: link.is_some_and(Link::is_connected),
            heard_at: link.map(|link| link.at).max(typed_at),
            rtt_ms: link.and_then(|link| link.rtt_ms),
            typed_at,
            edits: self.about.typing.map_or(0, |typing| typing.edits),
        }
    }

    /// `None` for who is not on the wall.
    pub(super) fn wall_results(&self, settings: &Settings) -> Option<Results> {
        let sitting = self.sitting.as_ref().filter(|_| self.is_invited)?;
        let is_named = settings.wall != WallNames::Off && self.is_named;
        sitting.results(settings.wall_frozen_at, settings.wall_rules).filter(|_| is_named)
    }

    fn wall_row(&self, settings: &Settings) -> Option<WallRow> {
        let (results, sitting) = (self.wall_results(settings)?, self.sitting.as_ref()?);
        let started_at = sitting.started_at?;
        let question = |(question, shown): (&QuestionScore, Shown)| WallQuestion {
            score: shown.score,
            points: question.points,
            tries: question.runs,
            solved_at_min: shown.improved_at().map(|at| minutes_between(at, started_at)),
            pending: shown.pending,
        };
        let shown = sitting.questions.iter().zip(sitting.shown(settings.wall_frozen_at));
        let Results { score, solved, minutes, since } = results;
        Some(WallRow {
            name: wall_name(settings.wall, self.about.contact.as_ref())?,
            started_at,
            score,
            solved,
            minutes,
            since,
            questions: shown.map(question).collect(),
            finished: sitting.sealed_at.is_some(),
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

pub(super) fn json(row: &impl Serialize) -> Bytes {
    serde_json::to_vec(row).expect("rows are plain data").into()
}

pub(super) fn parsed<T: serde::de::DeserializeOwned>(value: Option<&Bytes>) -> Option<T> {
    serde_json::from_slice(value?).ok()
}
