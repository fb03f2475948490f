//! The counter of the queue: where runners of all nodes ask for work, over the wire.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    cluster::{CallError, Serve, Subject, Wire},
    frame::RowsFrame,
    ids::{CommandId, LeaseId, SubmissionId},
    ports::Unavailable,
};
use ractor::{ActorRef, RpcReplyPort, rpc::CallResult};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Left, Msg, QueueCard, Runners, Task, leases::RENEW, pool::POLL};
use crate::{
    desk::post::{Errand, Post},
    output::{self, Outputs},
    reach,
};

/// How long whoever asks for work waits for the answer. The queue answers well before, or is gone.
const TAKE: Duration = Duration::from_secs(POLL.as_secs() + 2);
/// How long it may take to say how things stand.
const ANSWER: Duration = Duration::from_secs(2);
/// How often a runner says that it is done, if that gets lost; then its lease ends by itself.
const SAID_MAX: usize = 3;
/// How long who finds no queue waits before it asks again.
const AGAIN: Duration = Duration::from_millis(100);

/// What is asked of the queue.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Request {
    /// `by`: how people call the runner's node.
    Take {
        runners: Runners,
        ticket: CommandId,
        by: String,
    },
    Leave {
        ticket: CommandId,
    },
    Renew {
        submission: SubmissionId,
        lease: LeaseId,
    },
    Finish {
        submission: SubmissionId,
        lease: LeaseId,
        left: Left,
    },
    /// Where a submission stands that waits.
    Place {
        submission: SubmissionId,
    },
    /// How long the queue is, and who works for it.
    Summary,
    /// By a runner without a store.
    Errand {
        task: Task,
        errand: Errand,
    },
}

/// See the module.
pub(crate) struct Counter {
    pub(crate) queue: ActorRef<Msg>,
    pub(crate) outputs: Arc<Outputs>,
    pub(crate) post: Post,
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
            Request::Take { runners, ticket, by } => {
                let take = |reply| Msg::Take { runners, ticket, by, reply };
                return answer(&self.ask(take, TAKE).await.flatten());
            }
            Request::Renew { submission, lease } => {
                let renew = |reply| Msg::Renew { submission, lease, reply };
                return answer(&self.ask(renew, RENEW).await.unwrap_or(true));
            }
            Request::Place { submission } => {
                return self.outputs.to_be_sent(submission).write().into();
            }
            Request::Errand { task, errand } => return self.post.run(task, errand).await,
            Request::Summary => return answer(&self.ask(Msg::Summary, RENEW).await),
            Request::Leave { ticket } => Msg::Leave(ticket),
            Request::Finish { submission, lease, left } => {
                Msg::Finished { submission, lease, left }
            }
        };
        self.queue.cast(told).ok();
        answer(&())
    }

    async fn ask<T: Send + 'static>(
        &self,
        msg: impl FnOnce(RpcReplyPort<T>) -> Msg,
        within: Duration,
    ) -> Option<T> {
        match self.queue.call(msg, Some(within)).await {
            Ok(CallResult::Success(answer)) => Some(answer),
            _ => None,
        }
    }
}

fn answer(answer: &impl Serialize) -> Bytes {
    serde_json::to_vec(answer).expect("answers are plain data").into()
}

/// How the queue stands, asked by somebody who is no node.
pub async fn card(wire: &Arc<dyn Wire>) -> Result<QueueCard, Unavailable> {
    AtCounter { wire: Arc::clone(wire), name: String::new() }.summary().await
}

/// The way to the counter, wherever that is.
#[derive(Clone)]
pub(crate) struct AtCounter {
    pub(crate) wire: Arc<dyn Wire>,
    /// How people call this node.
    pub(crate) name: String,
}

impl AtCounter {
    /// Waits for something to run; `None` when there is nothing yet, or no queue.
    pub(crate) async fn take(&self, runners: Runners, ticket: CommandId) -> Option<Task> {
        let take = Request::Take { runners, ticket, by: self.name.clone() };
        match self.ask(&take, TAKE).await {
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

    /// Says once that the runner is there. Answers `false` if it is known to have lost this.
    pub(crate) async fn renew(&self, Task { submission, lease, .. }: Task) -> bool {
        self.ask(&Request::Renew { submission, lease }, RENEW).await.unwrap_or(true)
    }

    /// Where a submission stands, if it waits.
    pub(crate) async fn place(&self, submission: SubmissionId) -> Result<RowsFrame, Unavailable> {
        match self.call(&Request::Place { submission }, ANSWER).await {
            Ok(frame) => reach::parse(submission, &frame),
            Err(CallError::NobodyServes) => Ok(output::nothing(submission)),
            Err(error) => Err(Unavailable(anyhow::Error::new(error))),
        }
    }

    /// How long the queue is, and who works for it.
    pub(crate) async fn summary(&self) -> Result<QueueCard, Unavailable> {
        let summary: Option<QueueCard> =
            self.ask(&Request::Summary, ANSWER).await.map_err(anyhow::Error::new)?;
        Ok(summary.ok_or_else(|| anyhow::anyhow!("the queue does not answer"))?)
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
        let answer = self.call(request, within).await?;
        serde_json::from_slice(&answer).map_err(|error| {
            tracing::warn!(%error, "the queue's answer is not understood");
            CallError::TimedOut
        })
    }

    pub(crate) async fn call(
        &self,
        request: &Request,
        within: Duration,
    ) -> Result<Bytes, CallError> {
        let body = serde_json::to_vec(request).expect("requests are plain data");
        self.wire.call(Subject::Runs, body.into(), within).await
    }
}
