//! The cache's directory: a file for each compilation, written beside and moved into place, with a
//! checksum that is looked at before anything in it is believed.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW};
use sha2::{Digest, Sha256};

use super::Made;

/// The checksum of all that follows; whether there is a program; the length of what the compiler
/// said, which comes next, and then the program.
const SUM_BYTES: usize = 32;
const HEAD_BYTES: usize = SUM_BYTES + 1 + 4;
/// What a small file takes on a disk.
const BLOCK_BYTES: u64 = 4096;
/// Files that are still being written.
const UNFINISHED: &str = ".unfinished";

pub(super) struct Disk {
    dir: PathBuf,
    bytes_max: u64,
    /// Bytes in all files.
    bytes: Mutex<u64>,
    next: AtomicU64,
}

/// A file, in the order of use.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    /// Seconds and nanoseconds.
    used: (i64, i64),
    size: u64,
    path: PathBuf,
}

impl Disk {
    pub(super) fn open(dir: PathBuf, bytes_max: u64) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(UNFINISHED) {
                fs::remove_file(path)?;
            }
        }
        let disk = Self { dir, bytes_max, bytes: Mutex::new(0), next: AtomicU64::new(0) };
        disk.make_room(u64::MAX)?;
        Ok(disk)
    }

    /// What is under `key`. What is not whole counts as not there.
    pub(super) fn find(&self, key: &str) -> Option<Made> {
        let flags = rustix::fs::OFlags::NOFOLLOW.bits();
        let flags = i32::try_from(flags).expect("flags are small");
        let mut file =
            OpenOptions::new().read(true).custom_flags(flags).open(self.dir.join(key)).ok()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let made = parse(&bytes.into());
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let touched = Timestamps { last_access: now, last_modification: now };
        if let Err(why) = rustix::fs::futimens(&file, &touched) {
            tracing::debug!(%why, "what was used counts as unused");
        }
        made
    }

    pub(super) fn put(&self, key: &str, made: &Made) -> io::Result<()> {
        let bytes = to_bytes(made);
        let size = size(bytes.len() as u64);
        if size > self.bytes_max {
            return Ok(());
        }
        self.make_room(size)?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let beside = self.dir.join(format!("{key}.{number}{UNFINISHED}"));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(&bytes)?;
        // Without waiting for the disk: a file that a crash cut short has another checksum.
        fs::rename(&beside, self.dir.join(key))
    }

    /// Counts `size` more. Where that is too much, counts anew and deletes the least recently
    /// used, down to nine tenths, so that not every file that comes has to look at all others.
    fn make_room(&self, size: u64) -> io::Result<()> {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *bytes = bytes.saturating_add(size);
        if *bytes <= self.bytes_max {
            return Ok(());
        }
        let mut files = self.files()?;
        files.sort();
        let size = if size == u64::MAX { 0 } else { size };
        *bytes = files.iter().map(|file| file.size).sum::<u64>() + size;
        if *bytes <= self.bytes_max {
            return Ok(());
        }
        for Kept { size, path, .. } in files {
            if *bytes <= self.bytes_max / 10 * 9 {
                break;
            }
            fs::remove_file(path)?;
            *bytes -= size;
        }
        Ok(())
    }

    /// All files.
    fn files(&self) -> io::Result<Vec<Kept>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let found = entry.metadata()?;
            if found.is_file() && !entry.path().to_string_lossy().ends_with(UNFINISHED) {
                let used = (found.mtime(), found.mtime_nsec());
                files.push(Kept { used, size: size(found.len()), path: entry.path() });
            }
        }
        Ok(files)
    }
}

fn size(len: u64) -> u64 {
    len.next_multiple_of(BLOCK_BYTES)
}

fn to_bytes(made: &Made) -> Vec<u8> {
    let mut bytes = vec![0; SUM_BYTES];
    bytes.push(u8::from(made.artefact.is_some()));
    let len = u32::try_from(made.output.len()).expect("an excerpt is short");
    bytes.extend(len.to_le_bytes());
    bytes.extend(made.output.as_bytes());
    bytes.extend(made.artefact.iter().flatten());
    let (sum, rest) = bytes.split_at_mut(SUM_BYTES);
    sum.copy_from_slice(&Sha256::digest(rest));
    bytes
}

fn parse(bytes: &Bytes) -> Option<Made> {
    let (sum, rest) = bytes.split_at_checked(SUM_BYTES)?;
    if *sum != *Sha256::digest(rest) {
        return None;
    }
    let (head, rest) = rest.split_at_checked(HEAD_BYTES - SUM_BYTES)?;
    let (is_made, len) = head.split_first()?;
    let len = u32::from_le_bytes(len.try_into().ok()?) as usize;
    let output = String::from_utf8(rest.get(..len)?.to_vec()).ok()?;
    let artefact = (*is_made == 1).then(|| bytes.slice(HEAD_BYTES + len..));
    Some(Made { output, artefact })
}
