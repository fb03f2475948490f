//! What waits to be written to one socket: bounded in bytes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use axum::extract::ws::{Message, Utf8Bytes};
use bytes::Bytes;
use domain::frame::ServerFrame;
use tokio::sync::{Notify, mpsc};

/// How many bytes may wait; behind that the client resumes on another socket.
const BYTES_MAX: usize = 256 * 1024;
/// How long a goodbye may take.
const CLOSING: std::time::Duration = std::time::Duration::from_secs(5);
/// How many messages may wait.
const MESSAGES_MAX: usize = 1_024;

/// The socket takes in too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

/// The end where messages go in.
#[derive(Clone)]
pub(super) struct Outbox {
    messages: mpsc::Sender<Message>,
    fill: Arc<Fill>,
}

/// The end where they come out.
pub(super) struct Waiting {
    messages: mpsc::Receiver<Message>,
    fill: Arc<Fill>,
}

#[derive(Default)]
struct Fill {
    bytes: AtomicUsize,
    is_over: AtomicBool,
    over: Notify,
}

impl Outbox {
    pub(super) fn new() -> (Self, Waiting) {
        let (sender, receiver) = mpsc::channel(MESSAGES_MAX);
        let fill = Arc::new(Fill::default());
        (Self { messages: sender, fill: Arc::clone(&fill) }, Waiting { messages: receiver, fill })
    }

    /// Sends a frame.
    pub(super) fn frame(&self, frame: &ServerFrame) -> Result<(), Overflow> {
        let text = serde_json::to_string(frame).expect("frames are plain data");
        self.send(Message::Text(text.into()))
    }

    /// Sends text that is shared with other sockets.
    pub(super) fn text(&self, text: Bytes) -> Result<(), Overflow> {
        let text = Utf8Bytes::try_from(text).expect("frames are text");
        self.send(Message::Text(text))
    }

    pub(super) fn send(&self, message: Message) -> Result<(), Overflow> {
        let bytes = length(&message);
        let before = self.fill.bytes.fetch_add(bytes, Ordering::Relaxed);
        // A single large frame may pass: only a backlog counts.
        if (BYTES_MAX < before) || self.messages.try_send(message).is_err() {
            self.fill.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.fill.is_over.store(true, Ordering::Relaxed);
            self.fill.over.notify_one();
            return Err(Overflow);
        }
        Ok(())
    }

    /// Waits until half of what may wait has been written, for senders of long tales.
    pub(super) async fn room(&self) {
        while BYTES_MAX / 2 < self.fill.bytes.load(Ordering::Relaxed) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Waits until something could not be sent.
    pub(super) async fn overflowed(&self) {
        while !self.fill.is_over.load(Ordering::Relaxed) {
            self.fill.over.notified().await;
        }
    }

    /// Says goodbye and closes, if the socket still takes it.
    pub(super) async fn close(self, code: u16) {
        let bye = ServerFrame::Bye { code, retry_after_ms: None };
        self.frame(&bye).ok();
        // The writer ends with this; who does not take it in is left without.
        let closing = async {
            self.messages.send(super::closing(code)).await.ok();
            self.messages.closed().await;
        };
        tokio::time::timeout(CLOSING, closing).await.ok();
    }
}

impl Waiting {
    pub(super) async fn next(&mut self) -> Option<Message> {
        let message = self.messages.recv().await?;
        self.fill.bytes.fetch_sub(length(&message), Ordering::Relaxed);
        Some(message)
    }
}

fn length(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_backlog_has_a_limit_and_is_told() {
        let (outbox, mut waiting) = Outbox::new();
        let text = Bytes::from("x".repeat(100 * 1024));
        for _ in 0..3 {
            outbox.text(text.clone()).unwrap();
        }
        assert_eq!(outbox.text(text.clone()), Err(Overflow));
        outbox.overflowed().await;
        waiting.next().await.unwrap();
        assert_eq!(outbox.text(text), Ok(()));
    }
}
