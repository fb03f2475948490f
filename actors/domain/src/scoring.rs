//! Scores: what an answer is worth. Exact until the one rounding at the end.

use crate::{content::Group, plan::ValidatorPlan, points::Points};

/// The score of a program that passed some of its validators: points × passed weight ÷ total
/// weight, or the same by groups where there are some. `passed` says of each validator whether it
/// did; one that is missing did not.
pub fn code(
    points: Points,
    validators: &[ValidatorPlan],
    groups: &[Group],
    passed: &[bool],
) -> Points {
    let weight_of = |group: Option<usize>| {
        let chosen = validators
            .iter()
            .enumerate()
            .filter(|(_, validator)| group.is_none() || validator.group.map(usize::from) == group);
        chosen.fold((0_u64, 0_u64), |(won, all), (index, validator)| {
            let weight = u64::from(validator.weight);
            let won_here = if passed.get(index) == Some(&true) { weight } else { 0 };
            (won + won_here, all + weight)
        })
    };
    if groups.is_empty() {
        let (won, all) = weight_of(None);
        return points.share(won.into(), all.into());
    }
    let total: u64 = groups.iter().map(|group| u64::from(group.weight)).sum();
    let sum = groups.iter().enumerate().fold(Fraction::ZERO, |sum, (index, group)| {
        let (won, all) = weight_of(Some(index));
        let won = if group.all_or_nothing && won < all { 0 } else { won };
        sum.plus(u64::from(group.weight) * won, all)
    });
    points.share(sum.over, sum.under * u128::from(total))
}

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
struct Fraction {
    over: u128,
    under: u128,
}

impl Fraction {
    const ZERO: Self = Self { over: 0, under: 1 };

    /// Adds `over ÷ under`; nothing of nothing is nothing.
    fn plus(self, over: u64, under: u64) -> Self {
        if under == 0 {
            return self;
        }
        let (over, under) = (u128::from(over), u128::from(under));
        let sum = Self { over: self.over * under + over * self.under, under: self.under * under };
        let common = gcd(sum.over, sum.under);
        Self { over: sum.over / common, under: sum.under / common }
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
        assert_eq!(code(TEN, &validators, &[], &[true, false, true]), Points::from_hundredths(714));
        assert_eq!(code(TEN, &validators, &[], &[true, true, true]), TEN);
        assert_eq!(code(TEN, &validators, &[], &[]), Points::default());
    }

    #[test]
    fn a_group_counts_as_a_whole_when_it_says_so() {
        let validators = [validator(1, Some(0)), validator(1, Some(0)), validator(1, Some(1))];
        let groups = [group(30, true), group(70, false)];
        assert_eq!(
            code(TEN, &validators, &groups, &[true, false, true]),
            Points::from_hundredths(700)
        );
        assert_eq!(
            code(TEN, &validators, &groups, &[true, true, false]),
            Points::from_hundredths(300)
        );
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
            passed in prop::collection::vec(any::<bool>(), 12),
            also in 0_usize..12,
            whole in any::<bool>(),
        ) {
            let validators: Vec<_> =
                weights.iter().map(|(weight, of)| validator(*weight, Some(*of))).collect();
            let groups = [group(10, whole), group(20, whole), group(30, false)];
            let before = code(TEN, &validators, &groups, &passed);
            let mut more = passed;
            more[also] = true;
            prop_assert!(code(TEN, &validators, &groups, &more) >= before);
            prop_assert!(before <= TEN);
        }
    }

    fn validator(weight: u32, group: Option<u16>) -> ValidatorPlan {
        ValidatorPlan { name: "a".to_owned(), shown: false, weight, group }
    }

    fn group(weight: u32, all_or_nothing: bool) -> Group {
        Group { name: "g".to_owned(), weight, all_or_nothing }
    }
}
