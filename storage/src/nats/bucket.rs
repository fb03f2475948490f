//! The bucket that leases are kept in, made by hand: `create_key_value` of the client fails against
//! server 2.9, and of its whole JetStream part this needs six requests.

use std::time::Duration;

use anyhow::{Context, anyhow};
use async_nats::{HeaderMap, Message, Request, RequestErrorKind};
use bytes::Bytes;
use domain::ports::{Clock, Unavailable};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use super::Nats;
use crate::SystemClock;

/// How long the server may take for one request.
const REQUEST_MAX: Duration = Duration::from_secs(1);

/// No lease is larger.
const LEASE_BYTES_MAX: usize = 256;

/// All leases together are smaller by far: 256 of them.
const BYTES_MAX: usize = 1024 * 1024;

/// The codes of the server's errors that mean something here.
const NO_STREAM: u32 = 10_059;
const OTHER_STREAM: u32 = 10_058;
const WRONG_LAST: u32 = 10_071;
const NO_MESSAGE: [u32; 2] = [10_043, 10_057];

/// What a bucket is like.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The database that the cluster of this name writes to.
    pub database: String,
    pub ttl: Duration,
    /// On how many servers of NATS it is kept: 1, or 3 where there are three or more.
    pub replicas: usize,
}

/// See the module.
#[derive(Clone)]
pub(super) struct Bucket {
    /// Only its client and the name of its cluster: tasks of the connection hold this.
    client: async_nats::Client,
    stream: String,
    prefix: String,
}

/// How things stand in it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Info {
    pub state: State,
    config: Config,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct State {
    pub last_seq: u64,
    /// What is there at this moment, by subject.
    #[serde(default)]
    pub subjects: Option<std::collections::HashMap<String, u64>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Config {
    #[serde(default)]
    description: String,
    subjects: Vec<String>,
}

/// What the server answers instead.
#[derive(Debug, Deserialize, thiserror::Error)]
#[error("JetStream answers {err_code}: {description}")]
pub(super) struct Refused {
    #[serde(default)]
    err_code: u32,
    #[serde(default)]
    description: String,
}

impl Refused {
    pub(super) fn is_no_stream(&self) -> bool {
        self.err_code == NO_STREAM
    }
}

/// The same name is used with another database.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "the name \"{cluster}\" is in use on this NATS by a cluster that writes to another database \
     ({theirs}, ours is {ours}): choose another name, or delete the stream {stream} when that \
     cluster is gone for good"
)]
pub struct Taken {
    cluster: String,
    stream: String,
    theirs: String,
    ours: String,
}

impl Bucket {
    pub(super) fn new(nats: &Nats) -> Self {
        let bucket = format!("{}-leases", nats.cluster());
        let (stream, prefix) = (format!("KV_{bucket}"), format!("$KV.{bucket}."));
        Self { client: nats.client().clone(), stream, prefix }
    }

    /// Where the numbers of a bucket begin, which is also its name: when it was made. A bucket that is
    /// made anew counts from 1 again, and a node that was away must not renew a lease that is
    /// another's.
    pub(super) fn began(&self, info: &Info) -> Option<u64> {
        let subject = info.config.subjects.first()?.strip_prefix(&self.prefix)?;
        subject.strip_suffix(".*")?.parse().ok()
    }

    /// The shard of a subject in it.
    pub(super) fn shard_of(&self, subject: &str) -> Option<u16> {
        subject.strip_prefix(&self.prefix)?.split_once('.')?.1.parse().ok()
    }

    /// Makes it, unless it is there. In memory: a lease is worth nothing after 6 s, and a disk that
    /// is full, slow or damaged must not stop a cluster. What a restart of the server takes is put
    /// again by who held it.
    pub(super) async fn make(&self, shape: &Shape) -> anyhow::Result<Result<Info, Taken>> {
        let ttl = u64::try_from(shape.ttl.as_nanos())?;
        let now = SystemClock.now().0;
        let config = json!({
            "name": self.stream,
            "description": describe(&shape.database),
            "subjects": [format!("{}{now}.*", self.prefix)],
            "storage": "memory", "retention": "limits", "discard": "new",
            "max_msgs_per_subject": 1, "max_age": ttl, "duplicate_window": ttl,
            "max_msg_size": LEASE_BYTES_MAX, "max_bytes": BYTES_MAX,
            "max_msgs": -1, "max_consumers": -1, "num_replicas": shape.replicas,
            "allow_rollup_hdrs": true, "allow_direct": true,
        });
        let info = match self.ask::<Info>("STREAM.CREATE", &config).await? {
            Err(refused) if refused.err_code == OTHER_STREAM => self.info().await??,
            made => made?,
        };
        if info.config.description != describe(&shape.database) {
            return Ok(Err(self.taken(&info, shape)));
        }
        Ok(Ok(info))
    }

