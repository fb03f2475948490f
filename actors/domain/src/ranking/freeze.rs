//! The end of a contest by ICPC rules: what is shown once the board is frozen, and how the rest is
//! revealed.
//!
//! What is shown follows from what was attempted before the freeze, and from how many attempts came
//! after it, and from nothing else: not from what came of them, nor from when they came.

use std::{collections::BTreeMap, hash::Hash};

use super::{Attempt, Cell, Ranking, icpc};
use crate::at::Ms;

/// How each of `questions` stands with one contestant after all attempts, which come in order of
/// time.
pub fn card(questions: usize, attempts: &[Attempt]) -> Vec<Cell> {
    let mut cells = vec![Cell::default(); questions];
    for Attempt { question, at, accepted } in attempts {
        if let Some(cell) = cells.get_mut(*question) {
            cell.take(*at, *accepted);
        }
    }
    cells
}

/// The same as everybody sees it once the board is frozen: of what was attempted at `frozen_at` or
/// later only how often. What was solved before stays so, and later attempts at it are not told.
pub fn frozen(questions: usize, attempts: &[Attempt], frozen_at: Ms) -> Vec<Cell> {
    let mut after = vec![0; questions];
    let mut before = vec![];
    for attempt in attempts {
        if attempt.at < frozen_at {
            before.push(*attempt);
        } else if let Some(count) = after.get_mut(attempt.question) {
            *count += 1;
        }
    }
    with_pending(&card(questions, &before), &after)
}

/// What is shown, of what was before the freeze and how many attempts at each question came after.
fn with_pending(before: &[Cell], after: &[u32]) -> Vec<Cell> {
    let shown = |(cell, after): (&Cell, &u32)| {
        let pending = if cell.accepted_at.is_none() { *after } else { 0 };
        Cell { pending, ..*cell }
    };
    before.iter().zip(after).map(shown).collect()
}

/// One step of a reveal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<K> {
    /// What came of a question is told; its contestant moves up, or stays.
    Told { key: K, question: usize, cell: Cell, from: usize, to: usize },
    /// All is told of the contestant in this place (from 0), who stays there. The rank is as of now:
    /// who shares it further up may yet leave it, and then it is more.
    Settled { key: K, place: usize, rank: usize },
}

/// Tells a frozen board, a step at a time: from the last place up, of each contestant question by
/// question. An iterator over the frames; every contestant is settled once, the winner last.
#[derive(Clone, Debug)]
pub struct Reveal<K> {
    ranking: Ranking<K>,
    shown: BTreeMap<K, Vec<Cell>>,
    whole: BTreeMap<K, Vec<Cell>>,
    /// How many, from the first on, are not settled.
    left: usize,
}

impl<K: Ord + Copy + Hash> Reveal<K> {
    /// Begins with each contestant as shown on the frozen board ([`frozen`]) and as they stand in
    /// truth ([`card`]). Who is not in both is left out.
    pub fn new(shown: BTreeMap<K, Vec<Cell>>, whole: BTreeMap<K, Vec<Cell>>) -> Self {
        let mut ranking = Ranking::default();
        for (key, cells) in shown.iter().filter(|(key, _)| whole.contains_key(key)) {
            ranking.set(*key, icpc(cells));
        }
        Self { left: ranking.len(), ranking, shown, whole }
    }

    /// The board as it stands after the frames so far.
    pub fn ranking(&self) -> &Ranking<K> {
        &self.ranking
    }

    /// Tells the first question of `key` that is pending, if one is.
    fn tell(&mut self, key: K, from: usize) -> Option<Frame<K>> {
        let cells = self.shown.get_mut(&key)?;
        let (question, shown) = cells.iter_mut().enumerate().find(|(_, cell)| cell.pending > 0)?;
        let cell = *self.whole.get(&key)?.get(question)?;
        *shown = Cell { pending: 0, ..cell };
        self.ranking.set(key, icpc(&*cells));
        let to = self.ranking.place(&key)?;
        Some(Frame::Told { key, question, cell, from, to })
    }
}

impl<K: Ord + Copy + Hash> Iterator for Reveal<K> {
    type Item = Frame<K>;

