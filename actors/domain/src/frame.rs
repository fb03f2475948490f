//! The live protocol: what goes over a socket, as JSON text frames. `docs/live-protocol.md` is its
//! description for people who write a client.

use std::fmt::Write;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{CommandId, SubmissionId},
    rows::{Topic, Window},
};

/// The version of the protocol, which a client names when it opens a socket.
pub const VERSION: u32 = 1;

/// How many bytes a frame from a client has at most.
pub const FRAME_BYTES_MAX: usize = 512 * 1024;

/// A frame from the client.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientFrame {
    /// Sends the rows of `topic`, and each change from now on. With the `epoch` and `after_seq` of
    /// the last frame, only what changed since.
    Watch {
        topic: String,
        #[serde(default)]
        #[cfg_attr(test, ts(type = "number", optional))]
        epoch: u64,
        #[serde(default)]
        #[cfg_attr(test, ts(type = "number", optional))]
        after_seq: u64,
        /// Which rows of a wall; without it the first ones.
        #[serde(default)]
        #[cfg_attr(test, ts(optional))]
        window: Option<Window>,
    },
    Unwatch {
        topic: String,
    },
    /// Asks for something, under an id of the client's choice: sent five times, it happens once.
    Do {
        #[cfg_attr(test, ts(type = "string"))]
        command_id: CommandId,
        /// Printed name of a stream, such as `session.<id>`.
        to: String,
        #[cfg_attr(test, ts(type = "unknown"))]
        command: serde_json::Value,
        /// It was never sent before.
        #[serde(default)]
        #[cfg_attr(test, ts(optional, as = "Option<bool>"))]
        first: bool,
    },
    /// Types `text` into one's own run, of kind `interactive`, while it goes on.
    Type {
        #[cfg_attr(test, ts(type = "string"))]
        submission: SubmissionId,
        text: String,
    },
    /// Nothing more is typed into it.
    EndInput {
        #[cfg_attr(test, ts(type = "string"))]
        submission: SubmissionId,
    },
    /// Stops one's own run that does not count, whether it waits or goes on.
    Stop {
        #[cfg_attr(test, ts(type = "string"))]
        submission: SubmissionId,
    },
    Ping {
        /// The client's own clock; sent back as it is.
        sent_ms: f64,
        /// The round trip that the client measured last, to be shown to the creator.
        #[serde(default)]
        #[cfg_attr(test, ts(optional))]
        rtt_ms: Option<f64>,
    },
}

/// A frame to the client, but for `rows`, which is written by [`write_rows`].
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// It is durable, as of event `seq` of its stream.
    Done {
        #[cfg_attr(test, ts(type = "string"))]
        command_id: CommandId,
        #[cfg_attr(test, ts(type = "number"))]
        epoch: u64,
        #[cfg_attr(test, ts(type = "number"))]
        seq: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(type = "unknown", optional))]
        answer: Option<serde_json::Value>,
    },
    Refused {
        #[cfg_attr(test, ts(type = "string"))]
        command_id: CommandId,
        why: Why,
    },
    /// `heads` names the last `[epoch, seq]` of each watched topic: a lost last frame leaves no gap
    /// otherwise.
    Pong {
        sent_ms: f64,
        server_ms: f64,
        #[cfg_attr(test, ts(type = "Record<string, [number, number]>"))]
        heads: std::collections::BTreeMap<String, (u64, u64)>,
    },
    /// What was typed into a run, or its stop, did not reach it.
    Untyped {
        #[cfg_attr(test, ts(type = "string"))]
        submission: SubmissionId,
        why: Why,
    },
    /// This topic cannot be watched, now or ever.
    Unwatched { topic: String, why: Why },
    /// The socket is about to be closed.
    Bye {
        code: u16,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(type = "number", optional))]
        retry_after_ms: Option<u64>,
    },
}

/// Why something was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Why {
    /// A stable word.
    pub code: String,
    /// In plain words, in English.
    pub text: String,
    /// Ask again, with the same id, after so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(type = "number", optional))]
    pub retry_after_ms: Option<u64>,
}

impl Why {
    /// A refusal for good.
    pub fn new(code: &str, text: &str) -> Self {
        Self { code: code.to_owned(), text: text.to_owned(), retry_after_ms: None }
    }

