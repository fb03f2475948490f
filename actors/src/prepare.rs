//! From a submission to a job: its task and the data of its validators, read from the store.

use std::time::Duration;

use domain::{
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

use crate::deps::Deps;

/// How long it waits for a store that is away.
const AGAIN: Duration = Duration::from_secs(1);

/// Prepares a job and what the candidate may know of its validators; waits for a store that is
/// away. Fails with what is missing for good.
pub(crate) async fn surely(
    deps: &Deps,
    submission: SubmissionId,
    submitted: &Submitted,
) -> Result<(Job, Vec<Shown>), &'static str> {
    loop {
        match prepare(deps, submission, submitted).await {
            Ok(prepared) => return Ok(prepared),
            Err(Unready::Missing(what)) => return Err(what),
            Err(Unready::Unavailable(error)) => {
                tracing::warn!(%submission, %error, "a run could not be prepared yet");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

async fn prepare(
    deps: &Deps,
    submission: SubmissionId,
    submitted: &Submitted,
) -> Result<(Job, Vec<Shown>), Unready> {
    let code = code(deps, submitted).await?;
    let shown =
        |validator: &Validator| Shown { name: validator.name.clone(), shown: validator.shown };
    let validators = code.validators.iter().map(shown).collect();
    let mut inputs = vec![];
    match submitted.kind {
        RunKind::Free | RunKind::Interactive => inputs.push(free_input(submitted)),
        RunKind::All | RunKind::Final | RunKind::Examples => {
            for (validator, number) in code.validators.iter().zip(0_u16..) {
                if validator.shown || submitted.kind != RunKind::Examples {
                    inputs.push(input(deps, &code, validator, number).await?);
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
    Ok((job, validators))
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

async fn input(
    deps: &Deps,
    code: &Code,
    validator: &Validator,
    number: u16,
) -> Result<Input, Unready> {
    let stdin = deps.blobs.get(&validator.input.sha256).await?;
    let expected = deps.blobs.get(&validator.expected.sha256).await?;
    let missing = Unready::Missing("the data of a validator is missing");
    let (Some(stdin), Some(expected)) = (stdin, expected) else { return Err(missing) };
    Ok(Input::of(code, validator, number, (stdin, expected)))
}

fn free_input(submitted: &Submitted) -> Input {
    let stdin = submitted.stdin.clone().unwrap_or_default().into_bytes().into();
    Input { stdin, streamed: true, ..Input::default() }
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
