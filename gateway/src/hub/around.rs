//! What stands around one candidate on a wall, as their pages are sent it.

use std::sync::{Arc, Mutex, PoisonError};

use actors::board::{Board, Ring};
use domain::{
    ids::{CampaignId, SessionId},
    ports::Published,
    rows::Topic,
};

use crate::app::App;

/// See the module.
pub(super) struct Around {
    campaign: CampaignId,
    session: SessionId,
    told: Mutex<Option<Told>>,
}

/// What was told, and as of which change of the wall.
struct Told {
    version: u64,
    ring: Ring,
}

impl Around {
    pub(super) fn new(campaign: CampaignId, session: SessionId) -> Self {
        Self { campaign, session, told: Mutex::default() }
    }

    /// Asks `board`, and answers what whoever has seen `after` has missed; `None` if the board is
    /// there no more.
    pub(super) async fn read(
        &self,
        app: &App,
        board: &Board,
        after: (u64, u64),
    ) -> Option<Vec<Arc<Published>>> {
        let seen = self.told().as_ref().map_or(0, |told| told.version);
        let place = board.place(self.session, seen).await?;
        let mut told = self.told();
        let told = told.get_or_insert_with(|| {
            let epoch = app.node.boards.epoch(app.now());
            Told { version: 0, ring: Ring::small(Topic::Place(self.campaign), epoch) }
        });
        // Two may have asked at once.
        if let Some(rows) = place.rows.filter(|_| told.version < place.version) {
            told.version = place.version;
            told.ring.become_these(rows);
        }
        Some(told.ring.read(after))
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Option<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
