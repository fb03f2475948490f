//! Scores: what an answer is worth. Exact until the one rounding at the end.

use crate::{
    content::Group,
    plan::ValidatorPlan,
    points::{Points, Share},
};

/// The score of a program: points × weight earned ÷ total weight, or the same by groups where there
/// are some. `shares` says of each validator what part of its weight was earned; one that is
/// missing earned nothing. Exact; rounded once, at the end, to a hundredth.
pub fn code(
    points: Points,
    validators: &[ValidatorPlan],
    groups: &[Group],
    shares: &[Share],
) -> Points {
    if groups.is_empty() {
        let all = Fraction::ZERO.plus(earned(validators, shares, None));
        return points.share(all.over, all.under);
    }
    let total: u64 = groups.iter().map(|group| u64::from(group.weight)).sum();
    let sum = groups.iter().enumerate().fold(Fraction::ZERO, |sum, (index, group)| {
        let part = if group.all_or_nothing {
            worst(validators, shares, index)
        } else {
            earned(validators, shares, Some(index))
        };
        sum.plus(part.times(group.weight))
    });
    points.share(sum.over, sum.under * u128::from(total))
}

/// The validators of a group, or all, each with its weight and what part of it was earned.
fn chosen(
    validators: &[ValidatorPlan],
    shares: &[Share],
    group: Option<usize>,
) -> impl Iterator<Item = (u128, u128)> {
    let chosen = validators.iter().enumerate();
    let chosen =
        chosen.filter(move |(_, one)| group.is_none() || one.group.map(usize::from) == group);
    chosen.map(|(index, one)| {
        let share = shares.get(index).copied().unwrap_or(Share::NONE);
        (u128::from(one.weight), u128::from(share.millionths()))
    })
}

/// Weight earned ÷ weight of all.
fn earned(validators: &[ValidatorPlan], shares: &[Share], group: Option<usize>) -> Fraction {
    let (over, under) = chosen(validators, shares, group)
        .fold((0, 0), |(won, all), (weight, share)| (won + weight * share, all + weight));
    Fraction::of(over, under * WHOLE)
}

/// The least that a validator of the group has earned. What weighs nothing does not count.
fn worst(validators: &[ValidatorPlan], shares: &[Share], group: usize) -> Fraction {
    let weighed = chosen(validators, shares, Some(group)).filter(|(weight, _)| *weight > 0);
    weighed.map(|(_, share)| share).min().map_or(Fraction::ZERO, |least| Fraction::of(least, WHOLE))
}

/// A whole share, in millionths.
const WHOLE: u128 = 1_000_000;

/// The score of a quiz. Without `partial` all or nothing; with it each right pick counts for one
/// and each wrong pick takes one away, never below nothing.
pub fn quiz(points: Points, right: &[bool], partial: bool, picked: &[u16]) -> Points {
    let is_picked = |index: usize| picked.iter().any(|pick| usize::from(*pick) == index);
    let exact = right.iter().enumerate().all(|(index, right)| is_picked(index) == *right);
    let all = right.iter().filter(|right| **right).count();
    if !partial {
        return points.share(u128::from(exact && !picked.is_empty()), 1);
    }
    let hits =
        right.iter().enumerate().filter(|(index, right)| **right && is_picked(*index)).count();
    let misses =
        right.iter().enumerate().filter(|(index, right)| !**right && is_picked(*index)).count();
    points.share(hits.saturating_sub(misses) as u128, all as u128)
}

/// An exact sum of fractions.
#[derive(Clone, Copy)]
struct Fraction {
    over: u128,
    under: u128,
}

impl Fraction {
    const ZERO: Self = Self { over: 0, under: 1 };

    /// `over ÷ under` in its lowest terms; nothing of nothing is nothing.
    fn of(over: u128, under: u128) -> Self {
        if under == 0 {
            return Self::ZERO;
        }
        let common = gcd(over, under);
        Self { over: over / common, under: under / common }
    }

    fn plus(self, other: Self) -> Self {
        let over = self.over * other.under + other.over * self.under;
        Self::of(over, self.under * other.under)
    }

