//! Reaching a run on the node where it goes on: typing into it, and reading what it has printed.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    cluster::{CallError, Serve, Subject, Wire},
    frame::{RowsFrame, Why},
    ids::SubmissionId,
    ports::Unavailable,
    run::Typed,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    console::{self, Consoles},
    output::{self, Outputs},
};

/// How long a run may take to answer.
const CALL: Duration = Duration::from_secs(2);
/// How long it waits for a wire that is away.
const AGAIN: Duration = Duration::from_secs(1);

/// What is asked of a run.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Asked {
    Type(String),
    EndInput,
    Stop,
    Read,
}

/// How it takes what was typed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Took {
    Passed,
    Refused(Why),
}

/// One run that goes on here.
pub(crate) struct Run {
    pub(crate) submission: SubmissionId,
    pub(crate) consoles: Arc<Consoles>,
    pub(crate) outputs: Arc<Outputs>,
}

impl Run {
    /// Lets other nodes reach it, until that is dropped.
    pub(crate) async fn serve(self, wire: &dyn Wire) -> std::convert::Infallible {
        let (subject, run) = (Subject::Run(self.submission), Arc::new(self));
        loop {
            match wire.serve(subject, Arc::clone(&run) as Arc<dyn Serve>).await {
                Ok(_serving) => std::future::pending::<()>().await,
                Err(error) => tracing::debug!(%error, "a run cannot be reached yet"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

#[async_trait]
impl Serve for Run {
    async fn answer(&self, body: Bytes) -> Bytes {
        let typed = match serde_json::from_slice(&body) {
            Ok(Asked::Read) => return self.outputs.to_be_sent(self.submission).write().into(),
            Ok(Asked::Type(text)) => console::text(&text),
            Ok(Asked::EndInput) => Typed::End,
            Ok(Asked::Stop) => Typed::Stop,
            Err(_) => return json(&Took::Refused(console::over())),
        };
        let passed = self.consoles.pass(self.submission, typed);
        json(&passed.map_or_else(Took::Refused, |()| Took::Passed))
    }
}

/// Passes on what a person did with their run, to wherever it goes on.
pub(crate) async fn pass(
    wire: &dyn Wire,
    submission: SubmissionId,
    typed: Typed,
) -> Result<(), Why> {
    let asked = match typed {
        Typed::Text(text) => Asked::Type(String::from_utf8_lossy(&text).into_owned()),
        Typed::End => Asked::EndInput,
        Typed::Stop => Asked::Stop,
    };
    let answer = match wire.call(Subject::Run(submission), json(&asked), CALL).await {
        Ok(answer) => answer,
        Err(CallError::NobodyServes) => return Err(console::over()),
        Err(_) => return Err(away()),
    };
    match serde_json::from_slice(&answer) {
        Ok(Took::Passed) => Ok(()),
        Ok(Took::Refused(why)) => Err(why),
        Err(_) => Err(away()),
    }
}

fn away() -> Why {
    Why::new("run_unreachable", "this run cannot be reached just now")
}

/// What a run has printed so far, wherever it goes on; `None` if it goes on nowhere.
pub(crate) async fn read(
    wire: &dyn Wire,
    submission: SubmissionId,
) -> Result<Option<RowsFrame>, Unavailable> {
    match wire.call(Subject::Run(submission), json(&Asked::Read), CALL).await {
        Ok(answer) => Ok(Some(parse(submission, &answer)?)),
        Err(CallError::NobodyServes) => Ok(None),
        Err(error) => Err(Unavailable(anyhow::Error::new(error))),
    }
}

/// Reads a frame of output. Whoever wrote it may be anybody: what is not JSON is no row.
pub(crate) fn parse(submission: SubmissionId, frame: &[u8]) -> Result<RowsFrame, Unavailable> {
    #[derive(Deserialize)]
    struct Frame {
        epoch: u64,
        seq: u64,
        rows: Vec<Row>,
    }
    #[derive(Deserialize)]
    struct Row {
        key: String,
        value: Value,
    }
    let Frame { epoch, seq, rows } = serde_json::from_slice(frame).map_err(anyhow::Error::new)?;
    let row = |Row { key, value }| (key, Some(Bytes::from(value.to_string())));
    let rows = rows.into_iter().map(row).collect();
    Ok(RowsFrame { epoch, seq, rows, ..output::nothing(submission) })
}

fn json(it: &impl Serialize) -> Bytes {
    serde_json::to_vec(it).expect("this is plain data").into()
}
