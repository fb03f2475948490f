//! How things stand, for administrators: each node answers for itself.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    at::{At, Ms},
    cluster::{Serve, Subject, Wire},
    ids::NodeId,
};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use crate::{directory::Directory, placement::NodeCard};

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Outages that ended longer ago are not told.
const LATELY: Ms = Ms(24 * 3_600_000);
/// How many of each a node tells at most, the newest.
const TOLD_MAX: usize = 100;

/// What a node knows of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Shards that it owns.
    pub owned: Vec<u16>,
    pub broken: Vec<Broken>,
    pub outages: Vec<Lapse>,
}

/// A stream that its node gave up on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Broken {
    pub stream: String,
    pub why: String,
}

/// A time during which the streams of some shards could not commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lapse {
    pub from: At,
    pub to: At,
    pub shards: usize,
}

/// Answers for one node.
pub(crate) struct Reporter(pub(crate) Weak<Directory>);

#[async_trait]
impl Serve for Reporter {
    async fn answer(&self, _: Bytes) -> Bytes {
        let report = self.0.upgrade().map(|directory| Report::of(&directory)).unwrap_or_default();
        serde_json::to_vec(&report).expect("reports are plain data").into()
    }
}

impl Report {
    pub(crate) fn of(directory: &Directory) -> Self {
        let broken = directory.broken().into_iter().take(TOLD_MAX);
        let broken = broken.map(|(stream, why)| Broken { stream: stream.to_string(), why });
        let since = directory.deps().clock.now() - LATELY;
        let mut lapses = BTreeMap::<(At, At), usize>::new();
        for outage in directory.placement().all_outages(since) {
            *lapses.entry((outage.from, outage.to)).or_default() += 1;
        }
        let newest = lapses.into_iter().rev().take(TOLD_MAX);
        let outages = newest.map(|((from, to), shards)| Lapse { from, to, shards }).collect();
        let owned = directory.placement().owned().into_iter().map(|(shard, _)| shard).collect();
        Self { owned, broken: broken.collect(), outages }
    }
}

/// What `node` knows of itself, if it answers.
pub(crate) async fn of(wire: &dyn Wire, node: NodeId) -> Option<Report> {
    let answer = wire.call(Subject::Status(node), Bytes::new(), PATIENCE).await.ok()?;
    serde_json::from_slice(&answer).ok()
}

/// What all of `nodes` know of themselves; of those that do not answer, nothing.
pub async fn all(wire: &Arc<dyn Wire>, nodes: &[NodeCard]) -> Vec<(NodeId, Report)> {
    let asked =
        nodes.iter().map(|node| async move { Some((node.id, of(&**wire, node.id).await?)) });
    join_all(asked).await.into_iter().flatten().collect()
}
