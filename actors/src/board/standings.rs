//! Who stands where on a wall: what is read of a candidate's row, what of it may be told, and the
//! ranks that follow.

use domain::{
    at::At,
    ids::SessionId,
    points::Points,
    ranking::{Ranking, Score, Standing},
    session::{Mark, QuestionScore},
};
use serde::Deserialize;

/// What a wall needs of a candidate's row (`CandidateRow`); the rest is skipped unread.
#[derive(Clone, Debug, Deserialize)]
pub struct Sitting {
    pub(super) started_at: Option<At>,
    pub(super) sealed_at: Option<At>,
    pub(super) questions: Vec<QuestionScore>,
}

impl Sitting {
    /// Reads it from a candidate's row as it is stored; `None` if it is none.
    pub fn read(row: &[u8]) -> Option<Self> {
        serde_json::from_slice(row).ok()
    }

    /// What is told of each question.
    pub(super) fn shown(&self, frozen_at: Option<At>) -> impl Iterator<Item = Shown> {
        self.questions.iter().map(move |one| shown(one, frozen_at, self.sealed_at.is_some()))
    }

    /// By points, then by minutes from the own start to each question's best, together; of equals
    /// whose last improvement was earlier is first. `None` before the start.
    pub fn score(&self, frozen_at: Option<At>) -> Option<Score> {
        let started_at = self.started_at?;
        let (mut hundredths, mut minutes, mut since) = (0, 0, At::default());
        for shown in self.shown(frozen_at) {
            hundredths += shown.score.hundredths();
            // A quiz on a frozen wall has points without a moment.
            let Some(at) = shown.improved_at() else { continue };
            minutes += minute(at, started_at);
            since = since.max(at);
        }
        let least = u32::try_from(minutes.max(0)).unwrap_or(u32::MAX);
        Some(Score { standing: Standing::new(hundredths, least), since })
    }
}

/// Whole minutes from a start.
pub(super) fn minute(at: At, started_at: At) -> i64 {
    (at - started_at).0 / 60_000
}

/// A wall's order.
#[derive(Default)]
pub struct Standings(Ranking<SessionId>);

impl Standings {
    /// Puts a candidate where their results belong, or takes them off the wall. Answers whether
    /// anything is different then.
    pub fn put(&mut self, session: SessionId, score: Option<Score>) -> bool {
        match score {
            Some(score) => self.0.set(session, score),
            None => self.0.remove(&session),
        }
    }

    /// The ranks.
    pub fn ranking(&self) -> &Ranking<SessionId> {
        &self.0
    }
}

/// What a wall tells of a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) score: Points,
    /// When it came to that.
    at: Option<At>,
    pub(super) pending: bool,
}

impl Shown {
    /// When it came to its points, if it has some.
    pub(super) fn improved_at(&self) -> Option<At> {
        self.at.filter(|_| self.score > Points::default())
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn a_frozen_wall_follows_from_what_was_before_and_from_how_often_it_was_tried_since(
            before in prop::collection::vec((0_i64..100, 0_u32..=10), 0..6),
            after in prop::collection::vec(((100_i64..900, 0_u32..=10), (100_i64..900, 0_u32..=10)), 0..6),
            total in 0_u32..3,
            sealed in any::<bool>(),
        ) {
            let (one, other): (Vec<_>, Vec<_>) = after.into_iter().unzip();
            let told = |after: Vec<(i64, u32)>| {
                let mut marks = [before.clone(), after].concat();
                marks.sort_by_key(|(at, _)| *at);
                let sealed_at = sealed.then_some(At(950));
                let questions = vec![question(total, &marks)];
                let sitting = Sitting { started_at: Some(At(0)), sealed_at, questions };
                let shown: Vec<_> = sitting.shown(Some(At(100))).collect();
                (shown, sitting.score(Some(At(100))))
            };
            prop_assert_eq!(told(one), told(other));
        }
    }

    #[test]
    fn a_wall_that_is_not_frozen_tells_everything() {
        let told = shown(&question(2, &[(20, 5), (120, 10)]), None, false);
        assert_eq!((told.score.hundredths(), told.at, told.pending), (10, Some(At(120)), false));
    }
}
