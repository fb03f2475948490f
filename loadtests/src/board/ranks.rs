//! The order alone: scores that are ready, as Redis is told them, and ranks.

use std::{collections::HashMap, time::Duration};

use domain::{
    ids::SessionId,
    ranking::{Ranking, Score},
};
use foldhash::fast::RandomState;
use tokio::time::Instant;

use super::Move;

/// How many are moved together, as a board does that is told much.
const FLUSH: usize = 16 * 1024;

pub(crate) struct Ranks {
    keys: Vec<SessionId>,
    scores: HashMap<SessionId, Score, RandomState>,
    ranking: Ranking<SessionId>,
}

impl Ranks {
    pub(crate) fn new(keys: &[SessionId]) -> Self {
        let (scores, ranking) = (HashMap::default(), Ranking::default());
        Self { keys: keys.to_vec(), scores, ranking }
    }

    /// Puts all where they belong and reads the rank of each.
    pub(crate) fn play(&mut self, moves: &[Move]) -> Duration {
        let mut took = Duration::ZERO;
        for flush in moves.chunks(FLUSH) {
            let start = Instant::now();
            self.put(flush);
            for one in flush {
                std::hint::black_box(self.rank(one.contestant));
            }
            took += start.elapsed();
        }
        took
    }

    fn put(&mut self, moves: &[Move]) {
        let Self { keys, scores, ranking } = self;
        ranking.put(moves.iter().map(|one| {
            let (key, after) = (keys[one.contestant], one.score());
            domain::ranking::Move { key, before: scores.insert(key, after), after: Some(after) }
        }));
    }

    pub(crate) fn ask(&self, contestants: &[usize]) -> Duration {
        let start = Instant::now();
        for contestant in contestants {
            std::hint::black_box(self.rank(*contestant));
        }
        start.elapsed()
    }

    pub(crate) fn rank(&self, contestant: usize) -> Option<usize> {
        let score = self.scores.get(&self.keys[contestant])?;
        Some(self.ranking.rank(score.standing))
    }
}