    fn times(self, factor: u32) -> Self {
        Self::of(self.over * u128::from(factor), self.under)
    }
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEN: Points = Points::from_hundredths(1_000);

    #[test]
    fn us_086_a_score_is_points_by_weight_passed() {
        let validators = [validator(1, None), validator(2, None), validator(4, None)];
        assert_eq!(
            code(TEN, &validators, &[], &shares([true, false, true])),
            Points::from_hundredths(714)
        );
        assert_eq!(code(TEN, &validators, &[], &shares([true, true, true])), TEN);
        assert_eq!(code(TEN, &validators, &[], &[]), Points::default());
    }

    #[test]
    fn a_group_counts_as_a_whole_when_it_says_so() {
        let validators = [validator(1, Some(0)), validator(1, Some(0)), validator(1, Some(1))];
        let groups = [group(30, true), group(70, false)];
        assert_eq!(
            code(TEN, &validators, &groups, &shares([true, false, true])),
            Points::from_hundredths(700)
        );
        assert_eq!(
            code(TEN, &validators, &groups, &shares([true, true, false])),
            Points::from_hundredths(300)
        );
    }

    #[test]
    fn what_is_earned_in_part_counts_in_part_and_a_whole_group_by_its_worst() {
        let validators = [validator(1, Some(0)), validator(3, Some(0)), validator(1, Some(1))];
        let half = Share::of(1.0, 2.0).unwrap();
        let third = Share::of(1.0, 3.0).unwrap();
        let earned = [half, Share::WHOLE, third];
        // (1/2 + 3 + 1/3) of 5, and rounded only then.
        assert_eq!(code(TEN, &validators, &[], &earned), Points::from_hundredths(767));
        let groups = [group(50, true), group(50, false)];
        // A half of 50, and a third of 50.
        assert_eq!(code(TEN, &validators, &groups, &earned), Points::from_hundredths(417));
        assert_eq!(Share::of(7.0, 5.0), Some(Share::WHOLE), "more than all is all");
        assert_eq!(Share::of(f64::NAN, 1.0), None);
    }

    #[test]
    fn a_quiz_with_several_right_choices_is_all_or_nothing_unless_partial() {
        let right = [true, false, true];
        assert_eq!(quiz(TEN, &right, false, &[0]), Points::default());
        assert_eq!(quiz(TEN, &right, false, &[0, 2]), TEN);
        assert_eq!(quiz(TEN, &right, true, &[0]), Points::from_hundredths(500));
        assert_eq!(quiz(TEN, &right, true, &[0, 1]), Points::default());
    }

    proptest! {
        #[test]
        fn passing_more_never_scores_less(
            weights in prop::collection::vec((0_u32..50, 0_u16..3), 1..12),
            earned in prop::collection::vec(0_u32..=1_000_000, 12),
            also in 0_usize..12,
            whole in any::<bool>(),
        ) {
            let validators: Vec<_> =
                weights.iter().map(|(weight, of)| validator(*weight, Some(*of))).collect();
            let groups = [group(10, whole), group(20, whole), group(30, false)];
            let before = code(TEN, &validators, &groups, &parts(&earned));
            let mut more = earned;
            more[also] = 1_000_000;
            prop_assert!(code(TEN, &validators, &groups, &parts(&more)) >= before);
            prop_assert!(before <= TEN);
        }
    }

    fn shares(passed: [bool; 3]) -> [Share; 3] {
        passed.map(|passed| if passed { Share::WHOLE } else { Share::NONE })
    }

    fn parts(millionths: &[u32]) -> Vec<Share> {
        millionths.iter().copied().map(Share::from).collect()
    }

    fn validator(weight: u32, group: Option<u16>) -> ValidatorPlan {
        ValidatorPlan { name: "a".to_owned(), shown: false, weight, group }
    }

    fn group(weight: u32, all_or_nothing: bool) -> Group {
        Group { name: "g".to_owned(), weight, all_or_nothing }
    }
}
