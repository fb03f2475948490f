//! Frames as a server writes them (RFC 6455, section 5.2): whole, unmasked, one per message. Reading
//! is the library's.

use bytes::{BufMut, Bytes, BytesMut};

/// What a frame is (RFC 6455, section 11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text = 0x1,
    Close = 0x8,
    Ping = 0x9,
}

/// The first bit of a message's last frame; each of ours is the last.
const FIN: u8 = 0x80;
/// Up to here a length is in one byte; 126 says that two follow, 127 that eight do.
const SHORT_MAX: usize = 125;

/// The longest header: kind, length, and eight bytes of it.
const HEADER_MAX: usize = 10;

/// A whole frame: its header, then `payload`. Of control frames, that is at most 125 bytes.
pub(crate) fn frame(kind: Kind, payload: &[u8]) -> Bytes {
    debug_assert!(kind == Kind::Text || payload.len() <= SHORT_MAX, "a control frame is short");
    let mut frame = BytesMut::with_capacity(HEADER_MAX + payload.len());
    frame.put_u8(FIN | kind as u8);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length), _) if payload.len() <= SHORT_MAX => frame.put_u8(length),
        (_, Ok(length)) => {
            frame.put_u8(126);
            frame.put_u16(length);
        }
        _ => {
            frame.put_u8(127);
            frame.put_u64(payload.len() as u64);
        }
    }
    frame.extend_from_slice(payload);
    frame.freeze()
}

/// A frame that ends the socket for the reason `code`.
pub(crate) fn close(code: u16) -> Bytes {
    frame(Kind::Close, &code.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Result, Write};

    use proptest::prelude::*;
    use tungstenite::{
        Message, WebSocket,
        protocol::{CloseFrame, Role},
    };

    use super::*;

    /// What a client has read, and nowhere to answer.
    struct Line(Cursor<Vec<u8>>);

    impl Read for Line {
        fn read(&mut self, into: &mut [u8]) -> Result<usize> {
            self.0.read(into)
        }
    }

    impl Write for Line {
        fn write(&mut self, from: &[u8]) -> Result<usize> {
            Ok(from.len())
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    fn client(frames: &[Bytes]) -> WebSocket<Line> {
        WebSocket::from_raw_socket(Line(Cursor::new(frames.concat())), Role::Client, None)
    }

    #[test]
    fn a_length_is_written_as_short_as_it_can_be() {
        let header = |length| frame(Kind::Text, &vec![b'x'; length])[..4].to_vec();
        assert_eq!(header(125)[..3], [0x81, 125, b'x']);
        assert_eq!(header(126), [0x81, 126, 0, 126]);
        assert_eq!(header(65_535), [0x81, 126, 255, 255]);
        assert_eq!(header(65_536)[..2], [0x81, 127]);
    }

    #[test]
    fn pings_and_closes_are_read_as_such() {
        let mut client = client(&[frame(Kind::Ping, b"12345678"), close(4001)]);
        assert_eq!(client.read().unwrap(), Message::Ping(Bytes::from_static(b"12345678")));
        let closing = CloseFrame { code: 4001.into(), reason: "".into() };
        assert_eq!(client.read().unwrap(), Message::Close(Some(closing)));
    }

    proptest! {
        /// Any texts, one after the other, are what another implementation reads.
        #[test]
        fn what_is_written_is_what_is_read(
            texts in proptest::collection::vec("(?s).{0,40}", 1..20),
            long in 100_usize..70_000,
        ) {
            let mut texts = texts;
            texts.push("é".repeat(long / 2));
            let frames: Vec<_> = texts.iter().map(|it| frame(Kind::Text, it.as_bytes())).collect();
            let mut client = client(&frames);
            for text in texts {
                prop_assert_eq!(client.read().unwrap(), Message::Text(text.into()));
            }
        }
    }
}
