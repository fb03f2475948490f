//! Where the packages are that others wrote. They are not part of this repository.

use std::path::{Path, PathBuf};

use package::Imported;

/// A real package by its name; none where they are not at hand, which is said.
///
/// Panics if they are missing under CI, where nothing may be left out.
pub(crate) fn real(name: &str) -> Option<Imported> {
    let path = shared().join("data/icpc-packages").join(name);
    if path.is_dir() {
        return Some(package::read_directory(&path).expect("it can be read"));
    }
    assert!(variable("CI").as_deref() != Some("true"), "{} is missing", path.display());
    eprintln!("1 case left out, since there is no {}", path.display());
    None
}

/// The directory of shared data, which usually lies beside the workspace.
fn shared() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    variable("POLYCODE_SHARED").map_or_else(beside, PathBuf::from)
}

#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own to parse")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
