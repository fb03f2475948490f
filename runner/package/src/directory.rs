//! Packages in a directory. Links are followed to files inside of it and nowhere else.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use crate::{
    Refusal,
    tree::{Intake, Quota, Tree},
};

pub(crate) fn read(root: &Path, quota: Quota) -> Result<Tree, Refusal> {
    let root = root.canonicalize().map_err(|_| unreadable(root, root))?;
    let name = root.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut intake = Intake::new(name.unwrap_or_default(), quota);
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|_| unreadable(&root, &folder))?;
        for entry in entries {
            let entry = entry.map_err(|_| unreadable(&root, &folder))?;
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if !hidden || entry.file_name() == ".timelimit" {
                folders.extend(take(&root, &entry.path(), &mut intake)?);
            }
        }
    }
    intake.finish()
}

/// Takes one entry in; gives it back when it is a folder to be gone through.
fn take(root: &Path, path: &Path, intake: &mut Intake) -> Result<Option<PathBuf>, Refusal> {
    let inside = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
    let name = intake.enter(&inside)?;
    let kind = fs::symlink_metadata(path).map_err(|_| unreadable(root, path))?;
    if kind.is_dir() {
        return Ok(Some(path.to_owned()));
    }
    let target = path.canonicalize().map_err(|_| unreadable(root, path))?;
    if !target.starts_with(root) {
        return Err(Refusal::Outside(name));
    }
    // A pipe would wait for ever, and a link to a folder may lead back to itself.
    if !target.is_file() {
        return Err(Refusal::NotAFile(name));
    }
    let file = File::open(&target).map_err(|_| unreadable(root, path))?;
    intake.take(name, file)?;
    Ok(None)
}

fn unreadable(root: &Path, path: &Path) -> Refusal {
    let inside = path.strip_prefix(root).ok().filter(|inside| !inside.as_os_str().is_empty());
    Refusal::Unreadable(inside.unwrap_or(path).to_string_lossy().into_owned())
}
