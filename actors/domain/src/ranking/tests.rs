use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// A ranking with what score each has.
#[derive(Default)]
struct Table {
    scores: HashMap<u16, Score>,
    ranking: Ranking<u16>,
}

impl Table {
    fn set_all(&mut self, changes: impl IntoIterator<Item = (u16, Option<Score>)>) -> bool {
        let moved = |(key, after)| {
            let before = match after {
                Some(score) => self.scores.insert(key, score),
                None => self.scores.remove(&key),
            };
            Move { key, before, after }
        };
        self.ranking.put(changes.into_iter().map(moved))
    }
}

fn score(most: u32, least: u32, since: i64) -> Score {
    Score { standing: Standing::new(most, least), since: At(since) }
}

fn new<K>(key: K, score: Score) -> Move<K> {
    Move { key, before: None, after: Some(score) }
}

/// The same by sorting everything, in other words: who is better comes first.
fn plain(scores: &HashMap<u16, Score>) -> Vec<Ranked<u16>> {
    let mut all: Vec<(u16, Score)> = scores.iter().map(|(key, score)| (*key, *score)).collect();
    all.sort_by_key(|(key, score)| {
        let standing = score.standing;
        (u32::MAX - standing.most(), standing.least(), score.since, *key)
    });
    let is_better = |one: &Score, other: &Score| {
        let (one, other) = (one.standing, other.standing);
        other.most() < one.most() || other.most() == one.most() && one.least() < other.least()
    };
    let rank = |of: &Score| 1 + all.iter().filter(|(_, one)| is_better(one, of)).count();
    all.iter().map(|(key, score)| Ranked { rank: rank(score), key: *key, score: *score }).collect()
}

proptest! {
    #[test]
    fn us_038_a_ranking_is_as_everything_sorted(
        moves in prop::collection::vec((0_u16..120, prop::option::weighted(0.8, (0_u32..6, 0_u32..4, 0_i64..5))), 0..600),
        from in 0_usize..130,
        count in 0_usize..60,
    ) {
        let mut table = Table::default();
        for (key, to) in moves {
            let to = to.map(|(most, least, since)| score(most, least, since));
            let is_other = table.scores.get(&key).copied() != to;
            prop_assert_eq!(table.set_all([(key, to)]), is_other);
        }
        let Table { scores, ranking } = table;
        let sorted = plain(&scores);
        prop_assert_eq!(ranking.len(), sorted.len());
        prop_assert_eq!(&ranking.window(0, WINDOW_MAX), &sorted);
        let window: Vec<_> = sorted.iter().skip(from).take(count).copied().collect();
        prop_assert_eq!(ranking.window(from, count), window);
        for (place, row) in sorted.iter().enumerate() {
            prop_assert_eq!(ranking.rank(row.score.standing), row.rank);
            prop_assert_eq!(ranking.place(row.key, row.score), place);
            prop_assert_eq!(ranking.at(place), Some(*row));
            let around = &sorted[place.saturating_sub(5)..sorted.len().min(place + 6)];
            prop_assert_eq!(ranking.around(row.key, row.score, 5), around);
        }
    }
}

proptest! {
    #[test]
    fn many_at_once_are_as_one_after_the_other(
        flushes in prop::collection::vec(
            prop::collection::vec((0_u16..40, prop::option::weighted(0.8, (0_u32..4, 0_u32..3, 0_i64..3))), 0..60),
            0..20,
        ),
    ) {
        let (mut at_once, mut single) = (Table::default(), Table::default());
        for flush in flushes {
            let before = single.ranking.window(0, WINDOW_MAX);
            let to = |to: Option<(u32, u32, i64)>| {
                to.map(|(most, least, since)| score(most, least, since))
            };
            let is_other = at_once.set_all(flush.iter().map(|(key, one)| (*key, to(*one))));
            for (key, one) in flush {
                single.set_all([(key, to(one))]);
            }
            let after = single.ranking.window(0, WINDOW_MAX);
            prop_assert_eq!(is_other, before != after);
            prop_assert_eq!(at_once.ranking.window(0, WINDOW_MAX), after);
            prop_assert_eq!(at_once.ranking.len(), single.ranking.len());
        }
    }
}

#[test]
fn equals_share_a_rank_and_stand_in_the_order_in_which_they_came_to_it() {
    let mut ranking = Ranking::default();
    for (key, most, since) in [('a', 5, 9), ('b', 7, 8), ('c', 7, 3), ('d', 9, 9), ('e', 5, 9)] {
        ranking.put([new(key, score(most, 0, since))]);
    }
    let rows: Vec<_> = ranking.window(0, 9).iter().map(|row| (row.rank, row.key)).collect();
    assert_eq!(rows, [(1, 'd'), (2, 'c'), (2, 'b'), (4, 'a'), (4, 'e')]);
    let rows: Vec<_> = ranking.window(2, 2).iter().map(|row| (row.rank, row.key)).collect();
    assert_eq!(rows, [(2, 'b'), (4, 'a')], "the first of a window may share the rank above it");
}

proptest! {
    #[test]
    fn a_score_is_one_number_in_the_same_order(
        one in (any::<u32>(), any::<u32>(), any::<i64>()),
        other in (0_u32..3, 0_u32..3, -2_i64..2),
        like in any::<bool>(),
    ) {
        let (one, other) = (score(one.0, one.1, one.2), score(other.0, other.1, other.2));
        let other = if like { Score { since: other.since, ..one } } else { other };
        let parts = |of: Score| (Reverse(of.standing), of.since);
        prop_assert_eq!(Order::of(one).cmp(&Order::of(other)), parts(one).cmp(&parts(other)));
        prop_assert_eq!(Order::of(one).score(), one);
        prop_assert!(Order::first(one.standing) <= Order::of(one));
    }
}

#[test]
fn a_window_has_two_hundred_rows_at_most() {
    let mut ranking = Ranking::default();
    for key in 0_u32..1_000 {
        ranking.put([new(key, score(key % 10, 0, 0))]);
    }
    assert_eq!(ranking.window(0, usize::MAX).len(), WINDOW_MAX);
    assert_eq!(ranking.window(usize::MAX, usize::MAX), []);
    let around = ranking.around(507, score(7, 0, 0), usize::MAX);
    assert_eq!((around.len(), around[99].key), (199, 507), "as many above as below");
}
