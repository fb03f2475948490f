//! Who reads next, when many come back at once.

use tokio::sync::{Semaphore, SemaphorePermit};

/// How many sockets are brought up to date at once; the others wait for their turn, so that a
/// thousand who come back together do not read all at once.
const READERS_MAX: usize = 64;
/// How many of them are not candidates: the other places are for those whose time runs.
const OTHERS_MAX: usize = 24;

/// Who somebody is, to those who wait for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rank {
    /// A candidate, in what is theirs.
    Candidate,
    Other,
}

/// See the module.
pub(super) struct Readers {
    all: Semaphore,
    others: Semaphore,
}

impl Default for Readers {
    fn default() -> Self {
        Self { all: Semaphore::new(READERS_MAX), others: Semaphore::new(OTHERS_MAX) }
    }
}

impl Readers {
    /// Waits for a place; it is given back when the answer is dropped. Whoever is no candidate waits
    /// among themselves first, so that not more of them than have places are before a candidate.
    pub(super) async fn place(
        &self,
        rank: Rank,
    ) -> (Option<SemaphorePermit<'_>>, Option<SemaphorePermit<'_>>) {
        // Neither is ever closed.
        let other = match rank {
            Rank::Candidate => None,
            Rank::Other => self.others.acquire().await.ok(),
        };
        (self.all.acquire().await.ok(), other)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn candidates_find_a_place_however_many_spectators_wait() {
        let readers = Readers::default();
        let mut waiting: Vec<_> =
            (0..10_000).map(|_| Box::pin(readers.place(Rank::Other))).collect();
        let placed: Vec<_> = waiting.iter_mut().filter_map(FutureExt::now_or_never).collect();
        assert_eq!(placed.len(), OTHERS_MAX);
        let kept: Vec<_> = (OTHERS_MAX..READERS_MAX)
            .map(|_| readers.place(Rank::Candidate).now_or_never().unwrap())
            .collect();
        let mut next = Box::pin(readers.place(Rank::Candidate));
        assert!(next.as_mut().now_or_never().is_none(), "all places are taken");
        // Even the first place that a spectator leaves is a candidate's.
        drop(placed);
        assert!(next.as_mut().now_or_never().is_some());
        drop(kept);
    }
}
