//! The directory in which a judging program leaves its feedback, and how that is taken out: as
//! untrusted as everything that a run leaves.

use std::os::fd::OwnedFd;

use bytes::Bytes;
use rustix::fs::{Dir, Mode, OFlags, ResolveFlags};

use crate::init;

/// Its name in the work directory, which no source file can have.
pub(crate) const DIRECTORY: &str = ".feedback";
/// How many entries of it are looked at.
const ENTRIES_MAX: usize = 64;
/// How many bytes are taken out of it, of all files together.
const BYTES_MAX: u64 = 16 << 20;

/// The plain files in `directory` of `work`, each as its name, a NUL, and its bytes.
/// What is anything else, or no longer bearable, is left behind.
pub(crate) fn collect(work: &OwnedFd, directory: &str) -> Vec<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let Ok(directory) = rustix::fs::openat2(work, directory, flags, Mode::empty(), resolve) else {
        return Vec::new();
    };
    let Ok(entries) = Dir::read_from(&directory) else { return Vec::new() };
    let mut room = BYTES_MAX;
    let mut files = Vec::new();
    for entry in entries.flatten().take(ENTRIES_MAX) {
        let Ok(name) = entry.file_name().to_str() else { continue };
        let Ok(bytes) = init::collect(&directory, name, room) else { continue };
        room -= bytes.len() as u64;
        files.push([name.as_bytes(), b"\0", &bytes].concat());
    }
    files
}

/// The name and the bytes of a file that was collected.
pub(crate) fn parse(payload: &Bytes) -> Option<(String, Bytes)> {
    let end = payload.iter().position(|byte| *byte == 0)?;
    let name = std::str::from_utf8(payload.get(..end)?).ok()?;
    Some((name.to_owned(), payload.slice(end + 1..)))
}
