//! What every request is handled with.

use std::sync::Arc;

use actors::{ask::Meta, node::Node};
use domain::{
    at::At,
    cluster::Cache,
    command::{Answer, AnyCommand},
    content::Language,
    ids::CommandId,
    ports::{RowQuery, Unavailable},
    rows::Topic,
    stream::{Origin, Stream},
};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::{
    error::Refusal,
    hub::Hub,
    limits::{Limits, Rate},
    live::Live,
    metrics::Metrics,
    setup::Setup,
    tasks::Tasks,
};

/// Behind an `Arc`, given to every handler.
pub(crate) struct App {
    pub(crate) node: Node,
    pub(crate) languages: Vec<(Language, String)>,
    pub(crate) setup: Setup,
    pub(crate) limits: Limits,
    /// What all gateways remember together.
    pub(crate) cache: Option<Arc<dyn Cache>>,
    /// Links are printed with it.
    pub(crate) url: String,
    /// All sockets together.
    pub(crate) live: Live,
    /// Connections, and what streams to them.
    pub(crate) tasks: Tasks,
    /// Whether the server stops; each connection listens, and lets go once it has said goodbye.
    pub(crate) stopping: watch::Sender<bool>,
    /// What is watched here.
    pub(crate) hub: Hub,
    pub(crate) metrics: Metrics,
}

impl App {
    pub(crate) fn now(&self) -> At {
        self.node.deps.clock.now()
    }

    /// Whether `name` may do something once more: by what all gateways remember, or, where that is
    /// away, by what this one does.
    pub(crate) async fn allow(&self, name: &str, rate: Rate) -> bool {
        if let Some(cache) = &self.cache
            && let Some(allowed) = cache.allow(name, rate.burst, rate.every).await
        {
            return allowed;
        }
        self.limits.allow(name, rate, self.now())
    }

    /// Asks for something in the name of `origin`; a refusal becomes the answer's error.
    pub(crate) async fn ask(
        &self,
        origin: Origin,
        to: Stream,
        command: AnyCommand,
    ) -> Result<u64, Refusal> {
        let command_id = CommandId::random();
        // Its sender hears of this one answer only, and none of these is late.
        let meta = Meta { origin, command_id, received_at: None, is_first: true };
        match self.node.directory.ask(to, meta, command).await {
            Answer::Done { seq, .. } => Ok(seq),
            Answer::Refused(why) => Err(why.into()),
        }
    }

    /// One row, read into its type; `None` when it is not there.
    pub(crate) async fn row<T: DeserializeOwned>(
        &self,
        topic: Topic,
        key: &str,
    ) -> Result<Option<T>, Refusal> {
        let row = self.node.deps.store.row(topic, key).await?;
        Ok(row.and_then(|row| row.value).and_then(|value| serde_json::from_slice(&value).ok()))
    }

    /// All rows of a topic, in order of key, as they are.
    pub(crate) async fn rows(
        &self,
        topic: Topic,
    ) -> Result<Vec<(String, bytes::Bytes)>, Unavailable> {
        const PAGE: usize = 1_000;
        let (mut all, mut after_key) = (vec![], None);
        loop {
            let query = RowQuery { topic, after_key, changed_after: None, limit: PAGE };
            let page = self.node.deps.store.rows(query).await?;
            let is_last = page.len() < PAGE;
            after_key = page.last().map(|row| row.key.clone());
            all.extend(page.into_iter().filter_map(|row| Some((row.key, row.value?))));
            if is_last {
                return Ok(all);
            }
        }
    }
}

/// What handlers take.
pub(crate) type Shared = Arc<App>;
