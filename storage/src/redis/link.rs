//! The connection to Redis, or that there is none: made in the background, so that a Redis that is
//! away costs nothing but one question.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use redis::{AsyncConnectionConfig, Client, aio::MultiplexedConnection};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{sleep, timeout},
};

/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// The shortest and the longest pause before the next attempt.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// See the module.
pub(super) struct Link {
    shared: Arc<Shared>,
    /// Ends with it.
    _keeper: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    connection: Mutex<Option<MultiplexedConnection>>,
    broken: Notify,
    why: Mutex<String>,
}

impl Link {
    pub(super) fn to(client: Client, address: String) -> Self {
        let shared = Arc::new(Shared::default());
        let mut keeper = JoinSet::new();
        keeper.spawn(keep(Arc::clone(&shared), client, address));
        Self { shared, _keeper: keeper }
    }

    pub(super) fn connection(&self) -> Option<MultiplexedConnection> {
        self.shared.connection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Nobody uses it from now on, until it was made again.
    pub(super) fn is_broken<T>(&self, why: &str) -> Option<T> {
        let mut connection = self.shared.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.take().is_some() {
            why.clone_into(&mut self.shared.why.lock().unwrap_or_else(PoisonError::into_inner));
            self.shared.broken.notify_one();
        }
        None
    }
}

/// Makes the connection, again and again.
async fn keep(shared: Arc<Shared>, client: Client, address: String) {
    let (mut pause, mut is_away) = (PAUSE_MIN, false);
    loop {
        match connect(&client).await {
            Ok(connection) => {
                if std::mem::take(&mut is_away) {
                    tracing::info!(%address, "Redis is back");
                }
                *shared.connection.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(connection);
                let since = tokio::time::Instant::now();
                shared.broken.notified().await;
                if since.elapsed() > PAUSE_MAX {
                    pause = PAUSE_MIN;
                }
            }
            Err(error) => {
                error.clone_into(&mut shared.why.lock().unwrap_or_else(PoisonError::into_inner));
            }
        }
        if !std::mem::replace(&mut is_away, true) {
            let why = shared.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
            tracing::warn!(%address, why, "Redis is away");
        }
        sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// A connection over which something was answered.
async fn connect(client: &Client) -> Result<MultiplexedConnection, String> {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(CONNECT_MAX));
    let connecting = async {
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        redis::cmd("PING").query_async::<()>(&mut connection).await?;
        Ok::<_, redis::RedisError>(connection)
    };
    let connected = timeout(CONNECT_MAX, connecting).await;
    connected.map_err(|_| "no answer".to_owned())?.map_err(|error| error.to_string())
}
