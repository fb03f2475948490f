//! What nodes say to each other, over NATS: calls ([`wire`]), frames ([`bus`]) and leases on shards
//! ([`leases`]). Nothing in it is the truth; everything may be wiped at any moment.

pub mod bucket;
pub mod bus;
mod frames;
mod heads;
pub mod leases;
mod link;
pub mod options;
mod view;
pub mod wire;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::anyhow;
use async_nats::{Client, RequestErrorKind, connection::State};
use bytes::Bytes;
use domain::ports::Unavailable;
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
};

use self::link::{Link, Seen};
pub use self::options::{Cluster, ConnectError, Credentials, Options, Tls};

/// How long the server may take to answer something that costs it nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// A connection to NATS that comes back by itself, for one cluster of nodes.
#[derive(Clone)]
pub struct Nats(Arc<Inner>);

struct Inner {
    client: Client,
    cluster: Cluster,
    seen: watch::Receiver<Seen>,
    /// Whatever goes on for the parts above; it ends with the last of them.
    tasks: Mutex<JoinSet<()>>,
}

impl Nats {
    /// Connects, once. From then on the connection is kept up for ever.
    pub async fn connect(options: Options) -> Result<Self, ConnectError> {
        let link = Link::new(options.addresses());
        let seen = link.seen();
        let client = options.connect(link).await?;
        let tasks = Mutex::default();
        Ok(Self(Arc::new(Inner { client, cluster: options.cluster, seen, tasks })))
    }

    /// Whose subjects these are.
    pub fn cluster(&self) -> &Cluster {
        &self.0.cluster
    }

    /// Whether the connection is up, as far as is known.
    pub fn is_up(&self) -> bool {
        self.0.client.connection_state() == State::Connected
    }

    fn client(&self) -> &Client {
        &self.0.client
    }

    /// `subject`, behind the name of the cluster.
    fn subject(&self, subject: impl std::fmt::Display) -> String {
        format!("{}.{subject}", self.0.cluster)
    }

    fn seen(&self) -> watch::Receiver<Seen> {
        self.0.seen.clone()
    }

    /// Has `task` go on for as long as anything of this connection is in use. It must not hold the
    /// connection itself.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(ended) = tasks.try_join_next() {
            if let Some(error) = ended.err().filter(tokio::task::JoinError::is_panic) {
                tracing::error!(%error, "a task of the connection to NATS failed");
            }
        }
        tasks.spawn(task)
    }

    /// Returns when the server knows of all that was asked of it before. Writing it out is not
    /// enough: what others send may overtake it.
    async fn sync(&self) -> Result<(), Unavailable> {
        let ask = async_nats::Request::new().timeout(Some(PATIENCE));
        match self.request("runs.sync", ask).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == RequestErrorKind::NoResponders => Ok(()),
            Err(error) => Err(anyhow!("NATS does not answer: {error}").into()),
        }
    }

    /// Asks on `subject`, unless the connection is known to be down.
    async fn request(
        &self,
        subject: impl std::fmt::Display,
        ask: async_nats::Request,
    ) -> Result<async_nats::Message, async_nats::RequestError> {
        if !self.is_up() {
            let away = anyhow!("NATS is away");
            return Err(async_nats::RequestError::with_source(RequestErrorKind::Other, away));
        }
        self.client().send_request(self.subject(subject), ask).await
    }

    /// Sends `body` to `subject` without waiting; `false` when the queue to the server is full, the
    /// connection down or the body too large. Then nothing was sent.
    fn send(&self, subject: String, body: Bytes) -> bool {
        send(self.client(), subject, body)
    }
}

/// See [`Nats::send`]. The queue takes 2,048 messages.
fn send(client: &Client, subject: String, body: Bytes) -> bool {
    use futures_util::FutureExt;
    if client.connection_state() != State::Connected {
        return false;
    }
    // A turn of the scheduler that is used up would look like a queue that is full.
    let sent = tokio::task::unconstrained(client.publish(subject, body)).now_or_never();
    sent.is_some_and(|sent| sent.is_ok())
}
