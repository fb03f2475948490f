//! From results to a score: the rules of the two kinds of contest.

use serde::{Deserialize, Serialize};

use super::{Score, Standing};
use crate::{
    at::{At, Ms},
    points::Points,
};

/// Minutes that each rejected attempt costs, once its question is solved (ICPC rules).
pub const PENALTY_MIN: u32 = 20;

/// The score of a contest of points, from what each question earned and when it came to that:
/// the sum. Of equals, whose last improvement was earlier is shown first.
pub fn points(questions: impl IntoIterator<Item = (Points, At)>) -> Score {
    let earned = questions.into_iter().filter(|(points, _)| *points > Points::default());
    let (sum, since) = earned.fold((0_u32, At::default()), |(sum, since), (points, at)| {
        (sum.saturating_add(points.hundredths()), since.max(at))
    });
    Score { standing: Standing::new(sum, 0), since }
}

/// One attempt at a question that was judged. What does not count, such as what does not compile,
/// is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub question: usize,
    /// Since the contest began.
    pub at: Ms,
    pub accepted: bool,
}

/// How one question stands with one contestant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Attempts rejected before one was accepted.
    pub rejected: u32,
    /// Since the contest began.
    pub accepted_at: Option<Ms>,
    /// Attempts of which it is not told what came of them.
    pub pending: u32,
}

impl Cell {
    /// Takes in what came of an attempt later than all before; once solved, no attempt counts.
    pub fn take(&mut self, at: Ms, accepted: bool) {
        if self.accepted_at.is_some() {
            return;
        }
        if accepted {
            self.accepted_at = Some(at);
        } else {
            self.rejected += 1;
        }
    }
}

/// The score by ICPC rules: questions solved; then minutes until each was solved, each begun minute
/// left out, with [`PENALTY_MIN`] for each attempt rejected before, the fewer the better. Of equals,
/// whose last one was accepted earlier is shown first. What is pending does not count.
pub fn icpc<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Score {
    let (mut solved, mut penalty, mut since) = (0, 0_u32, Ms::default());
    for cell in cells {
        let Some(at) = cell.accepted_at else { continue };
        let minutes = u32::try_from(at.0 / 60_000).unwrap_or(0);
        solved += 1;
        penalty = penalty.saturating_add(minutes + cell.rejected.saturating_mul(PENALTY_MIN));
        since = since.max(at);
    }
    Score { standing: Standing::new(solved, penalty), since: At(since.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(attempts: &[(i64, bool)]) -> Cell {
        let mut cell = Cell::default();
        for (seconds, accepted) in attempts {
            cell.take(Ms(seconds * 1_000), *accepted);
        }
        cell
    }

    #[test]
    fn icpc_counts_solved_questions_then_minutes_with_twenty_for_each_rejected_attempt() {
        let solved = cell(&[(60, false), (100, false), (659, true), (700, false), (800, true)]);
        let tried = cell(&[(1, false), (2, false)]);
        let other = cell(&[(60, true)]);
        let score = icpc(&[solved, tried, other, Cell::default()]);
        assert_eq!(score.standing, Standing::new(2, 10 + 2 * 20 + 1));
        assert_eq!(score.since, At(659_000));
        assert_eq!(icpc(&[tried]), Score::default(), "what was not solved costs nothing");
    }

    #[test]
    fn more_solved_is_better_and_then_less_penalty() {
        assert!(Standing::new(3, 900) > Standing::new(2, 10));
        assert!(Standing::new(3, 10) > Standing::new(3, 11));
    }

    #[test]
    fn us_094_points_are_added_and_the_last_improvement_orders_equals() {
        let ten = Points::from_hundredths(1_000);
        let score = points([(ten, At(5)), (ten, At(9)), (Points::default(), At(12))]);
        assert_eq!(score.standing, Standing::new(2_000, 0));
        assert_eq!(score.since, At(9), "what earned nothing improved nothing");
    }
}
