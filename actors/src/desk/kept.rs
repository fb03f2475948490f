//! Bytes kept for the next time under the SHA-256 of what they are, within a limit.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;

/// See the module.
pub(crate) struct Kept {
    bytes_max: usize,
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    /// With when each was used last.
    known: HashMap<String, (Bytes, u64)>,
    bytes: usize,
    uses: u64,
}

impl Kept {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, all: Mutex::default() }
    }

    pub(crate) fn get(&self, sha256: &str) -> Option<Bytes> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.uses += 1;
        let now = all.uses;
        all.known.get_mut(sha256).map(|(bytes, used)| {
            *used = now;
            bytes.clone()
        })
    }

    /// Keeps `bytes`; what was not used for longest goes. What is larger than the limit is not kept.
    pub(crate) fn put(&self, sha256: &str, bytes: &Bytes) {
        if self.bytes_max < bytes.len() {
            return;
        }
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.uses += 1;
        let new = (bytes.clone(), all.uses);
        let old = all.known.insert(sha256.to_owned(), new);
        all.bytes += bytes.len();
        all.bytes -= old.map_or(0, |(bytes, _)| bytes.len());
        while self.bytes_max < all.bytes {
            let oldest = all.known.iter().min_by_key(|(_, (_, used))| *used);
            let Some(oldest) = oldest.map(|(sha256, _)| sha256.clone()) else { return };
            let gone = all.known.remove(&oldest);
            all.bytes -= gone.map_or(0, |(bytes, _)| bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let kept = Kept::new(10);
        let bytes = |n| Bytes::from(vec![0; n]);
        kept.put("a", &bytes(4));
        kept.put("b", &bytes(4));
        kept.get("a");
        kept.put("c", &bytes(4));
        assert!(kept.get("a").is_some() && kept.get("b").is_none() && kept.get("c").is_some());
        kept.put("a", &bytes(5));
        kept.put("d", &bytes(11));
        assert!(kept.get("a").is_some() && kept.get("c").is_some() && kept.get("d").is_none());
        kept.put("e", &bytes(10));
        assert!(kept.get("a").is_none() && kept.get("e").is_some());
    }
}