    /// A refusal for now.
    pub fn later(code: &str, text: &str, retry_after_ms: u64) -> Self {
        Self { retry_after_ms: Some(retry_after_ms), ..Self::new(code, text) }
    }

    /// A refusal until somebody makes room.
    pub fn disk_full() -> Self {
        let text = "this could not be saved: the server's disk is full; it is tried again";
        Self::later("disk_full", text, 2_000)
    }
}

/// Close codes: from 4000 the client comes back with jitter, from 4500 it does not.
pub mod close {
    /// The server stops; come back after what `bye` says.
    pub const GOING_AWAY: u16 = 4000;
    /// The socket took in too slowly; resume.
    pub const TOO_SLOW: u16 = 4001;
    /// Nothing was heard for too long.
    pub const SILENT: u16 = 4002;
    /// Too many frames, or bytes, in too little time.
    pub const TOO_FAST: u16 = 4003;
    /// Too many sockets of one person, or from one address; come back much later.
    pub const TOO_MANY: u16 = 4004;
    /// Not a frame of this protocol.
    pub const BAD_FRAME: u16 = 4500;
    /// Signed out, or the link was revoked.
    pub const NOT_ALLOWED: u16 = 4501;
    /// Another version of the protocol than the server's: load the page again.
    pub const OTHER_VERSION: u16 = 4502;
}

/// The rows of one change of a topic, as they go to everybody who watches it.
#[derive(Clone, Debug)]
pub struct RowsFrame {
    pub topic: Topic,
    pub epoch: u64,
    pub seq: u64,
    /// The seq of the frame before, in topics of a stream.
    pub prev: Option<u64>,
    /// What the page has is to be forgotten first.
    pub reset: bool,
    /// Another page of the same reset follows.
    pub more: bool,
    /// Keys with values as JSON; `None` for what is gone.
    pub rows: Vec<(String, Option<Bytes>)>,
}

impl RowsFrame {
    /// The frame as JSON text, each row's bytes as they are.
    pub fn write(&self) -> String {
        let bytes: usize = self
            .rows
            .iter()
            .map(|(key, value)| key.len() + 24 + value.as_ref().map_or(4, Bytes::len))
            .sum();
        let mut text = String::with_capacity(bytes + 160);
        let (topic, epoch, seq) = (&self.topic, self.epoch, self.seq);
        write!(text, r#"{{"type":"rows","topic":"{topic}","epoch":{epoch},"seq":{seq}"#)
            .expect("a String takes everything");
        if let Some(prev) = self.prev {
            write!(text, r#","prev":{prev}"#).expect("a String takes everything");
        }
        text.push_str(if self.reset { r#","reset":true"# } else { "" });
        text.push_str(if self.more { r#","more":true"# } else { "" });
        text.push_str(r#","rows":["#);
        for (n, (key, value)) in self.rows.iter().enumerate() {
            text.push_str(if n == 0 { r#"{"key":"# } else { r#",{"key":"# });
            text.push_str(&serde_json::to_string(key).expect("text is text"));
            text.push_str(r#","value":"#);
            match value.as_ref().map(|value| std::str::from_utf8(value)) {
                Some(Ok(value)) => text.push_str(value),
                Some(Err(_)) | None => text.push_str("null"),
            }
            text.push('}');
        }
        text.push_str("]}");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rows_frame_is_the_json_it_says() {
        let frame = RowsFrame {
            topic: Topic::Contents,
            epoch: 2,
            seq: 9,
            prev: Some(7),
            reset: true,
            more: false,
            rows: vec![
                ("a\"b".to_owned(), Some(Bytes::from_static(b"{\"x\":1}"))),
                ("c".to_owned(), None),
            ],
        };
        let read: serde_json::Value = serde_json::from_str(&frame.write()).unwrap();
        let expected = serde_json::json!({
            "type": "rows", "topic": "contents", "epoch": 2, "seq": 9, "prev": 7, "reset": true,
            "rows": [{"key": "a\"b", "value": {"x": 1}}, {"key": "c", "value": null}],
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn a_frame_with_an_unknown_field_is_refused() {
        let parsed = serde_json::from_str::<ClientFrame>(r#"{"type":"ping","sent_ms":1,"x":2}"#);
        assert!(parsed.is_err());
    }
}
