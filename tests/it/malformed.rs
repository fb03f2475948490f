//! Every frame that is none, byte by byte on a real connection: each ends its socket with the code that
//! the protocol has for it, which arrives.

use anyhow::{Context, ensure};
use domain::frame::{FRAME_BYTES_MAX, close};
use loadtests::{
    candidate::PATIENCE,
    socket::{Heard, Socket},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::{
    live::upgraded,
    setting::{Done, Setting},
};

/// A frame as a client writes it, with a mask of zeros (RFC 6455, section 5.2).
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u16::try_from(payload.len()) {
        Ok(length @ ..=125) => frame.push(0x80 | length.to_be_bytes()[1]),
        Ok(length) => {
            frame.push(0xFE);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(0xFF);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// What is no frame, and frames that are none of the protocol.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let x = |count| vec![b'x'; count];
    let halves = [frame(0x01, &x(FRAME_BYTES_MAX)), frame(0x80, b"x")].concat();
    let text = |text: &str| frame(0x81, text.as_bytes());
    vec![
        ("no mask", vec![0x81, 2, b'{', b'}']),
        ("a reserved bit, as compression has it", frame(0xC1, b"{}")),
        ("a kind that there is not", frame(0x83, b"{}")),
        ("no text", frame(0x81, &[0xFF, 0xFE])),
        ("a ping in pieces", frame(0x09, b"?")),
        ("a ping that is too long", frame(0x89, &x(126))),
        ("a piece of nothing", frame(0x80, b"x")),
        ("a message that is too long", frame(0x81, &x(FRAME_BYTES_MAX + 1))),
        ("one that is much too long", frame(0x81, &x(3 * FRAME_BYTES_MAX))),
        ("one that is too long in pieces", halves),
        ("a length that is only said", [&[0x81, 0xFF][..], &[0xFF; 8], &[0; 4], b"x"].concat()),
        ("no text, but bytes", frame(0x82, b"{}")),
        ("no JSON", text("{")),
        ("no object", text("[]")),
        ("a kind of frame that there is not", text(r#"{"type":"dance"}"#)),
        ("nothing of what it needs", text(r#"{"type":"watch"}"#)),
        ("more than it may have", text(r#"{"type":"unwatch","topic":"tests","x":1}"#)),
        ("another kind of value", text(r#"{"type":"watch","topic":7}"#)),
        (
            "a window beyond all rows",
            text(r#"{"type":"watch","topic":"x","window":{"from":4294967296,"count":1}}"#),
        ),
        ("no id", text(r#"{"type":"do","command_id":"1","to":"x","command":{}}"#)),
        ("no number", text(r#"{"type":"ping","sent_ms":"now"}"#)),
    ]
}

#[tokio::test]
async fn each_malformed_frame_ends_its_socket_with_a_code_that_arrives() -> Done {
    let setting = Setting::new(1).await?;
    let mut candidate = setting.first().await?;
    candidate.cut();
    let bye = format!(r#"{{"type":"bye","code":{}}}"#, close::BAD_FRAME);
    let closing = [&[0x88, 2][..], &close::BAD_FRAME.to_be_bytes()].concat();
    for (what, bytes) in malformed() {
        let mut raw = upgraded(&candidate, "").await?.1;
        raw.write_all(&bytes).await.context(what)?;
        let mut all = vec![];
        timeout(PATIENCE, raw.read_to_end(&mut all)).await.context(what)?.context(what)?;
        let said = String::from_utf8_lossy(&all);
        ensure!(said.contains(&bye) && all.ends_with(&closing), "{what}: {said}");
    }
    candidate.connect().await?;
    candidate.start(1).await?;
    Setting::all_well(&candidate)
}

#[tokio::test]
async fn who_reads_too_slowly_hears_so_behind_what_was_begun() -> Done {
    let setting = Setting::new(1).await?;
    let candidate = setting.first().await?;
    let mut socket = Socket::open_narrow(&candidate.browser).await?;
    // What is refused is named in the answer: a long one.
    let topic = "x".repeat(100 * 1024);
    for _ in 0..8 {
        socket.watch(&topic, (0, 0)).await?;
    }
    let mut answers = 0;
    let code = loop {
        match timeout(PATIENCE, socket.next()).await? {
            Heard::Unwatched { topic: of, .. } => {
                ensure!(of == topic, "another topic");
                answers += 1;
            }
            Heard::Bye { code, .. } => break code,
            other @ (Heard::Rows(_)
            | Heard::Done { .. }
            | Heard::Refused { .. }
            | Heard::Untyped { .. }
            | Heard::Pong { .. }
            | Heard::Closed(_)) => anyhow::bail!("{other:?}"),
        }
    };
    ensure!(code == close::TOO_SLOW && (1..8).contains(&answers), "{code} after {answers}");
    let closed = timeout(PATIENCE, socket.next()).await?;
    ensure!(matches!(closed, Heard::Closed(Some(close::TOO_SLOW))), "{closed:?}");
    Setting::all_well(&candidate)
}
