//! What some languages need beside `/usr`: small files of settings, copied once for each helper.
//! Mounted, each would cost every run a little.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

/// The longest file that is copied, in bytes, and how deep it may lie.
const FILE_BYTES_MAX: u64 = 1 << 20;
const DEPTH_MAX: u8 = 8;

/// Copies `path` of the machine to the same place below `root`, if it is there. A name that ends
/// in `*` stands for all of its directory that begin with it.
pub(crate) fn copy(path: &Path, root: &Path) -> io::Result<()> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let name = name.to_string_lossy();
    let Some(start) = name.strip_suffix('*') else { return copy_to(path, root) };
    for entry in fs::read_dir(dir)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(start) {
            copy_to(&entry.path(), root)?;
        }
    }
    Ok(())
}

fn copy_to(path: &Path, root: &Path) -> io::Result<()> {
    let Ok(below) = path.strip_prefix("/") else { return Ok(()) };
    let to = root.join(below);
    if path.symlink_metadata().is_err() || to.symlink_metadata().is_ok() {
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    copy_tree(path, &to, 0)
}

/// Copies what everybody may read: directories, plain files, and links as they are.
fn copy_tree(from: &Path, to: &Path, depth: u8) -> io::Result<()> {
    let found = from.symlink_metadata()?;
    if found.is_symlink() {
        return std::os::unix::fs::symlink(fs::read_link(from)?, to);
    }
    let is_public = found.permissions().mode() & 0o004 != 0;
    if found.is_file() && is_public && found.len() <= FILE_BYTES_MAX {
        return fs::write(to, fs::read(from)?);
    }
    if found.is_dir() && is_public && depth < DEPTH_MAX {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)?.flatten() {
            copy_tree(&entry.path(), &to.join(entry.file_name()), depth + 1)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_may_read_is_copied_and_nothing_else() {
        let (machine, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dir = machine.path().join("etc/java-17/lib");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("jvm.cfg"), "-server").unwrap();
        fs::write(dir.join("secret"), "secret").unwrap();
        fs::set_permissions(dir.join("secret"), fs::Permissions::from_mode(0o640)).unwrap();
        fs::write(machine.path().join("etc/shadow"), "secret").unwrap();
        std::os::unix::fs::symlink("/nowhere", dir.join("link")).unwrap();
        copy(&machine.path().join("etc/java-*"), root.path()).unwrap();
        copy(&machine.path().join("etc/none"), root.path()).unwrap();
        let copied = root.path().join(dir.strip_prefix("/").unwrap());
        assert_eq!(fs::read(copied.join("jvm.cfg")).unwrap(), b"-server");
        assert_eq!(fs::read_link(copied.join("link")).unwrap(), Path::new("/nowhere"));
        assert!(!copied.join("secret").exists());
        assert!(!copied.join("../../shadow").exists());
    }
}
