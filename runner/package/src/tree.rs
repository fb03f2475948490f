//! The files of a package, in memory, whether they came from a directory or from a zip.
//! Counts what is really read and refuses what is too much, whatever a header claims.

use std::{collections::BTreeMap, io::Read};

use bytes::Bytes;

use crate::Refusal;

/// How many files and folders a package has at most; the largest public ones have about 2,000.
pub(crate) const FILES_MAX: usize = 10_000;
/// How many bytes one file has at most.
pub(crate) const FILE_BYTES_MAX: u64 = 64 << 20;
/// How many bytes all files have at most, since all are in memory at once.
pub(crate) const TOTAL_BYTES_MAX: u64 = 256 << 20;
/// How many folders a file lies in at most.
pub(crate) const DEPTH_MAX: usize = 12;

/// How much may be read; smaller in tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quota {
    pub(crate) files: usize,
    pub(crate) file_bytes: u64,
    pub(crate) total_bytes: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self { files: FILES_MAX, file_bytes: FILE_BYTES_MAX, total_bytes: TOTAL_BYTES_MAX }
    }
}

/// Files by their path from the package's root, with `/` between folders.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// The name of the package's folder; empty when it is not known.
    pub(crate) name: String,
    files: BTreeMap<String, Bytes>,
}

impl Tree {
    pub(crate) fn get(&self, path: &str) -> Option<&Bytes> {
        self.files.get(path)
    }

    /// The files below `folder`, by their path from the root, in order.
    pub(crate) fn below(&self, folder: &str) -> impl Iterator<Item = (&str, &Bytes)> {
        let prefix = format!("{folder}/");
        self.files
            .range(prefix.clone()..)
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .map(|(path, bytes)| (path.as_str(), bytes))
    }

    pub(crate) fn has_folder(&self, folder: &str) -> bool {
        self.below(folder).next().is_some()
    }

    /// The same tree, with the root where `problem.yaml` is: a zip often has one folder around all.
    pub(crate) fn rooted(mut self) -> Result<Self, Refusal> {
        if self.files.contains_key("problem.yaml") {
            return Ok(self);
        }
        let mut tops = self.files.keys().filter(|path| !path.starts_with("__MACOSX/"));
        let folder = tops.next().and_then(|path| path.split_once('/')).map(|(top, _)| top);
        let folder = folder.ok_or(Refusal::NoProblemYaml)?.to_owned();
        let inner: BTreeMap<_, _> = self
            .below(&folder)
            .filter_map(|(path, bytes)| {
                Some((path.split_once('/')?.1.to_owned(), Bytes::clone(bytes)))
            })
            .collect();
        if !inner.contains_key("problem.yaml") {
            return Err(Refusal::NoProblemYaml);
        }
        self.name = folder;
        self.files = inner;
        Ok(self)
    }
}

/// Takes files in, one after the other, until the quota is used up.
#[derive(Debug)]
pub(crate) struct Intake {
    tree: Tree,
    quota: Quota,
    seen: usize,
    taken: u64,
}

impl Intake {
    pub(crate) fn new(name: String, quota: Quota) -> Self {
        Self { tree: Tree { name, files: BTreeMap::new() }, quota, seen: 0, taken: 0 }
    }

    /// Counts an entry, be it a file or a folder, and gives its path from the root.
    pub(crate) fn enter(&mut self, raw: &str) -> Result<String, Refusal> {
        self.seen += 1;
        if self.seen > self.quota.files {
            return Err(Refusal::TooManyFiles);
        }
        safe_path(raw)
    }

    /// Takes a file in. Hidden files count but are not kept: they are an editor's, not a package's.
    pub(crate) fn take(&mut self, path: String, file: impl Read) -> Result<(), Refusal> {
        let mut bytes = Vec::new();
        let left = self.quota.total_bytes.saturating_sub(self.taken);
        let limit = left.min(self.quota.file_bytes);
        file.take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|_| Refusal::Unreadable(path.clone()))?;
        let size = bytes.len() as u64;
        if size > self.quota.file_bytes {
            return Err(Refusal::FileTooLarge { path });
        }
        if size > left {
            return Err(Refusal::TooLarge);
        }
        self.taken += size;
        let hidden = path.split('/').any(|part| part.starts_with('.') && part != ".timelimit");
        if !hidden {
            self.tree.files.insert(path, bytes.into());
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Tree, Refusal> {
        self.tree.rooted()
    }
}

/// `raw` without `.` and empty parts; refused when it could name something outside.
fn safe_path(raw: &str) -> Result<String, Refusal> {
    let shown = || raw.escape_debug().to_string();
    if raw.contains('\\') || raw.chars().any(char::is_control) {
        return Err(Refusal::BadName(shown()));
    }
    let drive = raw.chars().nth(1) == Some(':');
    if raw.starts_with('/') || drive || raw.split('/').any(|part| part == "..") {
        return Err(Refusal::Outside(shown()));
    }
    let parts: Vec<_> = raw.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.len() > DEPTH_MAX {
        return Err(Refusal::TooDeep(shown()));
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_out_is_refused() {
        for path in ["../x", "a/../../x", "/etc/passwd", "C:/x", ".."] {
            assert_eq!(safe_path(path), Err(Refusal::Outside(path.to_owned())), "{path}");
        }
        for path in ["a\\b", "a\0b", "a\nb"] {
            assert!(matches!(safe_path(path), Err(Refusal::BadName(_))), "{path:?}");
        }
        assert!(matches!(safe_path(&"a/".repeat(20)), Err(Refusal::TooDeep(_))));
        assert_eq!(safe_path("./a//b"), Ok("a/b".to_owned()));
    }

    #[test]
    fn bytes_are_counted_as_they_are_read() {
        let quota = Quota { files: 3, file_bytes: 10, total_bytes: 15 };
        let mut intake = Intake::new(String::new(), quota);
        assert_eq!(intake.take("a".to_owned(), std::io::repeat(1).take(10)), Ok(()));
        let endless = intake.take("b".to_owned(), std::io::repeat(1));
        assert_eq!(endless, Err(Refusal::TooLarge));
        let mut intake = Intake::new(String::new(), quota);
        let endless = intake.take("b".to_owned(), std::io::repeat(1));
        assert_eq!(endless, Err(Refusal::FileTooLarge { path: "b".to_owned() }));
        for _ in 0..3 {
            intake.enter("c").unwrap();
        }
        assert_eq!(intake.enter("c"), Err(Refusal::TooManyFiles));
    }

    #[test]
    fn one_folder_around_all_is_taken_off() {
        let mut intake = Intake::new(String::new(), Quota::default());
        for path in ["__MACOSX/x", "sum/problem.yaml", "sum/data/sample/1.in"] {
            intake.take(path.to_owned(), std::io::empty()).unwrap();
        }
        let tree = intake.finish().unwrap();
        assert_eq!(tree.name, "sum");
        assert!(tree.get("problem.yaml").is_some());
        assert_eq!(
            tree.below("data").map(|(path, _)| path).collect::<Vec<_>>(),
            ["data/sample/1.in"]
        );
    }
}
