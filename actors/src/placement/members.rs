//! Which nodes are there: each says so once a second.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use domain::{
    at::At,
    cluster::{Subject, Wire},
    ids::NodeId,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// How nodes speak with each other; each works beside the version before and after its own.
pub const VERSION: u32 = 1;
/// How often a node says that it is there.
pub(super) const SAY: Duration = Duration::from_secs(1);
/// Of whom nothing was heard for so long is not there.
const SILENCE: Duration = Duration::from_millis(3_500);
/// After how long it is trusted to stay, so that shards are handed over to it.
const SETTLED: Duration = Duration::from_secs(3);

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Serves pages and sockets.
    Gateway,
    /// Owns streams.
    Actors,
    /// Runs code.
    Runner,
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeCard {
    pub id: NodeId,
    /// How people call it.
    pub name: String,
    pub version: u32,
    pub roles: Vec<Role>,
    pub started_at: At,
    /// It hands over what it has, and takes nothing.
    pub is_leaving: bool,
    /// Why it takes no shards, if it should and cannot.
    pub trouble: Option<String>,
    /// Shards that it owns.
    pub shards: usize,
    /// Streams that are awake there.
    pub awake: usize,
    /// Streams that it gave up on.
    pub broken: usize,
    /// Sockets of people.
    pub sockets: usize,
    /// Runs that go on there.
    pub runs: usize,
}

/// See the module.
#[derive(Default)]
pub struct Members(Mutex<HashMap<NodeId, Member>>);

struct Member {
    card: NodeCard,
    since: Instant,
    heard_at: Instant,
}

impl Members {
    /// Everybody that is there, by name.
    pub fn all(&self) -> Vec<NodeCard> {
        let mut all: Vec<NodeCard> = self.lock().values().map(|one| one.card.clone()).collect();
        all.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        all
    }

    /// Those that may own shards; then those of them that are trusted to stay.
    pub(super) fn able(&self) -> (Vec<NodeId>, Vec<NodeId>) {
        let known = self.lock();
        let able = known.values().filter(|one| one.card.is_able());
        let settled = able.clone().filter(|one| SETTLED <= one.since.elapsed());
        (able.map(|one| one.card.id).collect(), settled.map(|one| one.card.id).collect())
    }

    /// Whether somebody was there before this node that it cannot work beside.
    pub(super) fn is_stranger(&self, me: &NodeCard) -> bool {
        let is_before = |card: &NodeCard| (card.started_at, card.id) < (me.started_at, me.id);
        let known = self.lock();
        known.values().any(|one| is_before(&one.card) && 1 < one.card.version.abs_diff(me.version))
    }

    fn hear(&self, card: NodeCard) {
        let now = Instant::now();
        let mut known = self.lock();
        known.retain(|_, one| one.heard_at.elapsed() < SILENCE);
        let since = known.get(&card.id).map_or(now, |one| one.since);
        known.insert(card.id, Member { card, since, heard_at: now });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, Member>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, one| one.heard_at.elapsed() < SILENCE);
        known
    }

    /// Takes in what nodes say, for ever.
    pub async fn listen(&self, wire: &dyn Wire) {
        loop {
            match wire.hear(Subject::Nodes).await {
                Ok(mut hearing) => {
                    while let Some(said) = hearing.next().await {
                        match serde_json::from_slice(&said) {
                            Ok(card) => self.hear(card),
                            Err(error) => tracing::warn!(%error, "a node is not understood"),
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "other nodes cannot be heard"),
            }
            tokio::time::sleep(SAY).await;
        }
    }
}

impl NodeCard {
    pub(super) fn is_able(&self) -> bool {
        let is_fit = !self.is_leaving && self.trouble.is_none();
        is_fit && self.roles.contains(&Role::Actors)
    }

    pub(super) fn say(&self, wire: &dyn Wire) {
        let card = serde_json::to_vec(self).expect("cards are plain data");
        wire.tell(Subject::Nodes, Bytes::from(card));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(id: u128, started_at: i64, version: u32) -> NodeCard {
        NodeCard {
            id: NodeId::from_u128(id),
            name: format!("n{id}"),
            version,
            roles: vec![Role::Actors],
            started_at: At(started_at),
            is_leaving: false,
            trouble: None,
            shards: 0,
            awake: 0,
            broken: 0,
            sockets: 0,
            runs: 0,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_silent_is_not_there_and_who_is_new_waits() {
        let members = Members::default();
        members.hear(card(1, 0, 1));
        assert_eq!(members.all().len(), 1);
        let one = NodeId::from_u128(1);
        assert_eq!(members.able(), (vec![one], vec![]));
        tokio::time::advance(SETTLED).await;
        assert_eq!(members.able(), (vec![one], vec![one]));
        tokio::time::advance(SILENCE).await;
        assert_eq!(members.all().len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_two_versions_away_is_the_stranger_if_it_came_later() {
        let members = Members::default();
        let (old, new) = (card(1, 0, 1), card(2, 5, 3));
        members.hear(old.clone());
        members.hear(new.clone());
        assert!(members.is_stranger(&new));
        assert!(!members.is_stranger(&old));
        members.hear(card(1, 0, 2));
        assert!(!members.is_stranger(&new));
    }
}
