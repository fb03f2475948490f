//! Bytes as they may come over a connection. However they are cut, the same is heard; nothing heard is
//! longer than a frame may be; and each text is understood or refused.

#![no_main]

#[path = "../../gateway/src/socket/fuzz/hear.rs"]
mod hear;
#[path = "../../gateway/src/socket/reading.rs"]
mod reading;

use domain::frame::FRAME_BYTES_MAX;
use libfuzzer_sys::fuzz_target;
use tungstenite::Message;

fuzz_target!(|sent: (u8, &[u8])| {
    let (piece, bytes) = sent;
    let (messages, _) = hear::read(bytes.to_vec(), usize::from(piece));
    let (whole, _) = hear::read(bytes.to_vec(), usize::MAX);
    assert_eq!(messages, whole);
    for message in messages {
        assert!(message.len() <= FRAME_BYTES_MAX);
        if let Message::Text(text) = message {
            hear::understand(&text);
        }
    }
});
