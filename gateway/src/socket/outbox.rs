//! What goes out to one socket: written at once by whoever has it, queued only while the socket takes
//! nothing, and bounded in bytes.

use std::{
    collections::VecDeque,
    io::{Error, ErrorKind, IoSlice, Result as Io},
    net::Shutdown,
    os::fd::AsRawFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use domain::frame::ServerFrame;
use socket2::SockRef;
use tokio::{net::TcpStream, sync::Notify, task::yield_now};

use super::wire::{self, Kind};

/// How many bytes may wait; behind that the client resumes on another socket.
const BYTES_MAX: usize = 192 * 1024;
/// From here on a socket is slow: what can be read again later is not queued for it.
const BYTES_MANY: usize = 64 * 1024;
/// How much the system takes in beyond what is under way to the client. For one that does not read
/// it would keep megabytes, and what is latest would wait behind all of them.
const UNSENT_BYTES: u32 = 64 * 1024;
/// What a queued frame takes beside its bytes.
const FRAME_BYTES: usize = 64;
/// How many frames one system call writes at most.
const SLICES: usize = 32;
/// How much is thrown away, so much at a time, of what comes after the last word.
const FORGOTTEN_MAX: usize = 4 * 1024 * 1024;
const FORGOTTEN_BYTES: usize = 16 * 1024;

/// The socket takes in too slowly, or is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

/// What became of a frame that need not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    Taken,
    /// Too much waits already.
    Slow,
}

/// See the module.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Inner>);

/// What a frame needs that is written at once is in one line of the processor's cache, in this order:
/// of thousands of sockets, each frame meets each where it is in no cache.
#[repr(C, align(64))]
struct Inner {
    stream: TcpStream,
    queue: Mutex<Queue>,
    /// Something waits to be written, or nothing is taken any more.
    stirred: Notify,
    /// There is room again.
    roomy: Notify,
}

#[derive(Default)]
#[repr(C)]
struct Queue {
    /// Of all that waits; none only if nothing does.
    bytes: usize,
    state: State,
    /// Whole frames; of the first one, what is not written yet.
    frames: VecDeque<Bytes>,
}

/// What becomes of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    #[default]
    Open,
    /// What waits goes out, and nothing is taken any more but the last word.
    Closing,
    /// Nothing goes out.
    Over,
}

