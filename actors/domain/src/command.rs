//! Any command to any stream, and how it is answered.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    aggregate::Refuses, campaign, content::Content, document, frame::Why, plan::Test, session,
    stream::Stream, submission,
};

/// A command, with the kind of stream that it is for.
#[derive(Clone, Debug)]
pub enum AnyCommand {
    Campaign(campaign::Command),
    Session(Box<session::Command>),
    Submission(submission::Command),
    Content(Box<document::Command<Content>>),
    Test(Box<document::Command<Test>>),
}

impl AnyCommand {
    /// Reads a command for `stream` from JSON. Fails when it is none.
    pub fn parse(stream: Stream, command: Value) -> Result<Self, serde_json::Error> {
        Ok(match stream {
            Stream::Campaign(_) => Self::Campaign(serde_json::from_value(command)?),
            Stream::Session(_) => Self::Session(serde_json::from_value(command)?),
            Stream::Submission(_) => Self::Submission(serde_json::from_value(command)?),
            Stream::Content(_) => Self::Content(serde_json::from_value(command)?),
            Stream::Test(_) => Self::Test(serde_json::from_value(command)?),
        })
    }

    /// The command as [`Self::parse`] reads it.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Campaign(it) => serde_json::to_value(it),
            Self::Session(it) => serde_json::to_value(it),
            Self::Submission(it) => serde_json::to_value(it),
            Self::Content(it) => serde_json::to_value(it),
            Self::Test(it) => serde_json::to_value(it),
        }
        .expect("commands are plain data")
    }
}

/// How a command is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is durable, as of event `seq`.
    Done {
        epoch: u64,
        seq: u64,
        answer: Option<Value>,
    },
    Refused(Why),
}

impl Answer {
    /// The refusal that `refusal` is to the person who asked.
    pub fn refused(refusal: &impl Refuses) -> Self {
        Self::Refused(Why::new(refusal.code(), &refusal.to_string()))
    }
}
