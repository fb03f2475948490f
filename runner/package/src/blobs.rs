//! The blobs of a package, each once.

use std::collections::HashSet;

use bytes::Bytes;
use domain::blob::Blob;

#[derive(Debug, Default)]
pub(crate) struct Blobs {
    all: Vec<(Blob, Bytes)>,
    known: HashSet<String>,
}

impl Blobs {
    /// The name of `bytes`, which are kept.
    pub(crate) fn add(&mut self, bytes: &Bytes) -> Blob {
        let blob = Blob::of(bytes);
        if self.known.insert(blob.sha256.clone()) {
            self.all.push((blob.clone(), bytes.clone()));
        }
        blob
    }

    pub(crate) fn into_all(self) -> Vec<(Blob, Bytes)> {
        self.all
    }
}
