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
        // Before the page is made: what waits for its turn takes no room.
        let mut place = directory.place_to_tell().await;
        let mut page = state.reactions(stream, &event, cursor);
        if page.is_empty() {
            return;
        }
        cursor += page.len();
        while let Some(pause) = deliver(&directory, stream, seq, &mut page).await {
            drop(place);
            tokio::time::sleep(pause).await;
            place = directory.place_to_tell().await;
        }
    }
}

/// Asks each of `page` once, and keeps those that are to be asked again. Answers after how long.
async fn deliver(
    directory: &Directory,
    from: Stream,
    seq: u64,
    page: &mut Vec<Reaction>,
) -> Option<Duration> {
    let asked = page.iter().map(|reaction| ask(directory, from, seq, reaction));
    let mut pauses = join_all(asked).await.into_iter();
    let mut first: Option<Duration> = None;
    page.retain(|_| {
        let pause = pauses.next().flatten();
        first = first.into_iter().chain(pause).min();
        pause.is_some()
    });
    first
}

/// Asks once; answers after how long to ask again, if at all.
async fn ask(
    directory: &Directory,
    from: Stream,
    seq: u64,
    reaction: &Reaction,
) -> Option<Duration> {
    let meta = Meta {
        origin: Reaction::origin(from),
        command_id: reaction.command_id(from, seq),
        received_at: None,
        is_first: false,
    };
    let Ok(command) = AnyCommand::parse(reaction.to, reaction.command.clone()) else {
        tracing::error!(%from, seq, name = reaction.name, "a reaction is no command of its target");
        return None;
    };
    match directory.ask(reaction.to, meta, command).await {
        Answer::Done { .. } => None,
        Answer::Refused(Why { retry_after_ms: Some(_), .. }) => Some(AGAIN),
        Answer::Refused(why) if why.code == BROKEN && !reaction.may_be_refused => Some(REPAIRED),
        // Who was erased needs nothing any more.
        Answer::Refused(why) if why.code == "gone" => None,
        Answer::Refused(why) => {
            if !reaction.may_be_refused {
                let (name, to) = (reaction.name, reaction.to);
                tracing::error!(%from, seq, name, %to, why = why.code, "a reaction was refused");
            }
            None
        }
    }
}
