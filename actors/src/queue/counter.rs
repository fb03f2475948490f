//! The counter of the queue: where runners of all nodes ask for work, over the wire.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    cluster::{CallError, Serve, Subject, Wire},
    ids::{CommandId, LeaseId, SubmissionId},
};
use ractor::{ActorRef, rpc::CallResult};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Left, Msg, Runners, Task, leases::RENEW, pool::POLL};

/// How long whoever asks for work waits for the answer. The queue answers well before, or is gone.
const TAKE: Duration = Duration::from_secs(POLL.as_secs() + 2);
/// How often a runner says that it is done, if that gets lost; then its lease ends by itself.
const SAID_MAX: usize = 3;
/// How long who finds no queue waits before it asks again.
const AGAIN: Duration = Duration::from_millis(100);

/// What is asked of the queue.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Request {
    Take { runners: Runners, ticket: CommandId },
    Leave { ticket: CommandId },
    Renew { submission: SubmissionId, lease: LeaseId },
    Finish { submission: SubmissionId, lease: LeaseId, left: Left },
}

/// See the module.
pub(crate) struct Counter {
    pub(crate) queue: ActorRef<Msg>,
}

#[async_trait]
impl Serve for Counter {
    async fn answer(&self, body: Bytes) -> Bytes {
        match serde_json::from_slice(&body) {
            Ok(request) => self.carry_out(request).await,
            Err(error) => {
                tracing::warn!(%error, "what was asked of the queue is not understood");
                Bytes::new()
            }
        }
    }
}

impl Counter {
    async fn carry_out(&self, request: Request) -> Bytes {
        let told = match request {
            Request::Take { runners, ticket } => {
                let take = |reply| Msg::Take(runners, ticket, reply);
                return match self.queue.call(take, Some(TAKE)).await {
                    Ok(CallResult::Success(task)) => answer(&task),
                    _ => answer(&None::<Task>),
                };
            }
            Request::Leave { ticket } => Msg::Leave(ticket),
            Request::Renew { submission, lease } => Msg::Renew { submission, lease },
            Request::Finish { submission, lease, left } => {
                Msg::Finished { submission, lease, left }
            }
        };
        self.queue.cast(told).ok();
        answer(&())
    }
}

fn answer(answer: &impl Serialize) -> Bytes {
    serde_json::to_vec(answer).expect("answers are plain data").into()
}

/// The way to the counter, wherever that is.
#[derive(Clone)]
pub(crate) struct AtCounter(pub(crate) Arc<dyn Wire>);

impl AtCounter {
    /// Waits for something to run; `None` when there is nothing yet, or no queue.
    pub(crate) async fn take(&self, runners: Runners, ticket: CommandId) -> Option<Task> {
        match self.ask(&Request::Take { runners, ticket }, TAKE).await {
            Ok(task) => task,
            Err(CallError::TimedOut) => None,
            Err(_) => {
                tokio::time::sleep(AGAIN).await;
                None
            }
        }
    }

    /// What was asked for under `ticket` is wanted no more.
    pub(crate) async fn leave(&self, ticket: CommandId) {
        self.ask::<()>(&Request::Leave { ticket }, RENEW).await.ok();
    }

    /// Says once that the runner is there.
    pub(crate) async fn renew(&self, Task { submission, lease, .. }: Task) {
        self.ask::<()>(&Request::Renew { submission, lease }, RENEW).await.ok();
    }

    /// Says how a runner leaves a submission.
    pub(crate) async fn finish(&self, Task { submission, lease, .. }: Task, left: Left) {
        for _ in 0..SAID_MAX {
            let finish = Request::Finish { submission, lease, left };
            if self.ask::<()>(&finish, RENEW).await.is_ok() {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        request: &Request,
        within: Duration,
    ) -> Result<T, CallError> {
        let body = serde_json::to_vec(request).expect("requests are plain data");
        let answer = self.0.call(Subject::Runs, body.into(), within).await?;
        serde_json::from_slice(&answer).map_err(|error| {
            tracing::warn!(%error, "the queue's answer is not understood");
            CallError::TimedOut
        })
    }
}
