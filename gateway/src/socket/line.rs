//! What comes in from one socket: the library reads, what it wants to write goes by the outbox.

use std::io::{ErrorKind, Read, Result, Write};

use bytes::{Buf, Bytes};
use domain::frame::close;
use tokio::task::yield_now;
use tungstenite::{Error, Message, WebSocket, protocol::Role};

use super::{outbox::Outbox, reading};
use crate::limits::{Bucket, Flow};

/// After so many reads others get to work: of a message in very many pieces, the library reads one
/// after the other.
const READS: u32 = 64;
/// How many bytes a socket may send at once, and how many a second in the long run, whatever they
/// are: pieces of a message are counted by no other limit.
const BYTES: Flow = Flow { burst: 8 * 1024 * 1024, a_second: 1024 * 1024 };

/// Why nothing more is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotHeard {
    /// Not a frame, too long a message, or no text.
    BadFrame,
    /// Too many bytes in too little time.
    TooFast,
}

impl NotHeard {
    pub(super) fn code(self) -> u16 {
        match self {
            Self::BadFrame => close::BAD_FRAME,
            Self::TooFast => close::TOO_FAST,
        }
    }
}

/// See the module.
pub(super) struct Line(WebSocket<Ends>);

/// The two ends that the library knows of.
struct Ends {
    outbox: Outbox,
    /// What came with the request already.
    first: Bytes,
    /// How many reads are left before it is somebody else's turn.
    reads: u32,
    bytes: Bucket,
    is_too_fast: bool,
}

impl Line {
    pub(super) fn new(outbox: Outbox, first: Bytes) -> Self {
        let bytes = Bucket::default();
        let ends = Ends { outbox, first, reads: READS, bytes, is_too_fast: false };
        Self(WebSocket::from_raw_socket(ends, Role::Server, Some(reading::config())))
    }

    /// The next message; `None` when the socket is closed. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) -> Option<std::result::Result<Message, NotHeard>> {
        loop {
            let read = self.0.read();
            let ends = self.0.get_mut();
            if ends.is_too_fast {
                return Some(Err(NotHeard::TooFast));
            }
            match read {
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    if std::mem::replace(&mut ends.reads, READS) == 0 {
                        yield_now().await;
                    } else {
                        ends.outbox.stream().readable().await.ok()?;
                    }
                }
                Err(Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_)) => return None,
                message => return Some(message.map_err(|_| NotHeard::BadFrame)),
            }
        }
    }

    /// Answers a goodbye.
    pub(super) fn answer_close(&mut self) {
        self.0.flush().ok();
    }
}

impl Read for Ends {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        if self.is_too_fast || self.reads == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.reads -= 1;
        let length = if self.first.is_empty() {
            self.outbox.stream().try_read(into)?
        } else {
            let length = into.len().min(self.first.len());
            self.first.copy_to_slice(into.get_mut(..length).unwrap_or_default());
            length
        };
        self.is_too_fast = !self.bytes.take(u32::try_from(length).unwrap_or(u32::MAX), BYTES);
        Ok(length)
    }
}

impl Write for Ends {
    /// Takes a whole frame, as the library writes it without a buffer of its own.
    fn write(&mut self, from: &[u8]) -> Result<usize> {
        let sent = self.outbox.send(Bytes::copy_from_slice(from));
        sent.map_or_else(|_| Err(ErrorKind::BrokenPipe.into()), |()| Ok(from.len()))
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
