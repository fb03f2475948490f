//! Which boards are there, one for each campaign that somebody watches.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use domain::{at::At, ids::CampaignId};
use ractor::{Actor, ActorCell};

use super::{Board, Joiner};
use crate::{deps::Deps, epochs::Epochs};

/// The boards that somebody watches.
pub struct Boards {
    known: Mutex<HashMap<CampaignId, Weak<Board>>>,
    epochs: Arc<Epochs>,
}

impl Boards {
    pub(crate) fn new(epochs: Arc<Epochs>) -> Self {
        Self { known: Mutex::default(), epochs }
    }

    /// The board of `campaign`, made if there is none. Keep it as long as you watch.
    pub async fn board(
        &self,
        deps: &Deps,
        campaign: CampaignId,
        supervisor: ActorCell,
    ) -> Option<Arc<Board>> {
        if let Some(board) = self.known(campaign) {
            return Some(board);
        }
        let arguments = (deps.clone(), campaign, Arc::clone(&self.epochs));
        let (actor, _) = Actor::spawn_linked(None, Joiner, arguments, supervisor).await.ok()?;
        let board = Arc::new(Board(actor));
        // Two may have been made at once: the first one in stays, the other one is dropped.
        let mut boards = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        boards.retain(|_, board| board.strong_count() > 0);
        let first = boards.get(&campaign).and_then(Weak::upgrade);
        if let Some(first) = first.filter(|first| first.is_alive()) {
            return Some(first);
        }
        boards.insert(campaign, Arc::downgrade(&board));
        Some(board)
    }

    /// An epoch for rows that somebody makes of a board's, greater than all before.
    pub fn epoch(&self, now: At) -> u64 {
        self.epochs.next(now)
    }

    fn known(&self, campaign: CampaignId) -> Option<Arc<Board>> {
        let boards = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // One that failed may still be held by others, who find out when they read.
        boards.get(&campaign)?.upgrade().filter(|board| board.is_alive())
    }
}
