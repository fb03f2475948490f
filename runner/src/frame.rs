//! What the server and its helper processes say to one another: frames of one kind byte, a
//! length and a payload. Both ends are ours; no untrusted process holds either.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

/// The longest payload, in bytes: an input, an artefact.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 128 << 20;
/// Kind byte and length.
pub(crate) const HEAD_BYTES: usize = 5;

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// From the server: an [`Order`] as JSON. A blob for each of its files follows, then one
    /// with standard input.
    Order = b'R',
    /// From the server: bytes that an order announced.
    Blob = b'B',
    /// From the helper, first of all: a [`Hello`] as JSON.
    Hello = b'H',
    /// From the helper: bytes of standard output.
    Stdout = b'1',
    /// From the helper: bytes of standard error.
    Stderr = b'2',
    /// From init to the helper, and on to the server: the file that the order asked for. From the
    /// server: what the helper is to keep as if it had just been made.
    Artefact = b'A',
    /// From init through the helper: a file of feedback, see [`crate::feedback`].
    Feedback = b'F',
    /// From the server, while a run lasts whose order is `open`: bytes of standard input; none: it
    /// ends. Without meaning when the run has ended.
    Input = b'I',
    /// From the server: the run is to end now; without meaning when it has ended.
    Halt = b'X',
    /// From the helper, last of a run: an [`Ending`] as JSON.
    Ending = b'E',
}

impl Kind {
    fn of(byte: u8) -> io::Result<Self> {
        [
            Self::Order,
            Self::Blob,
            Self::Hello,
            Self::Stdout,
            Self::Stderr,
            Self::Artefact,
            Self::Feedback,
            Self::Input,
            Self::Halt,
            Self::Ending,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no such kind of frame"))
    }
}

/// One run, as the helper is asked for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The program by its absolute path, and its arguments.
    pub(crate) argv: Vec<String>,
    /// `NAME=value`, all of them: nothing is inherited.
    pub(crate) env: Vec<String>,
    pub(crate) walls: Walls,
    /// Names of what lies in the work directory when the program starts; the bytes follow.
    pub(crate) files: Vec<String>,
    /// A file of the work directory that the helper is to keep when the program ends well.
    pub(crate) artefact: Option<String>,
    pub(crate) kept: Kept,
    /// Whether output is wanted while the program runs.
    pub(crate) streamed: bool,
    /// A directory in the work directory, what is in which at the end is wanted.
    pub(crate) feedback: Option<String>,
    /// Whether standard input and output are descriptors that follow the blobs, the last of which
    /// is empty then.
    pub(crate) talks: bool,
    pub(crate) start: Start,
    /// Whether more standard input comes while the program runs, behind its blob.
    pub(crate) open: bool,
}

/// How a program starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Start {
    Exec,
    /// As a copy of a warm interpreter where the helper has one: `argv` is the interpreter's command,
    /// with the main file last.
    Copy,
}

/// What a run is given of what its helper kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kept {
    Nothing,
    /// It is the program, whatever `argv` calls it.
    Program,
    /// It lies in the work directory, where the program finds it.
    File,
}

/// The limits of one run, allowances of its language included.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Walls {
    pub(crate) cpu_ms: u32,
    pub(crate) wall_ms: u32,
    pub(crate) memory_bytes: u64,
    pub(crate) processes: u32,
    pub(crate) output_bytes: u32,
    pub(crate) disk_bytes: u64,
}

/// What a helper found out about its machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// Which walls stand, in words.
    pub(crate) isolation: String,
    /// Each wall: what it is, whether it stands, what was found or what would make it stand.
    pub(crate) walls: Vec<(String, bool, String)>,
}

/// How the program itself ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
    /// It was stopped with everything else, before or after its own end.
    Stopped,
    /// It never ran, which is our fault.
    NotStarted(String),
}

impl Exit {
    /// Whether the program said itself how it ended.
    pub(crate) fn is_code(&self) -> bool {
        matches!(self, Self::Code(_))
    }
}

/// Why the helper or init stopped a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stop {
    Cpu,
    Wall,
    Memory,
    Output,
    /// The server asked for it.
    Halted,
}

/// How a run went.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ending {
    pub(crate) exit: Exit,
    pub(crate) stop: Option<Stop>,
    /// It was refused a process.
    pub(crate) processes_hit: bool,
    /// The artefact that the order asked for was made, and kept.
    pub(crate) kept: bool,
    /// It left its files' space full.
    pub(crate) disk_full: bool,
    pub(crate) cpu_ms: u32,
    pub(crate) wall_ms: u32,
    pub(crate) memory_bytes: u64,
}

impl Ending {
    /// Whether the server's word ended it.
    pub(crate) fn is_halted(&self) -> bool {
        self.stop == Some(Stop::Halted) && matches!(self.exit, Exit::Stopped)
    }
}

/// The bytes before a payload.
pub(crate) fn head(kind: Kind, len: usize) -> [u8; HEAD_BYTES] {
    assert!(len <= PAYLOAD_BYTES_MAX, "callers cap what they send");
    let len = u32::try_from(len).expect("capped above").to_le_bytes();
    let [a, b, c, d] = len;
    [kind as u8, a, b, c, d]
}

/// Reads a [`head`]. Fails if it is none.
pub(crate) fn parse_head(head: [u8; HEAD_BYTES]) -> io::Result<(Kind, usize)> {
    let [kind, a, b, c, d] = head;
    let len = u32::from_le_bytes([a, b, c, d]) as usize;
    if len > PAYLOAD_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "frame too long"));
    }
    Ok((Kind::of(kind)?, len))
}

/// Writes one frame.
pub(crate) fn write(to: &mut impl Write, kind: Kind, payload: &[u8]) -> io::Result<()> {
    to.write_all(&head(kind, payload.len()))?;
    to.write_all(payload)
}

/// Writes `value` as a frame of JSON.
pub(crate) fn write_json(
    to: &mut impl Write,
    kind: Kind,
    value: &impl Serialize,
) -> io::Result<()> {
    write(to, kind, &serde_json::to_vec(value)?)
}

/// Reads one frame; `None` at the end of the stream.
pub(crate) fn read(from: &mut impl Read) -> io::Result<Option<(Kind, Vec<u8>)>> {
    let mut bytes = [0; HEAD_BYTES];
    match from.read_exact(&mut bytes) {
        Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let (kind, len) = parse_head(bytes)?;
    let mut payload = vec![0; len];
    from.read_exact(&mut payload)?;
    Ok(Some((kind, payload)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in() {
        let mut stream = Vec::new();
        write(&mut stream, Kind::Stdout, b"hello").unwrap();
        write(&mut stream, Kind::Blob, b"").unwrap();
        let mut stream = stream.as_slice();
        assert_eq!(read(&mut stream).unwrap(), Some((Kind::Stdout, b"hello".to_vec())));
        assert_eq!(read(&mut stream).unwrap(), Some((Kind::Blob, Vec::new())));
        assert_eq!(read(&mut stream).unwrap(), None);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        assert!(parse_head(*b"?\0\0\0\0").is_err());
        assert!(parse_head([b'B', 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(read(&mut b"B\x05\0\0\0abc".as_slice()).is_err());
    }
}
