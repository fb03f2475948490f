//! Blobs: a map by SHA-256.

use std::collections::HashMap;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{blob::Blob, ports, ports::Unavailable};

use super::{Memory, lock};

pub(super) type Blobs = HashMap<String, Bytes>;

#[async_trait]
impl ports::Blobs for Memory {
    async fn put(&self, bytes: Bytes) -> Result<Blob, Unavailable> {
        let blob = Blob::of(&bytes);
        lock(&self.blobs).insert(blob.sha256.clone(), bytes);
        Ok(blob)
    }

    async fn get(&self, sha256: &str) -> Result<Option<Bytes>, Unavailable> {
        Ok(lock(&self.blobs).get(sha256).cloned())
    }
}
