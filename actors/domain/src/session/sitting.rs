//! What a wall tells of a candidate's results: what is read of their row, and what of it may be told.

use serde::Deserialize;

use super::{CandidateRow, Mark, QuestionScore};
use crate::{
    at::At,
    campaign::WallRules,
    ids::SessionId,
    points::Points,
    ranking::{Score, Standing},
};

/// Minutes that each rejected run costs, once its question is solved (the rules of the ICPC).
pub const PENALTY_MIN: u32 = 20;

/// What a wall needs of a candidate's row ([`CandidateRow`]); the rest is skipped unread.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Sitting {
    pub session: SessionId,
    pub started_at: Option<At>,
    pub sealed_at: Option<At>,
    pub questions: Vec<QuestionScore>,
}

impl From<CandidateRow> for Sitting {
    fn from(row: CandidateRow) -> Self {
        let CandidateRow { session, started_at, sealed_at, questions, .. } = row;
        Self { session, started_at, sealed_at, questions }
    }
}

impl Sitting {
    /// Reads it from a candidate's row as it is stored; `None` if it is none.
    pub fn read(row: &[u8]) -> Option<Self> {
        serde_json::from_slice(row).ok()
    }

    /// Is as `other` from now on, in the memory that it has.
    pub fn set(&mut self, other: &Self) {
        self.session = other.session;
        (self.started_at, self.sealed_at) = (other.started_at, other.sealed_at);
        self.questions.truncate(other.questions.len());
        let (both, new) = other.questions.split_at(self.questions.len());
        for (own, other) in self.questions.iter_mut().zip(both) {
            let mut marks = std::mem::take(&mut own.marks);
            marks.clone_from(&other.marks);
            *own = QuestionScore { marks, ..*other };
        }
        self.questions.extend_from_slice(new);
    }

    /// What is told of each question.
    pub fn shown(&self, frozen_at: Option<At>) -> impl Iterator<Item = Shown> {
        self.questions.iter().map(move |one| shown(one, frozen_at, self.sealed_at.is_some()))
    }

    /// What counts on a wall that is frozen since `frozen_at`. `None` before the start.
    pub fn results(&self, frozen_at: Option<At>, rules: WallRules) -> Option<Results> {
        let started_at = self.started_at?;
        let mut results = Results::default();
        for shown in self.shown(frozen_at) {
            results.score += shown.score;
            results.solved += u32::from(shown.solved);
            // A quiz on a frozen wall has points without a moment.
            let Some(at) = shown.counts_from(rules) else { continue };
            let penalty = if rules == WallRules::Icpc { shown.rejected * PENALTY_MIN } else { 0 };
            let minutes = u32::try_from(minutes_between(at, started_at).max(0)).unwrap_or(u32::MAX);
            results.minutes = results.minutes.saturating_add(minutes).saturating_add(penalty);
            results.since = results.since.max(Some(at));
        }
        Some(results)
    }
}

/// What counts on a wall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Results {
    pub score: Points,
    /// Questions solved.
    pub solved: u32,
    /// The less the better, of those who are as good: see [`WallRules`].
    pub minutes: u32,
    /// When the last of it was reached: of equals the earlier is first.
    pub since: Option<At>,
}

impl Results {
    pub fn by(&self, rules: WallRules) -> Score {
        let most = match rules {
            WallRules::Points => self.score.hundredths(),
            WallRules::Icpc => self.solved,
        };
        let standing = Standing::new(most, self.minutes);
        Score { standing, since: self.since.unwrap_or_default() }
    }
}

/// Whole minutes from a start.
pub fn minutes_between(at: At, started_at: At) -> i64 {
    (at - started_at).0 / 60_000
}

/// What a wall tells of a question.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    pub score: Points,
    pub solved: bool,
    /// When it came to that.
    at: Option<At>,
    /// Runs rejected before one was accepted; those that did not compile do not count.
    rejected: u32,
    /// Tried since: what came of it is not told.
    pub pending: bool,
}

impl Shown {
    /// When it came to its points, if it has some.
    pub fn improved_at(&self) -> Option<At> {
        self.at.filter(|_| self.score > Points::default())
    }

    /// From when on it counts.
    fn counts_from(&self, rules: WallRules) -> Option<At> {
        match rules {
            WallRules::Points => self.improved_at(),
            WallRules::Icpc => self.at.filter(|_| self.solved),
        }
    }
}

