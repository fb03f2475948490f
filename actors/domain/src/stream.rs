//! How an event is kept: which stream, which place, when, and because of which command.

use std::{fmt, str::FromStr};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    at::At,
    ids::{CampaignId, CommandId, ContentId, PersonId, SessionId, SubmissionId, TestId},
};

/// How many shards there are, for ever.
pub const SHARDS: u16 = 256;

/// Names a stream of events. Printed, it is the key in the store and part of subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    Campaign(CampaignId),
    Session(SessionId),
    Submission(SubmissionId),
    Content(ContentId),
    Test(TestId),
}

impl Stream {
    /// The shard that it lives in: eight bits of FNV-1a (Fowler, Noll, Vo) over the id. The last byte is
    /// multiplied into bits 0 to 47 only, so they are taken from there, and neighbours spread.
    pub fn shard(self) -> u16 {
        let seed = 0xcbf2_9ce4_8422_2325_u64;
        let hash = self
            .uuid()
            .as_bytes()
            .iter()
            .fold(seed, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        u16::try_from((hash >> 40) % u64::from(SHARDS)).expect("less than SHARDS")
    }

    fn uuid(self) -> Uuid {
        match self {
            Self::Campaign(id) => id.uuid(),
            Self::Session(id) => id.uuid(),
            Self::Submission(id) => id.uuid(),
            Self::Content(id) => id.uuid(),
            Self::Test(id) => id.uuid(),
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Campaign(id) => write!(f, "campaign.{id}"),
            Self::Session(id) => write!(f, "session.{id}"),
            Self::Submission(id) => write!(f, "submission.{id}"),
            Self::Content(id) => write!(f, "content.{id}"),
            Self::Test(id) => write!(f, "test.{id}"),
        }
    }
}

/// A text that names no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a stream")]
pub struct NoStream;

impl FromStr for Stream {
    type Err = NoStream;

    fn from_str(text: &str) -> Result<Self, NoStream> {
        let (kind, id) = text.split_once('.').ok_or(NoStream)?;
        match kind {
            "campaign" => id.parse().map(Self::Campaign),
            "session" => id.parse().map(Self::Session),
            "submission" => id.parse().map(Self::Submission),
            "content" => id.parse().map(Self::Content),
            "test" => id.parse().map(Self::Test),
            _ => return Err(NoStream),
        }
        .map_err(|_| NoStream)
    }
}

/// The authenticated sender of a command, so that no sender can use up another's ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A person with an account.
    Person(PersonId),
    /// A candidate, by the session that their link opens.
    Candidate(SessionId),
    /// Another stream.
    Stream(Stream),
    /// The node itself: its clock, its outages.
    Node,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => write!(f, "person.{id}"),
            Self::Candidate(id) => write!(f, "candidate.{id}"),
            Self::Stream(stream) => stream.fmt(f),
            Self::Node => f.write_str("node"),
        }
    }
}

impl FromStr for Origin {
    type Err = NoStream;

    fn from_str(text: &str) -> Result<Self, NoStream> {
        match text.split_once('.') {
            Some(("person", id)) => id.parse().map(Self::Person).map_err(|_| NoStream),
            Some(("candidate", id)) => id.parse().map(Self::Candidate).map_err(|_| NoStream),
            Some(_) => text.parse().map(Self::Stream),
            None if text == "node" => Ok(Self::Node),
            None => Err(NoStream),
        }
    }
}

/// A stored event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its place in the stream, from 1, without gaps.
    pub seq: u64,
    /// When it was decided; never less than that of the event before.
    pub at: At,
    /// Who asked for it, printed.
    pub origin: String,
    /// The command that caused it.
    pub command_id: CommandId,
    /// Its place among the events of that command, from 0.
    pub n: u16,
    /// The event's name, for people who read the log.
    pub kind: String,
    /// The event, as JSON.
    pub body: Bytes,
}

/// Where a stream stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The last event's; 0 for an empty stream.
    pub seq: u64,
    /// The next deadline.
    pub wake_at: Option<At>,
    /// The oldest event not yet told to others.
    pub untold: Option<u64>,
    /// The last event that changed a row of the stream's own topic.
    pub rows_seq: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_live_in_different_shards() {
        let shards: std::collections::BTreeSet<u16> =
            (0..256).map(|n| Stream::Session(SessionId::from_u128(n)).shard()).collect();
        assert!(shards.len() > 128);
    }

    #[test]
    fn an_origin_is_read_as_it_is_printed() {
        let stream = Stream::Session(SessionId::from_u128(3));
        let all = [
            Origin::Person(PersonId::from_u128(1)),
            Origin::Candidate(SessionId::from_u128(2)),
            Origin::Stream(stream),
            Origin::Node,
        ];
        for origin in all {
            assert_eq!(origin.to_string().parse(), Ok(origin));
        }
        assert_eq!("nobody".parse::<Origin>(), Err(NoStream));
    }

    #[test]
    fn a_stream_is_read_as_it_is_printed() {
        let stream = Stream::Campaign(CampaignId::from_u128(7));
        assert_eq!(stream.to_string().parse(), Ok(stream));
        assert_eq!("campaign.x".parse::<Stream>(), Err(NoStream));
        assert_eq!("x".parse::<Stream>(), Err(NoStream));
    }
}
