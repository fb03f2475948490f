//! The first administrator: a one-time link, printed by the server, good for half an hour.

use std::sync::{Mutex, PoisonError};

use domain::at::{At, Ms};

use crate::secret;

/// How long the link is good for.
const VALID: Ms = Ms(30 * 60_000);

/// See the module.
#[derive(Default)]
pub(crate) struct Setup(Mutex<Option<(String, At)>>);

impl Setup {
    /// Makes the link's token.
    pub(crate) fn offer(&self, now: At) -> String {
        let token = secret::token();
        let offered = (domain::blob::sha256_hex(token.as_bytes()), now + VALID);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(offered);
        token
    }

    /// Whether `token` is the one that was printed. It is good until [`Setup::done`].
    pub(crate) fn accepts(&self, token: &str, now: At) -> bool {
        let offered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Hashes are compared, so that the time it takes tells nothing of the token.
        offered.as_ref().is_some_and(|(hash, until)| {
            now < *until && *hash == domain::blob::sha256_hex(token.as_bytes())
        })
    }

    /// There is an administrator: the link ends.
    pub(crate) fn done(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_lasts_half_an_hour_and_ends_with_its_use() {
        let setup = Setup::default();
        let token = setup.offer(At(0));
        assert!(setup.accepts(&token, At(VALID.0 - 1)));
        assert!(!setup.accepts(&token, At(VALID.0)));
        assert!(!setup.accepts("guess", At(0)));
        setup.done();
        assert!(!setup.accepts(&token, At(0)));
    }
}
