//! A server that is told to require control groups, and one that does without.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
    process::{Command, Output},
};

use crate::setting::{Done, binary};

/// Who may make no groups: nobody at all.
const NOBODY: u32 = 65_534;

#[test]
fn without_control_groups_a_server_that_requires_them_ends_with_2_and_one_line() -> Done {
    let dir = std::env::temp_dir().join(format!("polycode-isolation-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    let checked = as_nobody(&dir, &["runner", "check"])?;
    let lacks = String::from_utf8_lossy(&checked.stdout).contains("missing control groups: ");
    // A user may have been given a group of their own.
    assert!(lacks || fs::metadata("/proc/self")?.uid() != 0, "nobody rules no group");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--isolation", "require-cgroup"];
    let ran = if lacks { as_nobody(&dir, &serve)? } else { return Ok(()) };
    let touched = dir.join("data").exists();
    fs::remove_dir_all(&dir)?;
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("polycode: control groups are required"), "{said}");
    assert!(!touched, "nothing was made of the data");
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{said}");
    assert!(said.contains("with `--isolation require-cgroup` it would not"), "{said}");
    Ok(())
}

/// Runs the program as an ordinary user; if this is root, as one who owns nothing but `dir`.
fn as_nobody(dir: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    let data = dir.join("data");
    let program = binary()?;
    let mut command = if fs::metadata("/proc/self")?.uid() == 0 {
        // Where it was built may not be for everybody to see.
        let copy = dir.join("polycode");
        fs::copy(program, &copy)?;
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755))?;
        chown(dir, Some(NOBODY), Some(NOBODY))?;
        let mut setpriv = Command::new("setpriv");
        setpriv.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy);
        setpriv
    } else {
        Command::new(program)
    };
    Ok(command.args(arguments).arg("--data").arg(data).env("RUST_LOG", "error").output()?)
}