    fn next(&mut self) -> Option<Frame<K>> {
        let place = self.left.checked_sub(1)?;
        let row = self.ranking.at(place)?;
        let told = self.tell(row.key, place);
        Some(told.unwrap_or_else(|| {
            self.left = place;
            Frame::Settled { key: row.key, place, rank: row.rank }
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const QUESTIONS: usize = 4;
    const FROZEN_AT: Ms = Ms(600_000);

    /// Attempts between two moments, in order.
    fn attempts(from: i64, to: i64) -> impl Strategy<Value = Vec<Attempt>> {
        let attempt = (0..QUESTIONS, from..to, any::<bool>());
        prop::collection::vec(attempt, 0..12).prop_map(|mut all| {
            all.sort_by_key(|(_, at, _)| *at);
            let attempt = |(question, at, accepted)| Attempt { question, at: Ms(at), accepted };
            all.into_iter().map(attempt).collect()
        })
    }

    fn history() -> impl Strategy<Value = Vec<Attempt>> {
        let halves = (attempts(0, FROZEN_AT.0), attempts(FROZEN_AT.0, 1_200_000));
        halves.prop_map(|(before, after)| [before, after].concat())
    }

    /// The same as far as it may be told: other outcomes, other times and another order afterwards.
    fn retold(history: &[Attempt], seed: &[(i64, bool)]) -> Vec<Attempt> {
        let (before, after): (Vec<_>, Vec<_>) =
            history.iter().copied().partition(|one| one.at < FROZEN_AT);
        let other = |(one, (at, accepted)): (&Attempt, &(i64, bool))| Attempt {
            at: Ms(*at),
            accepted: *accepted,
            ..*one
        };
        let mut after: Vec<_> = after.iter().zip(seed.iter().cycle()).map(other).collect();
        after.sort_by_key(|one| one.at);
        [before, after].concat()
    }

    fn ranking(cards: &BTreeMap<usize, Vec<Cell>>) -> Ranking<usize> {
        let mut ranking = Ranking::default();
        for (key, cells) in cards {
            ranking.set(*key, icpc(cells));
        }
        ranking
    }

    fn cards(
        histories: &[Vec<Attempt>],
        card: impl Fn(&[Attempt]) -> Vec<Cell>,
    ) -> BTreeMap<usize, Vec<Cell>> {
        histories.iter().map(|history| card(history)).enumerate().collect()
    }

    proptest! {
        #[test]
        fn a_frozen_board_tells_nothing_but_what_was_before_and_how_often_it_was_tried_since(
            histories in prop::collection::vec(history(), 1..8),
            seed in prop::collection::vec((FROZEN_AT.0..9_000_000, any::<bool>()), 1..40),
        ) {
            let others: Vec<_> = histories.iter().map(|one| retold(one, &seed)).collect();
            let show = |all: &[Vec<Attempt>]| cards(all, |one| frozen(QUESTIONS, one, FROZEN_AT));
            let (one, other) = (show(&histories), show(&others));
            prop_assert_eq!(&one, &other);
            let rows = |shown| ranking(shown).window(0, 200);
            prop_assert_eq!(rows(&one), rows(&other));
        }

        #[test]
        fn a_reveal_goes_from_the_last_place_up_and_ends_with_the_board_as_it_is(
            histories in prop::collection::vec(history(), 1..8),
        ) {
            let shown = cards(&histories, |one| frozen(QUESTIONS, one, FROZEN_AT));
            let whole = cards(&histories, |one| card(QUESTIONS, one));
            let pending = shown.values().flatten().filter(|cell| cell.pending > 0).count();
            let mut reveal = Reveal::new(shown, whole.clone());
            let (mut told, mut settled) = (0, vec![]);
            let mut last: Option<(usize, usize)> = None;
            while let Some(frame) = reveal.next() {
                match frame {
                    Frame::Told { key, question, cell, from, to } => {
                        told += 1;
                        prop_assert!(to <= from, "nobody moves down by what is told of them");
                        prop_assert_eq!(cell, whole[&key][question]);
                        prop_assert!(last.is_none_or(|last| last <= (key, question) || last.0 != key));
                        last = Some((key, question));
                    }
                    Frame::Settled { key, place, rank } => {
                        prop_assert_eq!(reveal.ranking().rank(&key), Some(rank));
                        settled.push((place, key));
                    }
                }
            }
            prop_assert_eq!(told, pending);
            let ranking = ranking(&whole).window(0, 200);
            prop_assert_eq!(reveal.ranking().window(0, 200), ranking.clone());
            settled.reverse();
            let placed: Vec<_> = ranking.iter().map(|row| row.key).enumerate().collect();
            prop_assert_eq!(settled, placed, "each is settled where they end, once");
        }
    }

    #[test]
    fn a_success_after_the_freeze_looks_like_a_failure() {
        let at =
            |minutes: i64, accepted| Attempt { question: 0, at: Ms(minutes * 60_000), accepted };
        let told =
            |accepted| frozen(1, &[at(3, false), at(10, accepted), at(12, false)], FROZEN_AT);
        assert_eq!(told(true), told(false));
        assert_eq!(told(true), [Cell { rejected: 1, accepted_at: None, pending: 2 }]);
        let solved = frozen(1, &[at(9, true), at(12, false)], FROZEN_AT);
        assert_eq!(solved[0].pending, 0, "what was solved before stays solved");
    }
}
