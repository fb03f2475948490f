//! Whatever comes in: bytes of nobody, frames of somebody with something wrong in them. Nothing
//! panics, nothing grows without a limit, and what is understood is what was said.

mod hear;

use domain::frame::FRAME_BYTES_MAX;
use proptest::{prelude::*, test_runner::Config};
use serde_json::{Value, json};
use tungstenite::{Error, Message};

use self::hear::{read, understand};
use super::reading;

/// A frame as a client writes it (RFC 6455, section 5.2), with everything that can be wrong.
#[derive(Clone, Debug)]
struct Frame {
    first: u8,
    is_masked: bool,
    /// Instead of the true one.
    length: Option<u64>,
    payload: Vec<u8>,
}

impl Frame {
    fn write(&self) -> Vec<u8> {
        let (length, mask) = (self.length.unwrap_or(self.payload.len() as u64), [1, 2, 3, 4]);
        let bit = if self.is_masked { 0x80 } else { 0 };
        let mut bytes = vec![self.first];
        match length {
            0..=125 => bytes.push(bit + u8::try_from(length).unwrap()),
            126..=65_535 => {
                bytes.push(bit + 126);
                bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                bytes.push(bit + 127);
                bytes.extend(length.to_be_bytes());
            }
        }
        if !self.is_masked {
            return [bytes, self.payload.clone()].concat();
        }
        bytes.extend(mask);
        bytes.extend(self.payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    fn text(first: u8, text: &str) -> Vec<u8> {
        let payload = text.as_bytes().to_vec();
        Self { first, is_masked: true, length: None, payload }.write()
    }
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let first =
        prop_oneof![Just(0x81), Just(0x01), Just(0x00), Just(0x80), Just(0x89), any::<u8>()];
    let length = prop_oneof![5 => Just(None), 1 => any::<u64>().prop_map(Some)];
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        any_json().prop_map(|json| json.to_string().into_bytes()),
    ];
    (first, prop::bool::weighted(0.9), length, payload)
        .prop_map(|(first, is_masked, length, payload)| Frame { first, is_masked, length, payload })
}

/// Values such as they may stand in frames, and such as may not.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "(session|wall|place|monitor|output|x)\\.[0-9a-f-]{0,36}".prop_map(Value::from),
        Just(json!("00000000-0000-4000-8000-000000000001")),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(any_key(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Keys that mean something somewhere.
const KEYS: &[&str] = &[
    "type",
    "topic",
    "epoch",
    "after_seq",
    "window",
    "from",
    "count",
    "command_id",
    "to",
    "command",
    "first",
    "submission",
    "text",
    "sent_ms",
    "rtt_ms",
    "seat",
    "file",
    "changes",
];

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![4 => prop::sample::select(KEYS).prop_map(str::to_owned), 1 => "[a-z]{1,8}"]
}

/// A frame of each kind, as a client sends it.
fn valid() -> Vec<Value> {
    let id = "00000000-0000-4000-8000-000000000001";
    let file = json!({ "question": 0, "language": "python", "name": "main.py" });
    let edit = json!({
        "type": "edit", "seat": id, "file": file, "base_rev": 3, "changes": [4, [0, "x"]],
        "caret": 5,
    });
    let session = format!("session.{id}");
    vec![
        json!({ "type": "watch", "topic": session, "epoch": 1, "after_seq": 7 }),
        json!({ "type": "watch", "topic": format!("wall.{id}"), "window": { "from": 200, "count": 50 } }),
        json!({ "type": "unwatch", "topic": session }),
        json!({ "type": "do", "command_id": id, "to": session, "command": edit, "first": true }),
        json!({ "type": "type", "submission": id, "text": "1\n" }),
        json!({ "type": "end_input", "submission": id }),
        json!({ "type": "stop", "submission": id }),
        json!({ "type": "ping", "sent_ms": 1.5, "rtt_ms": 20 }),
    ]
}

/// A valid frame with one of its values another one, or gone, or with one more.
fn mutated() -> impl Strategy<Value = Value> {
    let change = (any::<prop::sample::Index>(), any_key(), any_json(), 0..3_u8);
    (prop::sample::select(valid()), change).prop_map(|(mut frame, (at, key, value, how))| {
        let fields = frame.as_object_mut().unwrap();
        let known = fields.keys().nth(at.index(fields.len())).unwrap().clone();
        match how {
            0 => drop(fields.remove(&known)),
            1 => drop(fields.insert(known, value)),
            _ => drop(fields.insert(key, value)),
        }
        frame
    })
}

proptest! {
    #![proptest_config(Config::with_cases(4_000))]

    #[test]
    fn bytes_of_nobody_end_the_socket_and_nothing_else(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        piece in 1_usize..64,
    ) {
        let (messages, _) = read(bytes, piece);
        for message in messages {
            prop_assert!(message.len() <= FRAME_BYTES_MAX);
        }
    }

    #[test]
    fn frames_with_anything_wrong_are_read_whole_or_not_at_all(
        frames in prop::collection::vec(any_frame(), 1..6),
        piece in 1_usize..64,
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::write).collect();
        let (messages, _) = read(bytes.clone(), piece);
        prop_assert_eq!(&messages, &read(bytes, usize::MAX).0, "pieces do not matter");
        for message in messages {
            prop_assert!(message.len() <= FRAME_BYTES_MAX);
            if let Message::Text(text) = message {
                understand(&text);
            }
        }
    }

    #[test]
    fn whatever_is_said_is_understood_or_refused(
        json in prop_oneof![any_json(), mutated()],
        cut in any::<prop::sample::Index>(),
    ) {
        let text = json.to_string();
        understand(&text);
        let mut end = cut.index(text.len() + 1);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        if end < text.len() {
            prop_assert!(understand(&text[..end]).is_none() || json.is_number());
        }
    }

    #[test]
    fn a_message_in_pieces_is_the_message(
        text in ".{1,300}",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        piece in 1_usize..64,
    ) {
        let bytes = text.as_bytes();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let mut all = vec![];
        for (n, pair) in cuts.windows(2).enumerate() {
            let is_last = n + 2 == cuts.len();
            let first = u8::from(n == 0) | if is_last { 0x80 } else { 0 };
            let payload = bytes[pair[0]..pair[1]].to_vec();
            all.extend(Frame { first, is_masked: true, length: None, payload }.write());
            // Between pieces there may be a ping.
            all.extend(Frame::text(0x89, "?"));
        }
        let (messages, _) = read(all, piece);
        let texts: Vec<_> = messages.into_iter().filter(Message::is_text).collect();
        prop_assert_eq!(texts, [Message::Text(text.into())]);
    }
}

#[test]
fn each_valid_frame_is_understood() {
    for frame in valid() {
        assert!(understand(&frame.to_string()).is_some(), "{frame}");
    }
}

#[test]
fn each_malformed_frame_ends_the_socket() {
    let whole = |first, is_masked, length, payload: &[u8]| {
        Frame { first, is_masked, length, payload: payload.to_vec() }.write()
    };
    let long = vec![b'x'; FRAME_BYTES_MAX + 1];
    let halves = [Frame::text(0x01, &"x".repeat(FRAME_BYTES_MAX)), Frame::text(0x80, "x")].concat();
    let cases: [(&str, Vec<u8>); 9] = [
        ("no mask", whole(0x81, false, None, b"{}")),
        ("a reserved bit, as compression has it", whole(0xC1, true, None, b"{}")),
        ("a kind that there is not", whole(0x83, true, None, b"{}")),
        ("no text", whole(0x81, true, None, &[0xFF, 0xFE])),
        ("a ping in pieces", whole(0x09, true, None, b"?")),
        ("a ping that is too long", whole(0x89, true, None, &[b'x'; 126])),
        ("a piece of nothing", whole(0x80, true, None, b"x")),
        ("a message that is too long", whole(0x81, true, None, &long)),
        ("one that is too long in pieces", halves),
    ];
    for (what, bytes) in cases {
        let (messages, error) = read(bytes, 4_096);
        assert!(messages.is_empty(), "{what}: {messages:?}");
        let is_refused = !matches!(error, Error::Io(_) | Error::ConnectionClosed);
        assert!(is_refused, "{what}: {error}");
    }
    // Nothing is reserved for a length that is only said.
    let (_, error) = read(whole(0x81, true, Some(u64::MAX), b""), 4_096);
    assert!(matches!(error, Error::Capacity(_) | Error::Protocol(_)), "{error}");
    assert_eq!(read(Frame::text(0x81, "{}"), 1).0, [Message::text("{}")]);
}
