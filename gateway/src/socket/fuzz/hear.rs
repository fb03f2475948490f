//! Hears what a client may have sent, as the socket does, without a socket. `tests/fuzz` is made of
//! this file, too.

use std::io::{Cursor, ErrorKind, Read, Result, Write};

use domain::{command::AnyCommand, frame::ClientFrame, rows::Topic, stream::Stream};
use tungstenite::{Error, Message, WebSocket, protocol::Role};

use super::reading;

/// What a client sent, in as small pieces as it came, and nowhere to answer.
struct Sent {
    bytes: Cursor<Vec<u8>>,
    piece: usize,
}

impl Read for Sent {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let length = into.len().min(self.piece);
        match self.bytes.read(into.get_mut(..length).unwrap_or_default())? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}

impl Write for Sent {
    fn write(&mut self, from: &[u8]) -> Result<usize> {
        Ok(from.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// All messages that a server reads of `bytes` which come in pieces of `piece`, and how reading ended.
pub(super) fn read(bytes: Vec<u8>, piece: usize) -> (Vec<Message>, Error) {
    read_as(Role::Server, bytes, piece)
}

/// The same, for either end.
pub(super) fn read_as(role: Role, bytes: Vec<u8>, piece: usize) -> (Vec<Message>, Error) {
    let sent = Sent { bytes: Cursor::new(bytes), piece: piece.max(1) };
    let mut socket = WebSocket::from_raw_socket(sent, role, Some(reading::config()));
    let mut messages = vec![];
    loop {
        match socket.read() {
            Ok(message) => messages.push(message),
            Err(error) => return (messages, error),
        }
    }
}

/// All that is done with a text before anybody is asked for anything.
pub(super) fn understand(text: &str) -> Option<ClientFrame> {
    let frame = serde_json::from_str::<ClientFrame>(text).ok()?;
    match &frame {
        ClientFrame::Watch { topic, .. } | ClientFrame::Unwatch { topic } => {
            if let Ok(read) = topic.parse::<Topic>() {
                assert_eq!(read.to_string().parse::<Topic>().unwrap(), read);
            }
        }
        ClientFrame::Do { to, command, .. } => {
            if let Ok(stream) = to.parse::<Stream>() {
                AnyCommand::parse(stream, command.clone()).ok();
            }
        }
        ClientFrame::Type { .. }
        | ClientFrame::EndInput { .. }
        | ClientFrame::Stop { .. }
        | ClientFrame::Ping { .. } => {}
    }
    Some(frame)
}
