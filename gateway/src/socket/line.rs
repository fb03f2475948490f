//! What comes in from one socket: the library reads, what it wants to write goes by the outbox.

use std::io::{ErrorKind, Read, Result, Write};

use bytes::{Buf, Bytes};
use domain::frame::FRAME_BYTES_MAX;
use tungstenite::{
    Error, Message, WebSocket,
    protocol::{Role, WebSocketConfig},
};

use super::outbox::Outbox;

/// How much is read at once. Idle sockets keep this much, so it is the size of usual frames.
const READ_BYTES: usize = 1024;

/// See the module.
pub(super) struct Line(WebSocket<Ends>);

/// The two ends that the library knows of.
struct Ends {
    outbox: Outbox,
    /// What came with the request already.
    first: Bytes,
}

impl Line {
    pub(super) fn new(outbox: Outbox, first: Bytes) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX));
        let ends = Ends { outbox, first };
        Self(WebSocket::from_raw_socket(ends, Role::Server, Some(config)))
    }

    /// The next message; `None` when the socket is closed. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) -> Option<std::result::Result<Message, Error>> {
        loop {
            match self.0.read() {
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    self.0.get_ref().outbox.stream().readable().await.ok()?;
                }
                Err(Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_)) => return None,
                message => return Some(message),
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
        if self.first.is_empty() {
            return self.outbox.stream().try_read(into);
        }
        let length = into.len().min(self.first.len());
        self.first.copy_to_slice(into.get_mut(..length).unwrap_or_default());
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
