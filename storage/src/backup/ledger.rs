//! The ledger of erasures: a text file that only grows, a line for each.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::Context;
use domain::{at::At, stream::Stream};

use super::{BackupError, Erased};

/// What stands in the ledger at `path`; nothing when there is none yet.
pub fn read(path: &Path) -> Result<Vec<Erased>, BackupError> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        read => read.with_context(|| format!("reading {}", path.display()))?,
    };
    let line = |(nth, line): (usize, &str)| {
        parse(line).with_context(|| format!("line {} of {} is damaged", nth + 1, path.display()))
    };
    Ok(text.lines().enumerate().map(line).collect::<anyhow::Result<_>>()?)
}

/// A line: when, in ms since 1970, and which stream.
fn parse(line: &str) -> Option<Erased> {
    let (at, stream) = line.split_once(' ')?;
    Some((stream.parse::<Stream>().ok()?, At(at.parse().ok()?)))
}

/// Adds those of `erased` that are not in the ledger at `path` yet. Answers how many.
pub fn add(path: &Path, erased: &[Erased]) -> Result<usize, BackupError> {
    let known: BTreeMap<Stream, At> = read(path)?.into_iter().collect();
    let new: Vec<_> = erased.iter().filter(|(stream, _)| !known.contains_key(stream)).collect();
    let lines: String = new.iter().map(|(stream, at)| format!("{} {stream}\n", at.0)).collect();
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(lines.as_bytes())?;
    file.sync_all()?;
    Ok(new.len())
}

/// Rows of a table of streams as the ledger has them.
pub(super) fn streams(rows: Vec<(String, i64)>) -> Result<Vec<Erased>, BackupError> {
    let erased = |(stream, at): (String, i64)| Some((stream.parse().ok()?, At(at)));
    let all: Option<Vec<Erased>> = rows.into_iter().map(erased).collect();
    Ok(all.context("the name of a stream is damaged")?)
}
