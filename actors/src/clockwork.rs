//! The clockwork: wakes every stream whose time has come or that has something to tell, loaded or
//! not.

use std::{collections::HashSet, sync::Arc, time::Duration};

use domain::{
    at::{At, Ms},
    stream::{SHARDS, Stream},
};
use futures_util::{StreamExt, stream};

use crate::directory::Directory;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// How far ahead it looks: a stream is awake before its moment comes.
const AHEAD: Ms = Ms(15_000);
/// How many streams it reads at once; more come with the next look.
const LIMIT: usize = 20_000;
/// How many streams it loads side by side.
const ABREAST: usize = 64;

/// Wakes all streams of `shards` with a deadline, however far, as a node does that has just taken
/// them.
pub(crate) async fn wake_all(directory: &Arc<Directory>, shards: &[u16]) {
    wake_until(directory, shards, At(i64::MAX)).await;
}

/// Looks again and again.
pub(crate) async fn run(directory: Arc<Directory>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let owned = directory.placement().owned();
        let shards: Vec<u16> = owned.into_iter().map(|(shard, _)| shard).collect();
        wake_until(&directory, &shards, directory.deps().clock.now() + AHEAD).await;
    }
}

async fn wake_until(directory: &Arc<Directory>, shards: &[u16], until: At) {
    if shards.is_empty() {
        return;
    }
    // All of them is the index alone.
    let some = (shards.len() < usize::from(SHARDS)).then_some(shards);
    match directory.deps().store.due(until, some, LIMIT).await {
        Ok(due) => {
            let due: HashSet<Stream> = due.into_iter().map(|(stream, _)| stream).collect();
            stream::iter(due).for_each_concurrent(ABREAST, |stream| directory.wake(stream)).await;
        }
        Err(error) => tracing::warn!(%error, "the clockwork could not look"),
    }
}
