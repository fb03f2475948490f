//! What becomes of the connection: said once in the log, and told to those who must mend gaps.

use std::sync::{Arc, Mutex, PoisonError};

use async_nats::{Event, ServerError};
use tokio::sync::watch;

/// What happened so far to one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// How often it was made; all in between may be lost.
    pub connections: u64,
    /// How often it broke; calls under way are not answered any more.
    pub breaks: u64,
    /// How often something was lost to a subscription that lagged behind.
    pub losses: u64,
}

/// Hears what the client says of itself.
pub(super) struct Link {
    addresses: String,
    seen: watch::Sender<Seen>,
    /// The last thing that was said in the log.
    said: Arc<Mutex<Option<String>>>,
}

impl Link {
    pub(super) fn new(addresses: String) -> Self {
        Self { addresses, seen: watch::Sender::default(), said: Arc::default() }
    }

    pub(super) fn seen(&self) -> watch::Receiver<Seen> {
        self.seen.subscribe()
    }

    pub(super) fn hear(&self, event: &Event) {
        let address = &self.addresses;
        match event {
            Event::Connected => {
                self.seen.send_modify(|seen| seen.connections += 1);
                // The first connection is no news.
                if self.said.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
                    tracing::info!(%address, "NATS is back");
                }
            }
            Event::Disconnected => {
                self.seen.send_modify(|seen| seen.breaks += 1);
                self.warn("NATS is away");
            }
            Event::SlowConsumer(_) => self.seen.send_modify(|seen| seen.losses += 1),
            Event::ServerError(ServerError::Other(what)) => {
                tracing::warn!(%address, what, "NATS refuses something");
            }
            Event::ServerError(error) => self.warn(&format!("NATS: {error}")),
            Event::ClientError(error) => tracing::debug!(%address, %error, "NATS is still away"),
            Event::LameDuckMode | Event::Draining | Event::Closed => {}
        }
    }

    /// Says it, unless it was the last thing said.
    fn warn(&self, what: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.as_deref() != Some(what) {
            tracing::warn!(address = %self.addresses, "{what}");
            *said = Some(what.to_owned());
        }
    }
}
