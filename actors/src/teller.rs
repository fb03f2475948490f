//! Telling others: sends what an event means to other streams, until each has answered.

use std::{sync::Arc, time::Duration};

use domain::{
    aggregate::{Aggregate, Reaction},
    command::{Answer, AnyCommand},
    frame::Why,
    stream::Stream,
};
use futures_util::future::join_all;

use crate::{
    ask::Meta,
    directory::{BROKEN, Directory},
};

/// How long it waits before it asks again a stream that is out of order, for what must not be lost.
const REPAIRED: Duration = Duration::from_secs(30);
/// How long it waits before it asks again somebody who could not answer.
const AGAIN: Duration = Duration::from_millis(250);

/// Tells all that `event` means, page by page. Harmless to do twice: the ids are the same.
pub(crate) async fn tell<A: Aggregate>(
    directory: Arc<Directory>,
    stream: Stream,
    state: &A,
    seq: u64,
    event: Arc<A::Event>,
) {
    let mut cursor = 0;
    loop {
        let page = state.reactions(stream, &event, cursor);
        if page.is_empty() {
            return;
        }
        cursor += page.len();
        join_all(page.into_iter().map(|reaction| deliver(&directory, stream, seq, reaction))).await;
    }
}

async fn deliver(directory: &Arc<Directory>, from: Stream, seq: u64, reaction: Reaction) {
    let meta = Meta {
        origin: Reaction::origin(from),
        command_id: reaction.command_id(from, seq),
        received_at: None,
        is_first: false,
    };
    let Ok(command) = AnyCommand::parse(reaction.to, reaction.command.clone()) else {
        tracing::error!(%from, seq, name = reaction.name, "a reaction is no command of its target");
        return;
    };
    loop {
        match directory.tell(reaction.to, meta, command.clone()).await {
            Answer::Done { .. } => return,
            Answer::Refused(Why { retry_after_ms: Some(_), .. }) => tokio::time::sleep(AGAIN).await,
            Answer::Refused(why) if why.code == BROKEN && !reaction.may_be_refused => {
                tokio::time::sleep(REPAIRED).await;
            }
            // Who was erased needs nothing any more.
            Answer::Refused(why) if why.code == "gone" => return,
            Answer::Refused(why) => {
                if !reaction.may_be_refused {
                    let (name, to) = (reaction.name, reaction.to);
                    tracing::error!(%from, seq, name, %to, why = why.code, "a reaction was refused");
                }
                return;
            }
        }
    }
}
