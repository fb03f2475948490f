//! Filing what nobody stays for: an owner files its own session, unless the server ends before that;
//! then the next one does, when it is time, a few a second.

use std::{sync::Arc, time::Duration};

use domain::{
    aggregate::Aggregate,
    at::At,
    command::AnyCommand,
    ids::SessionId,
    ports::{RowQuery, Unavailable},
    rows::Topic,
    session::Session,
    stream::Stream,
};

use crate::{ask::Meta, directory::Directory};

/// How often it looks.
const EVERY: Duration = Duration::from_mins(10);
/// How long it waits between two. Each that it wakes stays awake for two minutes: 1,200 at once.
const PACE: Duration = Duration::from_millis(100);
/// How many it reads at once.
const PAGE: usize = 500;

/// Looks again and again.
pub(crate) async fn run(directory: Arc<Directory>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = file_all(&directory).await {
            tracing::warn!(%error, "what is to be filed cannot be read");
        }
    }
}

/// Files every session whose time has come.
async fn file_all(directory: &Directory) -> Result<(), Unavailable> {
    let deps = directory.deps();
    let mut after_key = None;
    loop {
        let query = RowQuery { topic: Topic::Unfiled, after_key, changed_after: None, limit: PAGE };
        let page = deps.store.rows(query).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after_key = Some(last.key.clone());
        for row in page {
            let value = row.value.unwrap_or_default();
            let files_at = serde_json::from_slice::<At>(&value).unwrap_or_default();
            if let (true, Ok(session)) = (files_at <= deps.clock.now(), row.key.parse()) {
                file(directory, session).await;
                tokio::time::sleep(PACE).await;
            }
        }
    }
}

/// One that its owner has filed meanwhile stays as it is.
async fn file(directory: &Directory, session: SessionId) {
    let Some(expire) = Session::expire() else { return };
    let command = AnyCommand::Session(Box::new(expire));
    // What is refused now is there again at the next look.
    directory.ask(Stream::Session(session), Meta::of_node(), command).await;
}
