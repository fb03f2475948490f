//! A text, as a frame's payload. It is understood or refused, and written as a frame of the server's it
//! is what another implementation reads.

#![no_main]

#[path = "../../gateway/src/socket/fuzz/hear.rs"]
mod hear;
#[path = "../../gateway/src/socket/reading.rs"]
mod reading;
#[allow(dead_code, reason = "other frames than texts are short and constant")]
#[path = "../../gateway/src/socket/wire.rs"]
mod wire;

use libfuzzer_sys::fuzz_target;
use tungstenite::{Message, protocol::Role};
use wire::Kind;

fuzz_target!(|text: &str| {
    hear::understand(text);
    let (messages, _) =
        hear::read_as(Role::Client, wire::frame(Kind::Text, text.as_bytes()).into(), 7);
    assert_eq!(messages, [Message::text(text)]);
});
