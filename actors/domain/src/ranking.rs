//! Ranks: who stands where among up to 100,000 contestants.
//!
//! A [`Ranking`] is kept by its changes, one or many at a time: a score moves in O(log n), and so are
//! answered the rank of one, the row in one place, and a window of rows.

mod tree;

use std::cmp::Reverse;

use tree::Tree;

use crate::at::At;

/// How many rows a window has at most: what a page shows, and what one frame may weigh.
pub const WINDOW_MAX: usize = 200;

/// How well somebody did. The greater is the better; equals share a rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Standing {
    /// More is better: points in hundredths, or questions solved.
    most: u32,
    /// Of those with as much: less is better, such as minutes.
    least: Reverse<u32>,
}

impl Standing {
    /// `most` counts first, the more the better; then `least`, the less the better.
    pub const fn new(most: u32, least: u32) -> Self {
        Self { most, least: Reverse(least) }
    }

    pub const fn most(self) -> u32 {
        self.most
    }

    pub const fn least(self) -> u32 {
        self.least.0
    }
}

/// A standing, and since when: of those who share a rank, who came to it first is shown first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    pub standing: Standing,
    /// When the score last changed.
    pub since: At,
}

/// A row of a ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranked<K> {
    /// From 1; equals share one, and the next one's counts them all (1, 2, 2, 4).
    pub rank: usize,
    pub key: K,
    pub score: Score,
}

/// Somebody's score, as it was and as it is from now on; `None` while they are not ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move<K> {
    pub key: K,
    pub before: Option<Score>,
    pub after: Option<Score>,
}

/// Contestants in order, best first; of equals who came to it first, then by key.
///
/// A B+-tree with counts. What score each has is kept by whoever asks, beside what else is known of
/// them: a table here would be one more place in memory to wait for. Of 100,000 contestants, one moved
/// and one ranked took this much processor time (medians of 7 rounds in turns, 200,000 each, on a busy
/// machine, with such a table): nodes of 128 1.01 and 0.77 µs, of 64 1.19 and 0.85, of 32 1.26 and
/// 0.75, of 16 1.44 and 0.75; a treap in one array 2.21 and 0.80. Scores compared as one number and a
/// quicker hash took another tenth, and a third of a rank. A Fenwick tree over buckets was not tried:
/// it has to know beforehand what scores there may be, and times order equals.
#[derive(Clone, Debug)]
pub struct Ranking<K> {
    order: Tree<Entry<K>>,
    /// Who leaves a place and who comes to one, while many are moved.
    gone: Vec<Entry<K>>,
    new: Vec<Entry<K>>,
}

/// The better is the less, as it comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry<K> {
    order: Order,
    key: K,
}

/// A score as one number, since a search compares little else: standing, then since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Order(u128);

impl Order {
    /// Before everybody of this standing.
    fn first(Standing { most, least }: Standing) -> Self {
        Self(u128::from(!most) << 96 | u128::from(least.0) << 64)
    }

    fn of(score: Score) -> Self {
        // Times before 1970 come first as well.
        let since = score.since.0.cast_unsigned() ^ (1 << 63);
        Self(Self::first(score.standing).0 | u128::from(since))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the parts, as they were put together")]
    fn score(self) -> Score {
        let standing = Standing::new(!((self.0 >> 96) as u32), (self.0 >> 64) as u32);
        Score { standing, since: At((self.0 as u64 ^ (1 << 63)).cast_signed()) }
    }
}

impl<K> Entry<K> {
    fn new(key: K, score: Score) -> Self {
        Self { order: Order::of(score), key }
    }
}

/// What is in `these` oftener than in `others`; both are in order.
fn without<T: Ord + Copy>(these: &[T], others: &[T]) -> impl Iterator<Item = T> {
    let mut others = others.iter().peekable();
    these.iter().copied().filter(move |one| {
        while others.next_if(|other| *other < one).is_some() {}
        others.next_if(|other| *other == one).is_none()
    })
}

impl<K: Ord + Copy> Default for Ranking<K> {
    fn default() -> Self {
        Self { order: Tree::new(), gone: vec![], new: vec![] }
    }
}

impl<K: Ord + Copy> Ranking<K> {
    /// How many are ranked.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moves many, one after the other; each must be where `before` says. Answers whether anything is
    /// different then.
    ///
    /// In the order of the tree: who moves next is where the last one was, and in the cache.
    pub fn put(&mut self, moves: impl IntoIterator<Item = Move<K>>) -> bool {
        let Self { order, gone, new } = self;
        gone.clear();
        new.clear();
        for Move { key, before, after } in moves {
            gone.extend(before.map(|score| Entry::new(key, score)));
            new.extend(after.map(|score| Entry::new(key, score)));
        }
        gone.sort_unstable();
        new.sort_unstable();
        // Where somebody comes and goes in between is no move.
        let mut is_other = false;
        for entry in without(gone, new) {
            is_other |= order.remove(&entry);
        }
        for entry in without(new, gone) {
            order.insert(entry);
            is_other = true;
        }
        is_other
    }

    /// The rank of whoever has this standing, from 1.
    pub fn rank(&self, standing: Standing) -> usize {
        let first = Order::first(standing);
        self.order.count(|entry| entry.order < first) + 1
    }

    /// The place in the order of one with this score, from 0; no two share it.
    pub fn place(&self, key: K, score: Score) -> usize {
        let own = Entry::new(key, score);
        self.order.count(|entry| *entry < own)
    }

    /// The row in one place, from 0.
    pub fn at(&self, place: usize) -> Option<Ranked<K>> {
        self.window(place, 1).pop()
    }

    /// The rows from place `from` on, counted from 0; `count`, and [`WINDOW_MAX`], at most.
    pub fn window(&self, from: usize, count: usize) -> Vec<Ranked<K>> {
        let entries = self.order.range(from, count.min(WINDOW_MAX));
        let mut above: Option<(Standing, usize)> = None;
        let ranked = |(n, Entry { order, key }): (usize, Entry<K>)| {
            let score = order.score();
            let rank = match above {
                Some((tied, rank)) if tied == score.standing => rank,
                Some(_) => from + n + 1,
                None => self.rank(score.standing),
            };
            above = Some((score.standing, rank));
            Ranked { rank, key, score }
        };
        entries.into_iter().enumerate().map(ranked).collect()
    }

    /// The row of `key`, which has this score, with so many above and below, as far as a window goes.
    pub fn around(&self, key: K, score: Score, each_way: usize) -> Vec<Ranked<K>> {
        let place = self.place(key, score);
        let each_way = each_way.min((WINDOW_MAX - 1) / 2);
        let from = place.saturating_sub(each_way);
        self.window(from, place - from + 1 + each_way)
    }
}

#[cfg(test)]
mod tests;
