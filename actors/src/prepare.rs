//! From a submission to a job: its task and the data of its validators, read from the store.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use bytes::Bytes;
use domain::{
    blob::Blob,
    content::{Code, Component, Content, Validator},
    document::VersionRow,
    ids::SubmissionId,
    judging::Judging,
    ports::Unavailable,
    rows::Topic,
    run::{Input, Job},
    session::RunKind,
    stream::Stream,
    submission::{Shown, Submitted},
};

use serde::{Deserialize, Serialize};

use crate::deps::Deps;

/// How long it waits for a store that is away.
const AGAIN: Duration = Duration::from_secs(1);

/// A job without the data of its validators, which are large and named by what they are.
#[derive(Serialize, Deserialize)]
pub(crate) struct Draft {
    job: Job,
    /// What a free run reads.
    stdin: Option<String>,
    /// The input of each validator, and what is expected.
    data: Vec<(Data, Data)>,
}

/// Names bytes of the blob store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Data {
    pub(crate) sha256: String,
    pub(crate) size: u64,
}

impl Data {
    fn of(blob: &Blob) -> Self {
        Self { sha256: blob.sha256.clone(), size: blob.size }
    }
}

impl Draft {
    pub(crate) fn job(&self) -> &Job {
        &self.job
    }

    /// All data that it needs, each once.
    pub(crate) fn wanted(&self) -> HashSet<&Data> {
        self.data.iter().flat_map(|(input, expected)| [input, expected]).collect()
    }

    /// The job with its data, by their SHA-256; `None` if one is missing.
    pub(crate) fn fill(self, data: &HashMap<String, Bytes>) -> Option<Job> {
        let mut job = self.job;
        for (input, (stdin, expected)) in job.inputs.iter_mut().zip(&self.data) {
            input.stdin = data.get(&stdin.sha256)?.clone();
            input.expected = Some(data.get(&expected.sha256)?.clone());
        }
        if let (Some(stdin), Some(input)) = (self.stdin, job.inputs.first_mut()) {
            input.stdin = stdin.into();
        }
        Some(job)
    }
}

/// Drafts a job, and what the candidate may know of its validators; waits for a store that is away.
/// Fails with what is missing for good.
pub(crate) async fn surely(
    deps: &Deps,
    submission: SubmissionId,
    submitted: &Submitted,
) -> Result<(Draft, Vec<Shown>), &'static str> {
    loop {
        match draft(deps, submission, submitted).await {
            Ok(drafted) => return Ok(drafted),
            Err(Unready::Missing(what)) => return Err(what),
            Err(Unready::Unavailable(error)) => {
                tracing::warn!(%submission, %error, "a run could not be prepared yet");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// The data that `draft` needs; waits for a store that is away. Some may be missing.
pub(crate) async fn data(deps: &Deps, draft: &Draft) -> HashMap<String, Bytes> {
    let mut found = HashMap::new();
    for Data { sha256, .. } in draft.wanted() {
        let bytes = loop {
            match deps.blobs.get(sha256).await {
                Ok(bytes) => break bytes,
                Err(error) => {
                    tracing::warn!(%error, "the data of a validator cannot be read yet");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        };
        found.extend(bytes.map(|bytes| (sha256.clone(), bytes)));
    }
    found
}

async fn draft(
    deps: &Deps,
    submission: SubmissionId,
    submitted: &Submitted,
) -> Result<(Draft, Vec<Shown>), Unready> {
    let code = code(deps, submitted).await?;
    let shown =
        |validator: &Validator| Shown { name: validator.name.clone(), shown: validator.shown };
    let validators = code.validators.iter().map(shown).collect();
    let (mut inputs, mut data, mut free) = (vec![], vec![], None);
    match submitted.kind {
        RunKind::Free | RunKind::Interactive => {
            free = Some(submitted.stdin.clone().unwrap_or_default());
            inputs.push(Input { streamed: true, ..Input::default() });
        }
        RunKind::All | RunKind::Final | RunKind::Examples => {
            for (validator, number) in code.validators.iter().zip(0_u16..) {
                if validator.shown || submitted.kind != RunKind::Examples {
                    inputs.push(Input::of(&code, validator, number, Default::default()));
                    data.push((Data::of(&validator.input), Data::of(&validator.expected)));
                }
            }
        }
    }
    let judging = match (submitted.kind, code.judging) {
        // On an input of one's own nothing is known that could be judged.
        (RunKind::Free | RunKind::Interactive, Judging::Custom(_) | Judging::Interactive(_)) => {
            Judging::Compare
        }
        (_, judging) => judging,
    };
    let (language, files) = (submitted.language, submitted.files.clone());
    let job = Job { submission, language, files, limits: code.limits, inputs, judging };
    Ok((Draft { job, stdin: free, data }, validators))
}

async fn code(deps: &Deps, submitted: &Submitted) -> Result<Box<Code>, Unready> {
    let topic = Topic::Of(Stream::Content(submitted.content));
    let row = deps.store.row(topic, &format!("v{}", submitted.version)).await?;
    let value = row.and_then(|row| row.value).ok_or(Unready::Missing("there is no such task"))?;
    let row: VersionRow<Content> =
        serde_json::from_slice(&value).map_err(|_| Unready::Missing("this task cannot be read"))?;
    match row.document.component {
        Component::Code(code) => Ok(code),
        Component::Quiz(_) => Err(Unready::Missing("a quiz is not run")),
    }
}

/// Why a run cannot begin.
enum Unready {
    Unavailable(Unavailable),
    /// For good, in words for the candidate.
    Missing(&'static str),
}

impl From<Unavailable> for Unready {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}
