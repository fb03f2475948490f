//! Who stands where on a wall.

use domain::{
    ids::SessionId,
    ranking::{Ranking, Score},
};

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