impl Outbox {
    pub(crate) fn new(stream: TcpStream) -> Self {
        if let Err(error) = SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES) {
            tracing::debug!(%error, "the system keeps more for a socket than it need");
        }
        let (queue, stirred, roomy) = (Mutex::default(), Notify::new(), Notify::new());
        Self(Arc::new(Inner { stream, queue, stirred, roomy }))
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.0.stream
    }

    /// Reads a little of what sending needs, so that it is in the cache then.
    pub(crate) fn touch(&self) -> i32 {
        self.0.stream.as_raw_fd()
    }

    /// Sends a frame of the protocol.
    pub(crate) fn frame(&self, frame: &ServerFrame) -> Result<(), Overflow> {
        self.send(wire_of(frame))
    }

    /// Sends a whole frame, as [`wire::frame`] makes it and others may share it. Never waits.
    pub(crate) fn send(&self, frame: Bytes) -> Result<(), Overflow> {
        self.send_to(self.queue(), frame)
    }

    /// As [`Self::send`], unless the socket is slow.
    pub(crate) fn offer(&self, frame: Bytes) -> Result<Offered, Overflow> {
        let queue = self.queue();
        if BYTES_MANY < queue.bytes {
            return Ok(Offered::Slow);
        }
        self.send_to(queue, frame).map(|()| Offered::Taken)
    }

    fn send_to(&self, mut queue: MutexGuard<'_, Queue>, frame: Bytes) -> Result<(), Overflow> {
        if queue.state != State::Open {
            return Err(Overflow);
        }
        if queue.bytes == 0 {
            // The system is asked itself: tokio's idea of it is one more line of cache.
            match SockRef::from(&self.0.stream).send(&frame) {
                Ok(written) if written == frame.len() => return Ok(()),
                Ok(written) => queue.push(frame.slice(written..)),
                Err(error) if is_later(&error) => queue.push(frame),
                Err(_) => return Err(self.end(queue)),
            }
            self.0.stirred.notify_one();
            return Ok(());
        }
        // A single large frame may pass: only a backlog counts.
        if BYTES_MAX < queue.bytes {
            return Err(self.overflow(queue));
        }
        queue.push(frame);
        Ok(())
    }

    /// Takes nothing more. Of what waits the first frame is kept, of which a part may be written.
    fn overflow(&self, mut queue: MutexGuard<'_, Queue>) -> Overflow {
        let begun = queue.frames.pop_front();
        *queue = Queue { state: State::Closing, ..Queue::default() };
        if let Some(begun) = begun {
            queue.push(begun);
        }
        self.stir(queue);
        Overflow
    }

    /// Waits until there is room, for senders of long tales; fails when nothing more is taken.
    pub(crate) async fn room(&self) -> Result<(), Overflow> {
        loop {
            let roomy = self.0.roomy.notified();
            {
                let queue = self.queue();
                if queue.state != State::Open {
                    return Err(Overflow);
                }
                if queue.bytes <= BYTES_MANY {
                    return Ok(());
                }
            }
            roomy.await;
        }
    }

    /// Writes what waits, whenever the socket takes something. Ends when nothing more is taken.
    /// Cancelling it loses nothing.
    pub(crate) async fn drain(&self) {
        loop {
            match self.write_on(State::Closing) {
                Ok(true) => self.0.stirred.notified().await,
                Ok(false) => tokio::select! {
                    _ = self.0.stream.writable() => {}
                    () = self.0.stirred.notified() => {}
                },
                Err(Overflow) => return,
            }
        }
    }

    /// Says `bye` behind what waits, then closes with `code`; nothing comes after that. Waits until the
    /// other end has closed, too: who closes with something unread takes back what was said last
    /// (RFC 1122, section 4.2.2.13).
    pub(super) async fn close(&self, bye: &ServerFrame, code: u16) {
        self.say(bye, code);
        // At once: a client may read only when it has said everything.
        tokio::join!(self.say_the_rest(), self.forget());
    }

    fn say(&self, bye: &ServerFrame, code: u16) {
        let mut queue = self.queue();
        queue.state = queue.state.max(State::Closing);
        queue.push(wire_of(bye));
        queue.push(wire::close(code));
        self.stir(queue);
    }

    async fn say_the_rest(&self) {
        while let Ok(false) = self.write_on(State::Over) {
            self.0.stream.writable().await.ok();
        }
        SockRef::from(&self.0.stream).shutdown(Shutdown::Write).ok();
    }

    /// Throws away what still comes, until the other end has closed; not without a limit.
    async fn forget(&self) {
        let mut forgotten = 0;
        while forgotten < FORGOTTEN_MAX {
            match forget_some(&self.0.stream) {
                Ok(0) => return,
                Ok(read) => {
                    forgotten += read;
                    yield_now().await;
                }
                Err(error) if is_later(&error) => drop(self.0.stream.readable().await),
                Err(_) => return,
            }
        }
    }

    /// Takes nothing more, and says so to whoever waits.
    pub(super) fn finish(&self) {
        self.end(self.queue());
    }

    /// Writes as much as the socket takes now. Answers whether that was all; fails from the state `end`
    /// on.
    fn write_on(&self, end: State) -> Result<bool, Overflow> {
        let mut queue = self.queue();
        loop {
            if end <= queue.state {
                return Err(Overflow);
            }
            if queue.frames.is_empty() {
                return Ok(true);
            }
            match queue.write(&self.0.stream) {
                Ok(()) => {}
                Err(error) if is_later(&error) => return Ok(false),
                Err(_) => return Err(self.end(queue)),
            }
            if queue.bytes <= BYTES_MANY {
                self.0.roomy.notify_waiters();
            }
        }
    }

    fn end(&self, mut queue: MutexGuard<'_, Queue>) -> Overflow {
        *queue = Queue { state: State::Over, ..Queue::default() };
        self.stir(queue);
        Overflow
    }

    /// Wakes whoever waits for another state.
    fn stir(&self, queue: MutexGuard<'_, Queue>) {
        drop(queue);
        self.0.stirred.notify_one();
        self.0.roomy.notify_waiters();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len() + FRAME_BYTES;
        self.frames.push_back(frame);
    }

    /// Writes some of what waits, several frames at once.
    fn write(&mut self, stream: &TcpStream) -> Io<()> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(&self.frames) {
            *slice = IoSlice::new(frame);
            count += 1;
        }
        let written = stream.try_write_vectored(slices.get(..count).unwrap_or_default())?;
        if written == 0 {
            return Err(Error::from(ErrorKind::WriteZero));
        }
        self.written(written);
        Ok(())
    }

    fn written(&mut self, mut bytes: usize) {
        while let Some(first) = self.frames.front_mut() {
            if bytes < first.len() {
                self.bytes -= bytes;
                *first = first.slice(bytes..);
                return;
            }
            bytes -= first.len();
            self.bytes -= first.len() + FRAME_BYTES;
            self.frames.pop_front();
        }
        // An idle socket keeps no room for a queue.
        self.frames = VecDeque::new();
    }
}

/// Apart, so that no task keeps the room for it.
fn forget_some(stream: &TcpStream) -> Io<usize> {
    stream.try_read(&mut [0; FORGOTTEN_BYTES])
}

fn wire_of(frame: &ServerFrame) -> Bytes {
    let text = serde_json::to_vec(frame).expect("frames are plain data");
    wire::frame(Kind::Text, &text)
}

fn is_later(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests;
