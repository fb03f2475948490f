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

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    const SMALL: Quota = Quota { files: 4, file_bytes: 1_000, total_bytes: 2_500 };

    #[test]
    fn a_bomb_is_refused_once_it_has_unpacked_too_much() {
        let zeros = vec![0; 100_000];
        let refusal = read(packed(&[("problem.yaml", &[]), ("bomb", &zeros)]), SMALL);
        assert_eq!(refusal.unwrap_err(), Refusal::FileTooLarge { path: "bomb".to_owned() });
        let files = [("a", &zeros[..900]), ("b", &zeros[..900]), ("c", &zeros[..900])];
        assert_eq!(read(packed(&files), SMALL).unwrap_err(), Refusal::TooLarge);
        let files = [("a", &[][..]), ("b", &[]), ("c", &[]), ("d", &[]), ("e", &[])];
        assert_eq!(read(packed(&files), SMALL).unwrap_err(), Refusal::TooManyFiles);
    }

    #[test]
    fn a_size_in_a_header_is_not_believed() {
        let mut zip = packed(&[("bomb", &vec![0; 100_000])]).into_inner();
        let claimed = 100_000_u32.to_le_bytes();
        for at in 0..zip.len() - 4 {
            if zip[at..at + 4] == claimed {
                zip[at..at + 4].copy_from_slice(&7_u32.to_le_bytes());
            }
        }
        let refusal = read(Cursor::new(zip), SMALL).unwrap_err();
        assert_eq!(refusal, Refusal::FileTooLarge { path: "bomb".to_owned() });
    }

    fn packed(files: &[(&str, &[u8])]) -> Cursor<Vec<u8>> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (path, bytes) in files {
            zip.start_file(*path, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap()
    }
}
