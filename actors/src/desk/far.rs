//! The desk of a runner without a store: everything is asked of the queue's node, over the wire.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use bytes::{Buf, Bytes, BytesMut};
use domain::{
    blob::sha256_hex,
    cluster::CallError,
    ids::CommandId,
    run::Outcome,
    submission::{Shown, out_of_order},
};
use tokio::time::{Instant, sleep};

use super::{
    Begun, DATA_MISSING, Desk,
    kept::Kept,
    post::{self, Beginning, Errand},
};
use crate::{
    prepare::{Data, Draft},
    queue::{
        Left, Runners, Task,
        counter::{AtCounter, Request},
    },
};

/// How long one call may take.
const CALL: Duration = Duration::from_secs(8);
/// How long it waits before it asks again.
const AGAIN: Duration = Duration::from_millis(500);
/// How long it tries to begin something: long before that it is another's.
const BEGINNING: Duration = Duration::from_secs(30);
/// How many bytes the draft of a job has at most.
const DRAFT_MAX: usize = 32 << 20;

/// See the module.
pub(crate) struct Far {
    counter: AtCounter,
    kept: Kept,
}

/// The queue's node does not do this, now or ever.
struct Refused;

impl Far {
    /// Keeps at most so many bytes of validators' data for the next time.
    pub(crate) fn new(counter: AtCounter, kept_bytes_max: usize) -> Self {
        Self { counter, kept: Kept::new(kept_bytes_max) }
    }

    /// Asks until it is done, or the time is over.
    async fn run(
        &self,
        task: Task,
        errand: Errand,
        until: Option<Instant>,
    ) -> Result<Bytes, Refused> {
        let request = Request::Errand { task, errand };
        loop {
            match self.counter.call(&request, CALL).await {
                Ok(mut answer) if answer.has_remaining() => match answer.get_u8() {
                    post::DONE => return Ok(answer),
                    post::NEVER => return Err(Refused),
                    _ => {}
                },
                Ok(_) | Err(CallError::NobodyServes | CallError::Busy | CallError::TimedOut) => {}
                Err(CallError::TooLarge) => return Err(Refused),
                Err(CallError::Unavailable(error)) => {
                    tracing::debug!(%error, "the queue cannot be reached");
                }
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                return Err(Refused);
            }
            sleep(AGAIN).await;
        }
    }

    /// What comes in pieces, `bytes` of it.
    async fn pieces(
        &self,
        task: Task,
        bytes: usize,
        until: Instant,
        errand: impl Fn(usize) -> Errand,
    ) -> Result<Bytes, Refused> {
        let mut all = BytesMut::with_capacity(bytes.min(DRAFT_MAX));
        while all.len() < bytes {
            let piece = self.run(task, errand(all.len()), Some(until)).await?;
            if piece.is_empty() {
                return Err(Refused);
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }

    async fn draft(&self, task: Task, bytes: usize, until: Instant) -> Result<Draft, Refused> {
        if DRAFT_MAX < bytes {
            return Err(Refused);
        }
        let draft = self.pieces(task, bytes, until, |offset| Errand::Draft { offset }).await?;
        serde_json::from_slice(&draft).map_err(|error| {
            tracing::error!(%error, "a job is not understood");
            Refused
        })
    }

    async fn data(&self, task: Task, data: &Data, until: Instant) -> Result<Bytes, Refused> {
        let Data { sha256, size } = data;
        if let Some(bytes) = self.kept.get(sha256) {
            return Ok(bytes);
        }
        let size = usize::try_from(*size).map_err(|_| Refused)?;
        let errand = |offset| Errand::Data { sha256: sha256.clone(), offset };
        let bytes = self.pieces(task, size, until, errand).await?;
        if sha256_hex(&bytes) != *sha256 {
            return Err(Refused);
        }
        self.kept.put(sha256, &bytes);
        Ok(bytes)
    }
}

#[async_trait]
impl Desk for Far {
    async fn take(&self, runners: Runners, ticket: CommandId) -> Option<Task> {
        self.counter.take(runners, ticket).await
    }

    async fn leave(&self, ticket: CommandId) {
        self.counter.leave(ticket).await;
    }

    async fn renew(&self, task: Task) -> bool {
        self.counter.renew(task).await
    }

    async fn begin(&self, task: Task) -> Result<Begun, Left> {
        let until = Instant::now() + BEGINNING;
        let lost = |Refused| Left::ForOthers;
        let begun = self.run(task, Errand::Begin, Some(until)).await.map_err(lost)?;
        let begun: Result<Beginning, Left> =
            serde_json::from_slice(&begun).map_err(|_| Left::ForOthers)?;
        let Beginning { attempt, kind, validators, draft_bytes } = begun?;
        let draft = self.draft(task, draft_bytes, until).await.map_err(lost)?;
        let mut found = HashMap::new();
        for data in draft.wanted() {
            // One that is missing is found missing below.
            if let Ok(bytes) = self.data(task, data, until).await {
                found.insert(data.sha256.clone(), bytes);
            }
        }
        if let Some(job) = draft.fill(&found) {
            return Ok(Begun { attempt, kind, job, validators });
        }
        if until <= Instant::now() {
            return Err(Left::ForOthers);
        }
        let (outcome, validators) = out_of_order(DATA_MISSING);
        self.judge(task, attempt, outcome, validators).await;
        Err(Left::Done)
    }

    /// The queue's node knows the validators itself.
    async fn judge(&self, task: Task, attempt: u32, outcome: Outcome, _: Vec<Shown>) {
        let errand = Errand::Judge { attempt, outcome: Box::new(outcome) };
        if self.run(task, errand, None).await.is_err() {
            tracing::error!(submission = %task.submission, "a verdict was not taken");
        }
    }

    async fn give_back(&self, task: Task, attempt: u32) {
        self.run(task, Errand::GiveBack { attempt }, None).await.ok();
    }

    async fn finish(&self, task: Task, left: Left) {
        self.counter.finish(task, left).await;
    }
}
