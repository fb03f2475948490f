//! Who stands where on a wall.

use domain::{
    ids::SessionId,
    ranking::{Ranking, Score},
};

/// A wall's order.
#[derive(Default)]
pub struct Standings(Ranking<SessionId>);

impl Standings {
    /// Puts candidates where their results belong, or takes them off the wall. Answers whether
    /// anything is different then.
    pub fn put(&mut self, results: impl IntoIterator<Item = (SessionId, Option<Score>)>) -> bool {
        self.0.set_all(results)
    }

    /// The ranks.
    pub fn ranking(&self) -> &Ranking<SessionId> {
        &self.0
    }
}
