//! Commands between nodes: asked of whoever serves the shard, carried out there by its owner.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    at::At,
    cluster::{CallError, Serve, Subject, Wire},
    command::{Answer, AnyCommand},
    ids::CommandId,
    stream::{Origin, Stream},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ask::Meta, directory::Directory};

/// How long one call may take. Its owner has answered long before, or is gone, or the call was lost on
/// its way to a node that no longer serves the shard; asking again under the same id is harmless.
const CALL: Duration = Duration::from_secs(2);

/// A command on the wire.
#[derive(Serialize, Deserialize)]
struct Request {
    to: String,
    origin: String,
    command_id: CommandId,
    received_at: Option<At>,
    is_first: bool,
    command: Value,
}

/// How it is answered.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Answer(Answer),
    /// The shard is another node's; nothing was carried out here.
    Elsewhere,
}

/// Asks the owner of `to`, once. `Ok(None)` if it is to be asked again: the shard is on its way.
/// After an error it may have been carried out.
pub(crate) async fn ask(
    wire: &dyn Wire,
    to: Stream,
    meta: Meta,
    command: &AnyCommand,
) -> Result<Option<Answer>, CallError> {
    let request = Request {
        to: to.to_string(),
        origin: meta.origin.to_string(),
        command_id: meta.command_id,
        received_at: meta.received_at,
        is_first: meta.is_first,
        command: command.to_json(),
    };
    let body = serde_json::to_vec(&request).expect("commands are plain data");
    let answer = match wire.call(Subject::Commands(to.shard()), body.into(), CALL).await {
        Err(CallError::NobodyServes) => return Ok(None),
        answer => answer.inspect_err(|error| {
            // While the wire is away everybody asks again; what is lost on it is worth a look.
            if matches!(error, CallError::TimedOut) {
                let (command_id, shard) = (meta.command_id, to.shard());
                tracing::warn!(%to, shard, command.id = %command_id, "its owner has not answered");
            }
        })?,
    };
    match serde_json::from_slice(&answer) {
        Ok(Reply::Answer(answer)) => Ok(Some(answer)),
        Ok(Reply::Elsewhere) => Ok(None),
        Err(error) => {
            tracing::error!(%to, %error, "another node's answer is not understood");
            Err(CallError::TimedOut)
        }
    }
}

/// Serves the commands of one shard.
pub(crate) struct Commands {
    directory: Weak<Directory>,
    shard: u16,
}

impl Commands {
    pub(crate) fn new(directory: &Arc<Directory>, shard: u16) -> Self {
        Self { directory: Arc::downgrade(directory), shard }
    }

    async fn carry_out(&self, body: &[u8]) -> Option<Answer> {
        let request: Request = serde_json::from_slice(body).ok()?;
        let to = request.to.parse::<Stream>().ok().filter(|to| to.shard() == self.shard)?;
        let origin = request.origin.parse::<Origin>().ok()?;
        let command = AnyCommand::parse(to, request.command).ok()?;
        let Request { command_id, received_at, is_first, .. } = request;
        let meta = Meta { origin, command_id, received_at, is_first };
        self.directory.upgrade()?.ask_here(to, meta, command).await
    }
}

#[async_trait]
impl Serve for Commands {
    async fn answer(&self, body: Bytes) -> Bytes {
        let answer = self.carry_out(&body).await;
        let reply = answer.map_or(Reply::Elsewhere, Reply::Answer);
        serde_json::to_vec(&reply).expect("answers are plain data").into()
    }
}
