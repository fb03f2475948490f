//! Commands: carried out one after the other, in the order in which they came.

use std::{pin::Pin, sync::Arc};

use actors::ask::Meta;
use domain::{
    at::At,
    command::{Answer, AnyCommand},
    frame::{ServerFrame, Why},
    ids::CommandId,
    rows::Topic,
    stream::Stream,
};
use tokio::time::Instant;

use super::{Connection, outbox::Overflow, rights};
use crate::{
    access,
    app::Shared,
    caller::{Caller, origin, relation},
};

/// How many commands of one socket wait at most.
const COMMANDS_MAX: usize = 64;

/// A command that waits for its turn.
pub(super) struct Asked {
    pub(super) command_id: CommandId,
    pub(super) to: String,
    pub(super) command: serde_json::Value,
    pub(super) received_at: At,
    pub(super) is_first: bool,
}

/// A command that is carried out.
pub(super) type Answering = Pin<Box<dyn Future<Output = ServerFrame> + Send>>;

impl Connection {
    pub(super) fn ask(&mut self, asked: Asked) -> Result<(), Overflow> {
        if self.asked.len() < COMMANDS_MAX {
            self.asked.push_back(asked);
            return Ok(());
        }
        let (command_id, why) =
            (asked.command_id, Why::later("busy", "too many commands wait", 500));
        self.outbox.frame(&ServerFrame::Refused { command_id, why })
    }

    /// Begins with the next command, if none is carried out.
    pub(super) fn carry_on(&mut self) {
        if self.answering.is_some() {
            return;
        }
        let Some(asked) = self.asked.pop_front() else { return };
        let (app, caller) = (Arc::clone(&self.app), Arc::clone(&self.caller));
        self.answering = Some(Box::pin(async move {
            let (command_id, began) = (asked.command_id, Instant::now());
            let answer = answer(&app, &caller, asked).await;
            app.metrics.answered(&answer, began.elapsed());
            match answer {
                Answer::Done { epoch, seq, answer } => {
                    ServerFrame::Done { command_id, epoch, seq, answer }
                }
                Answer::Refused(why) => ServerFrame::Refused { command_id, why },
            }
        }));
    }
}

/// What is not there and what is not theirs is refused alike, so that nobody learns what there is.
async fn answer(app: &Shared, caller: &Caller, asked: Asked) -> Answer {
    let Asked { command_id, to, command, received_at, is_first } = asked;
    let Ok(stream) = to.parse::<Stream>() else {
        return Answer::Refused(rights::not_found());
    };
    let Ok(command) = AnyCommand::parse(stream, command) else {
        return Answer::Refused(Why::new("bad_command", "this command is not understood"));
    };
    for who in caller.all() {
        let Some(origin) = origin(who) else { continue };
        let Ok(relation) = relation(app, who, Topic::Of(stream)).await else {
            return Answer::Refused(rights::unavailable());
        };
        if access::may_do(who, relation, &command) {
            let received_at = Some(received_at);
            let meta = Meta { origin, command_id, received_at, is_first };
            return app.node.directory.ask(stream, meta, command).await;
        }
    }
    Answer::Refused(rights::not_found())
}
