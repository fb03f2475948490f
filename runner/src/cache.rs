//! What was compiled before, on disk: programs, and what compilers said. Only the server reads and
//! writes here, in a directory that no run sees; what a run does to its own copy stays there.

mod disk;

use std::{
    collections::HashMap,
    fmt::Write,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use anyhow::Context;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::frame::Order;
use disk::Disk;

/// What came of compiling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    /// The start of what the compiler said.
    pub(crate) output: String,
    /// The program; `None` if the sources are wrong.
    pub(crate) artefact: Option<Bytes>,
}

/// What tells one compilation from another: all that goes into it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(String);

impl Key {
    /// That of `order`, with the files' bytes `blobs`, given to the tool of this `identity`.
    pub(crate) fn of(identity: &str, order: &Order, blobs: &[Bytes]) -> Self {
        let mut hash = Sha256::new();
        let mut add = |bytes: &[u8]| {
            // The length keeps what follows apart.
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        add(b"polycode artefact 1");
        add(identity.as_bytes());
        let order = serde_json::to_vec(order).expect("orders are plain data");
        add(&order);
        for blob in blobs {
            add(blob);
        }
        let mut hex = String::new();
        for byte in hash.finalize() {
            write!(hex, "{byte:02x}").expect("a string takes everything");
        }
        Self(hex)
    }
}

/// The cache: bounded, the least recently used goes first.
pub(crate) struct Cache {
    disk: Arc<Disk>,
    /// One place for each compilation that goes on.
    going_on: Mutex<HashMap<Key, Weak<Semaphore>>>,
}

impl Cache {
    /// Keeps at most `bytes_max` in the directory `dir`, which is made if there is none.
    pub(crate) fn open(dir: PathBuf, bytes_max: u64) -> io::Result<Self> {
        Ok(Self { disk: Arc::new(Disk::open(dir, bytes_max)?), going_on: Mutex::default() })
    }

    /// Waits until nobody else compiles the same.
    pub(crate) async fn alone(&self, key: &Key) -> anyhow::Result<OwnedSemaphorePermit> {
        let place = {
            let mut going_on = self.going_on.lock().unwrap_or_else(PoisonError::into_inner);
            going_on.retain(|_, place| place.strong_count() > 0);
            let known = going_on.get(key).and_then(Weak::upgrade);
            let place = known.unwrap_or_else(|| Arc::new(Semaphore::new(1)));
            going_on.insert(key.clone(), Arc::downgrade(&place));
            place
        };
        place.acquire_owned().await.context("nobody closes it")
    }

    /// What was kept under `key`, if it is whole.
    pub(crate) async fn find(&self, key: &Key) -> anyhow::Result<Option<Made>> {
        let (disk, key) = (Arc::clone(&self.disk), key.clone());
        Ok(tokio::task::spawn_blocking(move || disk.find(&key.0)).await?)
    }

    /// Keeps `made`. A disk that does not take it is told of, and costs time only.
    pub(crate) async fn put(&self, key: &Key, made: &Made) -> anyhow::Result<()> {
        let (disk, key, made) = (Arc::clone(&self.disk), key.clone(), made.clone());
        let put = tokio::task::spawn_blocking(move || disk.put(&key.0, &made)).await?;
        if let Err(why) = put {
            tracing::warn!(%why, "what was compiled could not be kept");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
