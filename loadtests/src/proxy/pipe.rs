//! One direction of a connection.

use std::{collections::VecDeque, io};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep_until},
};

use super::weather::Delays;

/// How much is read at once.
const READ_BYTES: usize = 16 * 1024;
/// How much is on its way at most; behind that whoever sends has to wait, as on any way.
const BYTES_MAX: usize = 1024 * 1024;

/// See the module.
pub(super) struct Pipe {
    delays: Delays,
    /// What is on its way, and when it arrives.
    under_way: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    /// The sender says nothing more.
    is_over: bool,
}

impl Pipe {
    pub(super) fn new(delays: Delays) -> Self {
        Self { delays, under_way: VecDeque::new(), bytes: 0, is_over: false }
    }

    /// Passes on until the sender says nothing more. Cancelling it loses nothing.
    pub(super) async fn carry(
        &mut self,
        from: &mut (impl AsyncReadExt + Unpin),
        to: &mut (impl AsyncWriteExt + Unpin),
    ) -> io::Result<()> {
        loop {
            let arrival = self.under_way.front().map(|(arrival, _)| *arrival);
            if arrival.is_none() && self.is_over {
                return to.shutdown().await;
            }
            let mut room = BytesMut::with_capacity(READ_BYTES);
            tokio::select! {
                () = sleep_until(arrival.unwrap_or_else(Instant::now)), if arrival.is_some() => {
                    self.deliver(to).await?;
                }
                read = from.read_buf(&mut room), if !self.is_over && self.bytes < BYTES_MAX => {
                    self.is_over = read? == 0;
                    self.take(room.freeze());
                }
            }
        }
    }

    fn take(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.bytes += bytes.len();
            self.under_way.push_back((self.delays.arrival(Instant::now()), bytes));
        }
    }

    /// Writes some of the first piece.
    async fn deliver(&mut self, to: &mut (impl AsyncWriteExt + Unpin)) -> io::Result<()> {
        let Some((_, piece)) = self.under_way.front_mut() else { return Ok(()) };
        let written = to.write(piece).await?;
        self.bytes -= written;
        piece.advance(written);
        if piece.is_empty() {
            self.under_way.pop_front();
        }
        Ok(())
    }
}
