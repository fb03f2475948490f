//! The clockwork: wakes every stream whose time has come or that has something to tell, loaded or
//! not.

use std::{collections::HashSet, sync::Arc, time::Duration};

use domain::{
    at::{At, Ms},
    stream::Stream,
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

/// Wakes all streams with a deadline, however far, as a server does that has just started.
pub(crate) async fn wake_all(directory: &Arc<Directory>) {
    wake_until(directory, At(i64::MAX)).await;
}

/// Looks again and again.
pub(crate) async fn run(directory: Arc<Directory>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        wake_until(&directory, directory.deps().clock.now() + AHEAD).await;
    }
}

async fn wake_until(directory: &Arc<Directory>, until: At) {
    match directory.deps().store.due(until, None, LIMIT).await {
        Ok(due) => {
            let due: HashSet<Stream> = due.into_iter().map(|(stream, _)| stream).collect();
            stream::iter(due).for_each_concurrent(ABREAST, |stream| directory.wake(stream)).await;
        }
        Err(error) => tracing::warn!(%error, "the clockwork could not look"),
    }
}
