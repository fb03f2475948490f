//! How things stand, for administrators: nodes, shards, what waits, what is broken.

use std::collections::BTreeMap;

use actors::{
    placement::NodeCard,
    queue::QueueCard,
    report::{Broken, Lapse},
};
use axum::{Json, extract::State};
use domain::{at::At, people::Role, ports::Shard};
use serde::Serialize;

use crate::{app::Shared, caller::Caller, error::Refusal};

/// All of it.
#[derive(Serialize)]
pub(crate) struct Status {
    at: At,
    nodes: Vec<NodeStatus>,
    owners: Vec<Owner>,
    /// How many shards nobody owned lately.
    free: usize,
    /// What waits for a runner, and who runs; none while the queue does not answer.
    queue: Option<QueueCard>,
}

#[derive(Serialize)]
struct NodeStatus {
    #[serde(flatten)]
    card: NodeCard,
    broken_streams: Vec<Broken>,
    outages: Vec<Lapse>,
}

/// Who has taken how many shards, by the database, which is the truth.
#[derive(Serialize)]
struct Owner {
    name: String,
    shards: usize,
    epochs: (u64, u64),
    alive_at: Option<At>,
}

/// Whose last sign of life is older than this has its shards no more, for all that one knows.
const ALIVE_MS: i64 = 6_000;

pub(crate) async fn read(
    State(app): State<Shared>,
    caller: Caller,
) -> Result<Json<Status>, Refusal> {
    if caller.person()?.role != Role::Administrator {
        return Err(Refusal::not_found());
    }
    let at = app.now();
    let shards = app.node.deps.shards.shards().await?;
    let nodes = app.node.all_nodes().await.into_iter().map(|(card, report)| NodeStatus {
        card,
        broken_streams: report.broken,
        outages: report.outages,
    });
    let is_free = |shard: &&Shard| shard.alive_at.is_none_or(|alive| ALIVE_MS < (at - alive).0);
    let free = shards.iter().filter(is_free).count();
    let queue = app.node.queue().await.ok();
    Ok(Json(Status { at, nodes: nodes.collect(), owners: owners(shards), free, queue }))
}

fn owners(shards: Vec<Shard>) -> Vec<Owner> {
    let mut owners = BTreeMap::<String, Owner>::new();
    for Shard { epoch, owner, alive_at, .. } in shards {
        let Some(name) = owner else { continue };
        let new = Owner { name: name.clone(), shards: 0, epochs: (epoch, epoch), alive_at };
        let owner = owners.entry(name).or_insert(new);
        owner.shards += 1;
        owner.epochs = (owner.epochs.0.min(epoch), owner.epochs.1.max(epoch));
        owner.alive_at = owner.alive_at.max(alive_at);
    }
    owners.into_values().collect()
}
