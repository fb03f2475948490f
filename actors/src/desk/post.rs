//! The desk for runners without a store: the queue's node does on their behalf what needs one. What
//! they send is believed as far as they have a lease, and no further.

use std::{collections::HashSet, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use domain::{
    ports::Unavailable,
    rows::Topic,
    run::{Job, Outcome},
    session::RunKind,
    submission::{QueueRow, Shown},
};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::{Desk, Near, Opened, kept::Kept};
use crate::{
    fit,
    prepare::{self, Draft},
    queue::{Left, Task, leases::is_genuine},
};

/// How many bytes go over at once.
pub(super) const CHUNK: usize = 480 * 1024;
/// How long one errand may take here; then its runner asks again.
const PATIENCE: Duration = Duration::from_secs(6);
/// How many bytes of validators' data are kept for those who ask for the next piece.
const KEPT_MAX: usize = 64 << 20;

/// What a runner without a store asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Errand {
    Begin,
    /// A piece of the job's draft.
    Draft {
        offset: usize,
    },
    /// A piece of a validator's data.
    Data {
        sha256: String,
        offset: usize,
    },
    Judge {
        attempt: u32,
        outcome: Box<Outcome>,
    },
    GiveBack {
        attempt: u32,
    },
}

/// How an errand is answered: the first byte, before what was asked for.
pub(super) const DONE: u8 = b'+';
pub(super) const AGAIN: u8 = b'?';
pub(super) const NEVER: u8 = b'-';

/// What a runner is told that begins; the draft comes in pieces.
#[derive(Serialize, Deserialize)]
pub(super) struct Beginning {
    pub(super) attempt: u32,
    pub(super) kind: RunKind,
    pub(super) validators: Vec<Shown>,
    pub(super) draft_bytes: usize,
}

/// Why an errand is not done.
enum Undone {
    Again,
    Never,
}

impl From<Unavailable> for Undone {
    fn from(_: Unavailable) -> Self {
        Self::Again
    }
}

/// See the module.
pub(crate) struct Post {
    near: Near,
    kept: Kept,
}

impl Post {
    pub(crate) fn new(near: Near) -> Self {
        Self { near, kept: Kept::new(KEPT_MAX) }
    }

    pub(crate) async fn run(&self, task: Task, errand: Errand) -> Bytes {
        let done = timeout(PATIENCE, self.errand(task, errand)).await.unwrap_or(Err(Undone::Again));
        let (first, rest) = match done {
            Ok(rest) => (DONE, rest),
            Err(Undone::Again) => (AGAIN, Bytes::new()),
            Err(Undone::Never) => (NEVER, Bytes::new()),
        };
        let mut answer = BytesMut::with_capacity(1 + rest.len());
        answer.put_u8(first);
        answer.put(rest);
        answer.freeze()
    }

    async fn errand(&self, task: Task, errand: Errand) -> Result<Bytes, Undone> {
        let deps = self.near.directory.deps();
        let row = deps.store.row(Topic::Queue, &task.submission.to_string()).await?;
        let row = row.and_then(|row| row.value);
        let row: Option<QueueRow> = row.and_then(|row| serde_json::from_slice(&row).ok());
        let Some(row) = row else {
            // Judged by somebody else, or erased.
            return match errand {
                Errand::Begin => Ok(json(&Err::<Beginning, _>(Left::Done))),
                Errand::Judge { .. } | Errand::GiveBack { .. } => Ok(Bytes::new()),
                Errand::Draft { .. } | Errand::Data { .. } => Err(Undone::Never),
            };
        };
        if !is_genuine(task.lease, task.submission, row.submitted.session) {
            tracing::warn!(submission = %task.submission, "a runner speaks of what it does not have");
            return Err(Undone::Never);
        }
        match errand {
            Errand::Begin => Ok(json(&self.begin(task, &row).await)),
            Errand::Draft { offset } => {
                let (draft, _) = self.draft(task, &row).await?;
                piece(&json(&draft), offset)
            }
            Errand::Data { sha256, offset } => {
                let (draft, _) = self.draft(task, &row).await?;
                let is_of_it = draft.wanted().iter().any(|data| data.sha256 == sha256);
                if !is_of_it {
                    return Err(Undone::Never);
                }
                piece(&self.data(&sha256).await?, offset)
            }
            Errand::Judge { attempt, outcome } => {
                let (draft, validators) = self.draft(task, &row).await?;
                let outcome = bounded(*outcome, draft.job());
                self.near.judge(task, attempt, outcome, validators).await;
                Ok(Bytes::new())
            }
            Errand::GiveBack { attempt } => {
                self.near.give_back(task, attempt).await;
                Ok(Bytes::new())
            }
        }
    }

    async fn begin(&self, task: Task, row: &QueueRow) -> Result<Beginning, Left> {
        let Opened { attempt, kind, draft, validators } = self.near.open(task, row).await?;
        Ok(Beginning { attempt, kind, validators, draft_bytes: json(&draft).len() })
    }

    async fn draft(&self, task: Task, row: &QueueRow) -> Result<(Draft, Vec<Shown>), Undone> {
        let deps = self.near.directory.deps();
        let draft = prepare::surely(deps, task.submission, &row.submitted).await;
        draft.map_err(|_| Undone::Never)
    }

    async fn data(&self, sha256: &str) -> Result<Bytes, Undone> {
        if let Some(bytes) = self.kept.get(sha256) {
            return Ok(bytes);
        }
        let bytes = self.near.directory.deps().blobs.get(sha256).await?.ok_or(Undone::Never)?;
        if CHUNK < bytes.len() {
            self.kept.put(sha256, &bytes);
        }
        Ok(bytes)
    }
}

fn piece(all: &Bytes, offset: usize) -> Result<Bytes, Undone> {
    if all.len() < offset {
        return Err(Undone::Never);
    }
    Ok(all.slice(offset..all.len().min(offset + CHUNK)))
}

/// An outcome as it may be of `job`: one result at most for each input, and texts of the length that
/// a runner of ours keeps.
fn bounded(mut outcome: Outcome, job: &Job) -> Outcome {
    let mut inputs: HashSet<u16> = job.inputs.iter().map(|input| input.validator).collect();
    outcome.results.retain(|result| inputs.remove(&result.validator));
    fit::cut(&mut outcome, fit::TEXT_MAX);
    fit::fit(outcome)
}

fn json(it: &impl Serialize) -> Bytes {
    serde_json::to_vec(it).expect("this is plain data").into()
}
