//! What the monitor and the wall show of each candidate.

use bytes::Bytes;
use domain::{
    at::At,
    blob::sha256_hex,
    campaign::WallNames,
    ids::SessionId,
    people::Contact,
    points::Points,
    session::{CandidateRow, Mark, QuestionScore},
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

/// Row `about` of the wall: what may change while it is watched.
#[derive(Serialize)]
struct WallAbout<'a> {
    title: &'a str,
    opens_at: Option<At>,
    closes_at: Option<At>,
    frozen_at: Option<At>,
}

/// A row of the wall. It says nothing that is not for everybody.
#[derive(Serialize)]
struct WallRow {
    name: String,
    started_at: At,
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
    /// Tried since the freeze: what came of it is not told.
    pending: bool,
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
        let Some(settings) = self.row.as_ref().map(|row| &row.settings) else { return vec![] };
        let frozen_at = settings.wall_frozen_at;
        let row = |(session, seen): (&SessionId, &Seen)| {
            (wall_key(*session), seen.wall_row(settings.wall, frozen_at).map(|row| json(&row)))
        };
        let about = WallAbout {
            title: &settings.title,
            opens_at: settings.opens_at,
            closes_at: settings.closes_at,
            frozen_at,
        };
        let is_shown = self.heading_changed && settings.wall != WallNames::Off;
        let about = is_shown.then(|| ("about".to_owned(), Some(json(&about))));
        about.into_iter().chain(self.seen(&self.changed).map(row)).collect()
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

    fn wall_row(&self, names: WallNames, frozen_at: Option<At>) -> Option<WallRow> {
        let candidate = self.candidate.as_ref().filter(|_| self.is_invited)?;
        let started_at = candidate.started_at?;
        let minute = |at: At| (at - started_at).0 / 60_000;
        let question = |question: &QuestionScore| {
            let shown = shown(question, frozen_at, candidate.sealed_at.is_some());
            WallQuestion {
                score: shown.score,
                points: question.points,
                tries: question.runs,
                solved_at_min: shown.at.filter(|_| shown.score > Points::default()).map(minute),
                pending: shown.pending,
            }
        };
        let questions: Vec<_> = candidate.questions.iter().map(question).collect();
        let is_solved = |one: &&WallQuestion| one.score == one.points;
        Some(WallRow {
            name: wall_name(names, self.contact.as_ref())?,
            started_at,
            score: questions.iter().map(|one| one.score).sum(),
            solved: questions.iter().filter(is_solved).count(),
            minutes: questions.iter().filter_map(|one| one.solved_at_min).sum(),
            questions,
            finished: candidate.sealed_at.is_some(),
        })
    }
}

/// What a wall tells of a question.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    score: Points,
    /// When it came to that.
    at: Option<At>,
    pending: bool,
}

/// How a question stands, or stood when the wall froze. A program's best counts, and a quiz's last
/// answer: before its session is over the wall would tell whether that is right, so it does not.
fn shown(question: &QuestionScore, frozen_at: Option<At>, is_over: bool) -> Shown {
    let is_quiz = question.total == 0;
    if is_quiz && !is_over {
        return Shown { score: Points::default(), at: None, pending: question.answered };
    }
    let since = |frozen_at: &At| question.marks.iter().any(|mark| *frozen_at <= mark.at);
    let Some(frozen_at) = frozen_at.filter(since) else {
        return Shown { score: question.score, at: question.best_at, pending: false };
    };
    let before = question.marks.iter().take_while(|mark| mark.at < frozen_at);
    // The first of equals stands: its time is the one that counts.
    let stood = before.fold(None, |best: Option<&Mark>, mark| match best {
        Some(best) if !is_quiz && mark.score <= best.score => Some(best),
        _ => Some(mark),
    });
    let score = stood.map_or(Points::default(), |mark| mark.score);
    let is_solved = !is_quiz && score == question.points;
    Shown { score, at: stood.filter(|_| !is_quiz).map(|mark| mark.at), pending: !is_solved }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn question(total: u32, marks: &[(i64, u32)]) -> QuestionScore {
        let points = Points::from_hundredths;
        let mark =
            |&(at, score): &(i64, u32)| Mark { at: At(at), score: points(score), all: score == 10 };
        let marks: Vec<_> = marks.iter().map(mark).collect();
        let best = marks.iter().max_by_key(|mark| mark.score);
        QuestionScore {
            score: best.map_or(points(0), |mark| mark.score),
            points: points(10),
            passed: 0,
            total,
            answered: true,
            runs: 3,
            best_at: best.map(|mark| mark.at),
            marks,
        }
    }

    fn stood(total: u32, marks: &[(i64, u32)]) -> (u32, Option<i64>, bool) {
        let shown = shown(&question(total, marks), Some(At(100)), true);
        (shown.score.hundredths(), shown.at.map(|at| at.0), shown.pending)
    }

    #[test]
    fn a_frozen_wall_tells_what_stood_before_and_that_somebody_tried_since() {
        assert_eq!(stood(2, &[(20, 5), (90, 5), (100, 10)]), (5, Some(20), true));
        assert_eq!(stood(2, &[(100, 10)]), (0, None, true));
        assert_eq!(stood(2, &[(120, 0)]), (0, None, true), "a failure looks like a success");
    }

    #[test]
    fn what_was_solved_before_the_freeze_stays_solved() {
        assert_eq!(stood(2, &[(20, 10), (120, 3)]), (10, Some(20), false));
        assert_eq!(stood(2, &[(20, 4)]), (4, Some(20), false));
        assert_eq!(stood(2, &[]), (0, None, false));
    }

    #[test]
    fn a_quiz_stands_on_a_frozen_wall_as_it_was_last_answered_before() {
        assert_eq!(stood(0, &[(20, 10), (30, 0), (120, 10)]), (0, None, true));
        assert_eq!(stood(0, &[(20, 10), (120, 0)]), (10, None, true));
    }

    #[test]
    fn a_wall_does_not_tell_whether_an_answer_is_right_that_may_still_be_changed() {
        let answered = question(0, &[(20, 10)]);
        for frozen_at in [None, Some(At(10)), Some(At(100))] {
            let told = shown(&answered, frozen_at, false);
            assert_eq!(told, Shown { score: Points::default(), at: None, pending: true });
        }
        assert_eq!(shown(&answered, None, true).score.hundredths(), 10);
    }

    #[test]
    fn a_wall_that_is_not_frozen_tells_everything() {
        let told = shown(&question(2, &[(20, 5), (120, 10)]), None, false);
        assert_eq!((told.score.hundredths(), told.at, told.pending), (10, Some(At(120)), false));
    }
}