/// How a question stands, or stood when the wall froze. A program's best counts, and a quiz's last
/// answer: before its session is over the wall would tell whether that is right, so it does not.
fn shown(question: &QuestionScore, frozen_at: Option<At>, is_over: bool) -> Shown {
    let is_quiz = question.total == 0;
    let frozen_at = frozen_at.filter(|from| question.marks.iter().any(|mark| *from <= mark.at));
    let told = question.marks.iter().take_while(|mark| frozen_at.is_none_or(|from| mark.at < from));
    let nothing = Points::default();
    let (score, at) = match frozen_at {
        _ if is_quiz && !is_over => (nothing, None),
        None => (question.score, question.best_at),
        Some(_) => {
            // The first of equals stands: its time is the one that counts.
            let stood = told.clone().fold(None, |best: Option<&Mark>, mark| match best {
                Some(best) if !is_quiz && mark.score <= best.score => Some(best),
                _ => Some(mark),
            });
            let score = stood.map_or(nothing, |mark| mark.score);
            (score, stood.filter(|_| !is_quiz).map(|mark| mark.at))
        }
    };
    let solved = score == question.points && nothing < score;
    let is_hidden = if is_quiz && !is_over { question.answered } else { frozen_at.is_some() };
    let before = told.take_while(|mark| !mark.all).filter(|mark| !mark.uncompiled);
    let rejected = if is_quiz { 0 } else { u32::try_from(before.count()).unwrap_or(u32::MAX) };
    Shown { score, solved, at, rejected, pending: is_hidden && (is_quiz || !solved) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SESSION: SessionId = SessionId::from_u128(1);

    fn question(total: u32, marks: &[(i64, u32)]) -> QuestionScore {
        let points = Points::from_hundredths;
        let mark = |&(at, score): &(i64, u32)| Mark {
            at: At(at),
            score: points(score),
            all: score == 10,
            uncompiled: false,
        };
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
            assert_eq!((told.score, told.at, told.pending), (Points::default(), None, true));
        }
        assert_eq!(shown(&answered, None, true).score.hundredths(), 10);
    }

    fn any_sitting() -> impl Strategy<Value = Sitting> {
        let marks = prop::collection::vec((0_i64..100, 0_u32..=10), 0..4);
        let questions = prop::collection::vec((0_u32..3, marks), 0..4);
        (questions, any::<bool>()).prop_map(|(questions, sealed)| Sitting {
            session: SESSION,
            started_at: Some(At(0)),
            sealed_at: sealed.then_some(At(950)),
            questions: questions.iter().map(|(total, marks)| question(*total, marks)).collect(),
        })
    }

    proptest! {
        #[test]
        fn a_sitting_that_is_set_is_as_the_other_whatever_it_was(
            mut one in any_sitting(),
            other in any_sitting(),
        ) {
            one.set(&other);
            prop_assert_eq!(one, other);
        }

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
                let sitting = Sitting { session: SESSION, started_at: Some(At(0)), sealed_at, questions };
                let shown: Vec<_> = sitting.shown(Some(At(100))).collect();
                let results = |rules| sitting.results(Some(At(100)), rules);
                (shown, results(WallRules::Points), results(WallRules::Icpc))
            };
            prop_assert_eq!(told(one), told(other));
        }
    }

    #[test]
    fn icpc_counts_solved_questions_then_minutes_with_twenty_for_each_rejected_run() {
        let minute = 60_000;
        let mut solved =
            question(2, &[(minute, 0), (2 * minute, 5), (11 * minute - 1, 10), (12 * minute, 0)]);
        solved.marks[0].uncompiled = true;
        let questions = vec![solved, question(2, &[(minute, 9)]), question(2, &[])];
        let sitting =
            Sitting { session: SESSION, started_at: Some(At(0)), sealed_at: None, questions };
        let results = |frozen_at| sitting.results(frozen_at, WallRules::Icpc).unwrap();
        let whole = results(None);
        assert_eq!((whole.solved, whole.minutes), (1, 20 + 10), "what is not solved costs nothing");
        assert_eq!(whole.by(WallRules::Icpc).standing, Standing::new(1, 30));
        assert_eq!(whole.since, Some(At(11 * minute - 1)));
        assert_eq!(results(Some(At(3 * minute))).solved, 0);
        assert!(Standing::new(3, 900) > Standing::new(2, 10));
        assert!(Standing::new(3, 10) > Standing::new(3, 11));
    }

    #[test]
    fn us_094_points_are_added_and_the_last_improvement_orders_equals() {
        let questions =
            vec![question(2, &[(5, 10)]), question(2, &[(9, 10)]), question(2, &[(12, 0)])];
        let sitting =
            Sitting { session: SESSION, started_at: Some(At(0)), sealed_at: None, questions };
        let score = sitting.results(None, WallRules::Points).unwrap().by(WallRules::Points);
        assert_eq!(score.standing, Standing::new(20, 0));
        assert_eq!(score.since, At(9), "what earned nothing improved nothing");
    }

    #[test]
    fn a_wall_that_is_not_frozen_tells_everything() {
        let told = shown(&question(2, &[(20, 5), (120, 10)]), None, false);
        assert_eq!((told.score.hundredths(), told.at, told.pending), (10, Some(At(120)), false));
    }
}