    fn taken(&self, info: &Info, shape: &Shape) -> Taken {
        let theirs = &info.config.description;
        Taken {
            cluster: self.stream.trim_start_matches("KV_").trim_end_matches("-leases").to_owned(),
            stream: self.stream.clone(),
            theirs: theirs.strip_prefix(DATABASE).unwrap_or(theirs).to_owned(),
            ours: shape.database.clone(),
        }
    }

    /// How it stands, with what is there.
    pub(super) async fn info(&self) -> Result<Result<Info, Refused>, Unavailable> {
        self.ask("STREAM.INFO", &json!({ "subjects_filter": ">" })).await
    }

    /// Writes `value` to the bucket that began with `began`, if the last one of `shard` is of number
    /// `after` in it (0: there is none); its number.
    pub(super) async fn put(
        &self,
        began: u64,
        shard: u16,
        value: String,
        after: u64,
    ) -> Result<Written, Unavailable> {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Expected-Last-Subject-Sequence", after.to_string());
        headers.insert("Nats-Expected-Stream", self.stream.as_str());
        let put = Request::new().payload(value.into()).headers(headers);
        let answer = match self.send(format!("{}{began}.{shard}", self.prefix), put).await {
            Err(error) if is_no_responders(&error) => return Ok(Written::Gone),
            answer => answer?,
        };
        match read::<Put>(&answer)? {
            Ok(put) => Ok(Written::As(put.seq)),
            Err(refused) if refused.err_code == WRONG_LAST => Ok(Written::Changed),
            Err(refused) => Err(Unavailable(refused.into())),
        }
    }

    /// Deletes what is of number `seq`; `false` if it is not there any more.
    pub(super) async fn delete(&self, seq: u64) -> Result<bool, Unavailable> {
        let ask = json!({ "seq": seq, "no_erase": true });
        match self.ask::<serde_json::Value>("STREAM.MSG.DELETE", &ask).await? {
            Ok(_) => Ok(true),
            Err(refused) if NO_MESSAGE.contains(&refused.err_code) => Ok(false),
            Err(refused) => Err(Unavailable(refused.into())),
        }
    }

    /// Has what is there, and all that comes, sent to `inbox`; with a sign of life each `beat`.
    /// Answers how much there is.
    pub(super) async fn follow(&self, inbox: &str, beat: Duration) -> anyhow::Result<u64> {
        let ask = json!({ "stream_name": self.stream, "config": {
            "deliver_subject": inbox, "deliver_policy": "last_per_subject",
            "filter_subject": format!("{}>", self.prefix), "ack_policy": "none",
            "replay_policy": "instant", "max_deliver": 1, "mem_storage": true, "num_replicas": 1,
            "idle_heartbeat": u64::try_from(beat.as_nanos())?,
            "inactive_threshold": u64::try_from((beat * 10).as_nanos())?,
        }});
        Ok(self.ask::<Followed>("CONSUMER.CREATE", &ask).await??.num_pending)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        what: &str,
        ask: &serde_json::Value,
    ) -> Result<Result<T, Refused>, Unavailable> {
        let subject = format!("$JS.API.{what}.{}", self.stream);
        let body = Bytes::from(ask.to_string());
        read(&self.send(subject, Request::new().payload(body)).await?)
    }

    async fn send(&self, subject: String, ask: Request) -> Result<Message, Unavailable> {
        if self.client.connection_state() != async_nats::connection::State::Connected {
            return Err(anyhow!("NATS is away").into());
        }
        let sent = self.client.send_request(subject.clone(), ask.timeout(Some(REQUEST_MAX)));
        // The queue to the server may be full as well.
        let answer = tokio::time::timeout(REQUEST_MAX, sent).await.map_err(anyhow::Error::from)?;
        Ok(answer.with_context(|| format!("JetStream does not answer {subject}"))?)
    }
}

/// What became of something written.
pub(super) enum Written {
    /// It is there, under this number.
    As(u64),
    /// The last one was not the one named.
    Changed,
    /// There is no such bucket; nothing was written.
    Gone,
}

fn is_no_responders(error: &Unavailable) -> bool {
    let error = error.0.downcast_ref::<async_nats::RequestError>();
    error.is_some_and(|error| error.kind() == RequestErrorKind::NoResponders)
}

#[derive(Deserialize)]
struct Put {
    seq: u64,
}

#[derive(Deserialize)]
struct Followed {
    num_pending: u64,
}

#[derive(Deserialize)]
struct Error {
    error: Refused,
}

fn read<T: DeserializeOwned>(answer: &Message) -> Result<Result<T, Refused>, Unavailable> {
    if let Ok(Error { error }) = serde_json::from_slice(&answer.payload) {
        return Ok(Err(error));
    }
    let read = serde_json::from_slice(&answer.payload).context("not an answer of JetStream");
    Ok(Ok(read?))
}

/// How a bucket begins to say whose it is.
const DATABASE: &str = "leases of a cluster that writes to the database ";

fn describe(database: &str) -> String {
    format!("{DATABASE}{database}")
}
