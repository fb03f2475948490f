//! Servers that are killed, wiped or stand still, and what heals by itself afterwards.

mod accounts;
mod bus;
mod connecting;
mod leases;
mod redis;
mod wire;

use std::time::Duration;

use tokio::time::timeout;

/// Long enough for anything that heals; what takes longer does not.
const HEALS: Duration = Duration::from_secs(15);

/// Tries `once` until it gives something.
async fn until<T>(mut once: impl AsyncFnMut() -> Option<T>) -> T {
    let tries = async {
        loop {
            if let Some(got) = once().await {
                return got;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(HEALS, tries).await.expect("it heals by itself")
}

/// A client that is none of ours.
async fn stranger(server: &storage::scratch::server::Server) -> async_nats::Client {
    async_nats::connect(server.url()).await.unwrap()
}
