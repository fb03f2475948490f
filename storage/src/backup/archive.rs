//! The file of a backup: compressed frames of bytes, each behind its length, and in
//! the end the SHA-256 of all of them.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::Path,
};

use anyhow::Context;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{BackupError, refused};

/// The first frame, which says what the file is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    /// The version of this format.
    pub(super) polycode_backup: u32,
    pub(super) of: Of,
    /// The version of the tables.
    pub(super) tables_version: i64,
    /// Milliseconds since 1970.
    pub(super) made_at: i64,
    pub(super) tables: u32,
}

/// What was backed up: it can only be put back into the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Of {
    #[serde(rename = "SQLite")]
    Sqlite,
    #[serde(rename = "PostgreSQL")]
    Postgres,
}

/// What stands before the rows of a table, which end with an empty frame.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
}

pub(super) const FORMAT: u32 = 1;

/// The longest frame: more than a row can have.
const FRAME_MAX: u32 = 1 << 30;

pub(super) struct Packer {
    out: GzEncoder<BufWriter<File>>,
    sum: Sha256,
}

impl Packer {
    pub(super) fn new(file: File) -> Self {
        let out = GzEncoder::new(BufWriter::new(file), Compression::fast());
        Self { out, sum: Sha256::new() }
    }

    pub(super) fn frame(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        for part in [&length.to_be_bytes()[..], bytes] {
            self.sum.update(part);
            self.out.write_all(part)?;
        }
        Ok(())
    }

    pub(super) fn json(&mut self, of: &impl Serialize) -> io::Result<()> {
        self.frame(&serde_json::to_vec(of)?)
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        let sum = self.sum.finalize();
        self.out.write_all(&sum)?;
        self.out.finish()?.flush()
    }
}

pub(super) struct Unpacker {
    from: GzDecoder<BufReader<File>>,
    sum: Sha256,
}

impl Unpacker {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let from = GzDecoder::new(BufReader::new(File::open(path)?));
        Ok(Self { from, sum: Sha256::new() })
    }

    /// The next frame.
    pub(super) fn frame(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.from.read_exact(&mut length)?;
        self.sum.update(length);
        let length = u32::from_be_bytes(length);
        if length > FRAME_MAX {
            return Err(io::Error::other("a frame is too long"));
        }
        let mut bytes = vec![];
        (&mut self.from).take(length.into()).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != u64::from(length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.sum.update(&bytes);
        Ok(bytes)
    }

    pub(super) fn json<T: DeserializeOwned>(&mut self) -> io::Result<T> {
        Ok(serde_json::from_slice(&self.frame()?)?)
    }

    /// Reads the sum in the end, and whether it is that of what was read.
    fn read_whole(mut self) -> io::Result<bool> {
        let mut sum = vec![];
        self.from.read_to_end(&mut sum)?;
        Ok(sum == self.sum.finalize()[..])
    }
}

/// Reads all of the file at `path`; whether it can be restored is known before anything is touched.
pub(super) fn check(path: &Path, of: Of) -> Result<Header, BackupError> {
    if !path.exists() {
        return refused(format!("there is no file {}", path.display()));
    }
    let mut unpacker =
        Unpacker::open(path).with_context(|| format!("opening {}", path.display()))?;
    let Ok(header) = unpacker.json::<Header>() else {
        return refused(format!("{} is no backup of Polycode", path.display()));
    };
    if header.of != of {
        return refused(format!(
            "{} is a backup of {:?}, not of {of:?}",
            path.display(),
            header.of
        ));
    }
    if header.polycode_backup > FORMAT {
        return refused(format!("{} was made by a newer Polycode", path.display()));
    }
    match read_through(unpacker, header.tables) {
        Ok(true) => Ok(header),
        Ok(false) => refused(format!("{} is damaged: its checksum is another", path.display())),
        Err(why) => refused(format!("{} is damaged: {why}", path.display())),
    }
}

fn read_through(mut unpacker: Unpacker, tables: u32) -> io::Result<bool> {
    for _ in 0..tables {
        unpacker.json::<Table>()?;
        while !unpacker.frame()?.is_empty() {}
    }
    unpacker.read_whole()
}
