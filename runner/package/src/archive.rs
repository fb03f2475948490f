//! Packages in a zip. Nothing is written to the disk, and no entry is believed.

use std::io::{Read, Seek};

use zip::{ZipArchive, result::ZipError};

use crate::{
    Refusal,
    tree::{Intake, Quota, Tree},
};

/// The bits of a Unix mode that say what kind of entry it is, and the kinds that are taken.
const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;

pub(crate) fn read(zip: impl Read + Seek, quota: Quota) -> Result<Tree, Refusal> {
    let mut archive = ZipArchive::new(zip).map_err(|_| Refusal::NotAZip)?;
    let mut intake = Intake::new(String::new(), quota);
    // Before any entry is unpacked, which is the expensive part.
    if archive.len() > quota.files {
        return Err(Refusal::TooManyFiles);
    }
    for index in 0..archive.len() {
        if let Some(path) = enter(&mut archive, index, &mut intake)? {
            let entry = archive.by_index(index).map_err(|why| unreadable(&why, &path))?;
            intake.take(path, entry)?;
        }
    }
    intake.finish()
}

/// The path of an entry if it is a file to be taken.
fn enter<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    index: usize,
    intake: &mut Intake,
) -> Result<Option<String>, Refusal> {
    let entry = archive.by_index_raw(index).map_err(|_| Refusal::NotAZip)?;
    let path = intake.enter(entry.name())?;
    let kind = entry.unix_mode().unwrap_or(0) & KIND;
    if entry.is_symlink() || ![0, REGULAR, FOLDER].contains(&kind) {
        return Err(Refusal::NotAFile(path));
    }
    if entry.encrypted() {
        return Err(Refusal::Encrypted(path));
    }
    Ok((!entry.is_dir()).then_some(path))
}

fn unreadable(why: &ZipError, path: &str) -> Refusal {
    let locked = ZipError::PASSWORD_REQUIRED;
    if matches!(why, ZipError::UnsupportedArchive(reason) if *reason == locked) {
        return Refusal::Encrypted(path.to_owned());
    }
    Refusal::Unreadable(path.to_owned())
}
