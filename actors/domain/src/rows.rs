//! Rows: what a page sees. A topic is a map of keyed rows as of a `seq`.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{CampaignId, SubmissionId},
    ranking::WINDOW_MAX,
    session::Sitting,
    stream::Stream,
};

/// Names a set of rows that can be watched or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// What one stream says of itself; its `seq` is the stream's.
    Of(Stream),
    /// One row for each candidate of a campaign, written by their sessions. Not for pages.
    Candidates(CampaignId),
    /// The live monitor, joined from [`Topic::Candidates`] by one actor.
    Monitor(CampaignId),
    /// The leaderboard, likewise, without anything that is not for everybody.
    Wall(CampaignId),
    /// Of the leaderboard what stands around the candidate who watches, where their campaign shows
    /// it to them.
    Place(CampaignId),
    /// What a run prints, while it runs.
    Output(SubmissionId),
    /// All contents, one row each.
    Contents,
    /// All tests, one row each.
    Tests,
    /// All campaigns, one row each.
    Campaigns,
    /// Submissions that wait for a runner.
    Queue,
    /// Sessions that are sealed and not filed yet, with the moment from which they may be.
    Unfiled,
    /// What gateways tell each other, and boards ask of them. Never stored, and for no page.
    Gateways,
}

/// Which rows of a wall somebody looks at: those from place `from` on, counted from 0, `count` and
/// [`WINDOW_MAX`] at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(deny_unknown_fields)]
pub struct Window {
    pub from: u32,
    pub count: u32,
}

impl Default for Window {
    /// What is sent to whoever does not say.
    fn default() -> Self {
        let count = u32::try_from(WINDOW_MAX).expect("it is small");
        Self { from: 0, count }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(stream) => stream.fmt(f),
            Self::Candidates(id) => write!(f, "candidates.{id}"),
            Self::Monitor(id) => write!(f, "monitor.{id}"),
            Self::Wall(id) => write!(f, "wall.{id}"),
            Self::Place(id) => write!(f, "place.{id}"),
            Self::Output(id) => write!(f, "output.{id}"),
            Self::Contents => f.write_str("contents"),
            Self::Tests => f.write_str("tests"),
            Self::Campaigns => f.write_str("campaigns"),
            Self::Queue => f.write_str("queue"),
            Self::Unfiled => f.write_str("unfiled"),
            Self::Gateways => f.write_str("gateways"),
        }
    }
}

impl std::str::FromStr for Topic {
    type Err = crate::stream::NoStream;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = |of: &str| of.parse().map_err(|_| crate::stream::NoStream);
        match text.split_once('.') {
            Some(("monitor", of)) => id(of).map(Self::Monitor),
            Some(("wall", of)) => id(of).map(Self::Wall),
            Some(("place", of)) => id(of).map(Self::Place),
            Some(("candidates", of)) => id(of).map(Self::Candidates),
            Some(("output", of)) => {
                of.parse().map(Self::Output).map_err(|_| crate::stream::NoStream)
            }
            Some(_) => text.parse().map(Self::Of),
            None => match text {
                "contents" => Ok(Self::Contents),
                "tests" => Ok(Self::Tests),
                "campaigns" => Ok(Self::Campaigns),
                "queue" => Ok(Self::Queue),
                "unfiled" => Ok(Self::Unfiled),
                "gateways" => Ok(Self::Gateways),
                _ => Err(crate::stream::NoStream),
            },
        }
    }
}

/// A change of one row, written in the transaction of the events that it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct RowChange {
    pub topic: Topic,
    pub key: String,
    /// The whole new row as JSON, encoded once for the store and every socket; `None` when it is
    /// gone (kept as a tombstone).
    pub value: Option<Bytes>,
    /// What a wall needs of a candidate's row, for who is in the same process and need not read it
    /// again; it is never stored.
    pub sitting: Option<Arc<Sitting>>,
}

impl RowChange {
    /// The row `key` of `topic` is now `value`.
    pub fn put(topic: Topic, key: impl Into<String>, value: &impl Serialize) -> Self {
        let value = serde_json::to_vec(value).expect("rows are plain data");
        Self { topic, key: key.into(), value: Some(value.into()), sitting: None }
    }

    /// The row `key` of `topic` is gone.
    pub fn remove(topic: Topic, key: impl Into<String>) -> Self {
        Self { topic, key: key.into(), value: None, sitting: None }
    }
}
