//! The line between two programs that talk. The bytes pass through here, so that they can be
//! counted and noted, and so that it is known who ended first. At most one buffer waits in each
//! direction; a program that is not read from waits, as it would at a pipe.

use std::{
    io,
    os::fd::OwnedFd,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::pipe::{PipeFlags, pipe_with};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::unix::pipe::{Receiver, Sender},
    sync::Notify,
};

use crate::excerpt::EXCERPT_BYTES_MAX;

/// What is carried at once, in bytes: as much as a pipe holds by default.
const BUFFER_BYTES: usize = 64 * 1024;

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Program,
    Referee,
}

/// Standard input and output of each.
pub(crate) struct Ends {
    pub(crate) program: [OwnedFd; 2],
    pub(crate) referee: [OwnedFd; 2],
}

/// A line that nobody talks on yet.
pub(crate) struct Line {
    from_program: Receiver,
    to_program: Sender,
    from_referee: Receiver,
    to_referee: Sender,
    output_bytes: u64,
}

/// What was said.
#[derive(Default)]
pub(crate) struct Said {
    transcript: Vec<u8>,
    /// The last line of each, as long as it is not ended.
    open: [Vec<u8>; 2],
    first: Option<Side>,
    printed: u64,
    over: bool,
}

/// A line for a program that may say `output_bytes`.
pub(crate) fn line(output_bytes: u32) -> io::Result<(Ends, Line)> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC);
    let [stdin, stdout, its_stdin, its_stdout] = [pipe()?, pipe()?, pipe()?, pipe()?];
    let ends = Ends { program: [stdin.0, stdout.1], referee: [its_stdin.0, its_stdout.1] };
    let line = Line {
        from_program: Receiver::from_owned_fd(stdout.0)?,
        to_program: Sender::from_owned_fd(stdin.1)?,
        from_referee: Receiver::from_owned_fd(its_stdout.0)?,
        to_referee: Sender::from_owned_fd(its_stdin.1)?,
        output_bytes: output_bytes.into(),
    };
    Ok((ends, line))
}

impl Line {
    /// Carries until both have ended. Notifies `halt` when the program is to be stopped: its
    /// referee is done, or it has said too much.
    pub(crate) async fn carry(self, halt: &Notify) -> Said {
        let said = Mutex::new(Said::default());
        let limit = self.output_bytes;
        tokio::join!(
            program_speaks(self.from_program, self.to_referee, &said, limit, halt),
            referee_speaks(self.from_referee, self.to_program, &said, halt),
        );
        let mut said = said.into_inner().unwrap_or_else(PoisonError::into_inner);
        said.close();
        said
    }
}

async fn program_speaks(
    mut from: Receiver,
    mut to: Sender,
    said: &Mutex<Said>,
    limit: u64,
    halt: &Notify,
) {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let bytes = heard(from.read(&mut buffer).await, &buffer);
        let Some(bytes) = bytes else { return locked(said).ends(Side::Program) };
        if !locked(said).prints(bytes, limit) {
            halt.notify_one();
            return;
        }
        if to.write_all(bytes).await.is_err() {
            locked(said).ends(Side::Referee);
            halt.notify_one();
            return;
        }
    }
}

async fn referee_speaks(mut from: Receiver, to: Sender, said: &Mutex<Said>, halt: &Notify) {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut to = Some(to);
    loop {
        let bytes = heard(from.read(&mut buffer).await, &buffer);
        let Some(bytes) = bytes else {
            locked(said).ends(Side::Referee);
            halt.notify_one();
            return;
        };
        let Some(listener) = &mut to else { continue };
        locked(said).note(Side::Referee, bytes);
        if listener.write_all(bytes).await.is_err() {
            locked(said).ends(Side::Program);
            // It goes on speaking to nobody: no signal is to end it before it has judged.
            to = None;
        }
    }
}

fn heard(read: io::Result<usize>, buffer: &[u8]) -> Option<&[u8]> {
    read.ok().filter(|len| *len > 0).and_then(|len| buffer.get(..len))
}

fn locked(said: &Mutex<Said>) -> MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Said {
    /// Lines in the order in which they were said, at most 16 KiB and a byte: `>` before those of
    /// the program, `<` before those to it.
    pub(crate) fn transcript(&self) -> &[u8] {
        &self.transcript
    }

    /// Who ended first, as the other one could see it.
    pub(crate) fn first(&self) -> Option<Side> {
        self.first
    }

    /// Whether the program said more than it may.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    fn ends(&mut self, side: Side) {
        self.first.get_or_insert(side);
    }

    /// Whether the program may say so much.
    fn prints(&mut self, bytes: &[u8], limit: u64) -> bool {
        self.note(Side::Program, bytes);
        self.printed += bytes.len() as u64;
        self.over = self.printed > limit;
        !self.over
    }

    fn note(&mut self, side: Side, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let [program, referee] = &mut self.open;
            let open = if side == Side::Program { program } else { referee };
            let room = (EXCERPT_BYTES_MAX + 1).saturating_sub(open.len());
            open.extend(piece.iter().take(room));
            if piece.ends_with(b"\n") {
                let line = std::mem::take(open);
                self.write(side, line.trim_ascii_end());
            }
        }
    }

    fn write(&mut self, side: Side, line: &[u8]) {
        let sign = if side == Side::Program { b"> " } else { b"< " };
        let room = (EXCERPT_BYTES_MAX + 1).saturating_sub(self.transcript.len());
        let whole = sign.iter().chain(line).chain(b"\n");
        self.transcript.extend(whole.take(room));
    }

    fn close(&mut self) {
        let [program, referee] = std::mem::take(&mut self.open);
        for (side, line) in [(Side::Referee, referee), (Side::Program, program)] {
            if !line.is_empty() {
                self.write(side, &line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_has_whole_lines_in_their_order_and_an_end() {
        let mut said = Said::default();
        said.note(Side::Referee, b"10");
        said.note(Side::Program, b"5\n7");
        said.note(Side::Referee, b"0\n");
        said.close();
        assert_eq!(said.transcript(), b"> 5\n< 100\n> 7\n");
        for _ in 0..10_000 {
            said.note(Side::Program, b"and on, and on\n");
        }
        assert_eq!(said.transcript().len(), EXCERPT_BYTES_MAX + 1);
    }

    #[test]
    fn the_first_to_end_stays_the_first() {
        let mut said = Said::default();
        said.ends(Side::Referee);
        said.ends(Side::Program);
        assert_eq!(said.first(), Some(Side::Referee));
        assert!(said.prints(b"ab", 3) && !said.prints(b"cd", 3));
    }
}
