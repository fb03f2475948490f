//! What somebody may see: looked at when they ask, and again when a right of theirs may have ended.

use std::sync::Arc;

use domain::{frame::Why, ports::Unavailable, rows::Topic};

use super::Connection;
use crate::{
    access,
    app::Shared,
    caller::{Caller, relation},
    error::Refusal,
};

/// What is not there, and what is not theirs: nobody learns which of the two.
pub(super) fn not_found() -> Why {
    Why::new("not_found", "there is nothing here, or it is not yours")
}

pub(super) fn unavailable() -> Why {
    Why::later("unavailable", "this cannot be read just now", 1_000)
}

/// Whether `caller` may see the rows of `topic`.
pub(super) async fn may_watch(
    app: &Shared,
    caller: &Caller,
    topic: Topic,
) -> Result<bool, Refusal> {
    for who in caller.all() {
        if access::may_watch(who, relation(app, who, topic).await?, topic) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Connection {
    /// Looks again who this is and what they may see. Whoever is no longer the candidate that they
    /// were, or nobody, or watches what is no longer theirs, may not stay; while the store is away
    /// everybody may.
    pub(super) async fn is_still_allowed(&mut self) -> bool {
        let again: Result<Caller, Unavailable> = self.caller.again(&self.app).await;
        let Ok(caller) = again else { return true };
        if caller.all().is_empty() || caller.candidate != self.caller.candidate {
            return false;
        }
        self.caller = Arc::new(caller);
        for topic in self.watched.keys() {
            if let Ok(false) = may_watch(&self.app, &self.caller, *topic).await {
                return false;
            }
        }
        if self.presence.is_none() {
            // The store was away when they came.
            self.arrive().await;
        }
        true
    }
}
