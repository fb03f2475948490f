//! Large bytes, kept once under the SHA-256 of what they are.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How many characters of a blob its name carries, to be shown in lists.
const HEAD_CHARS: usize = 80;

/// Names bytes that are kept in the blob store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Blob {
    /// Lower-case hexadecimal, 64 characters (FIPS 180-4).
    pub sha256: String,
    /// In bytes.
    #[cfg_attr(test, ts(type = "number"))]
    pub size: u64,
    /// The first characters, for lists; what is not UTF-8 is replaced.
    pub head: String,
}

impl Blob {
    /// The name of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let start = bytes.get(..HEAD_CHARS * 4).unwrap_or(bytes);
        let head = String::from_utf8_lossy(start).chars().take(HEAD_CHARS).collect();
        Self { sha256: sha256_hex(bytes), size: bytes.len() as u64, head }
    }
}

/// The SHA-256 of `bytes` as 64 lower-case hexadecimal characters (FIPS 180-4).
pub fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes everything");
        hex
    })
}
