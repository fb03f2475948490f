//! Secrets: tokens from the system's randomness, and passwords.

use argon2::{
    Argon2, PasswordHash, PasswordHasher, PasswordVerifier,
    password_hash::{SaltString, rand_core::OsRng},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use tokio::sync::Semaphore;

/// The shortest password that is taken.
pub(crate) const PASSWORD_MIN: usize = 9;
/// The longest: hashing is meant to be slow, but not for ever.
pub(crate) const PASSWORD_MAX: usize = 256;
/// How many passwords are hashed at once: each takes 19 MiB and a core for a while.
static HASHING: Semaphore = Semaphore::const_new(2);

/// A token of 256 random bits, in URL-safe Base64.
pub(crate) fn token() -> String {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Whether a password may be chosen: long enough, not all digits.
pub(crate) fn is_acceptable(password: &str) -> bool {
    (PASSWORD_MIN..=PASSWORD_MAX).contains(&password.chars().count())
        && !password.chars().all(|c| c.is_ascii_digit())
}

/// The hash to keep (argon2id, RFC 9106, with the crate's recommended cost).
pub(crate) async fn hash(password: String) -> anyhow::Result<String> {
    let _turn = HASHING.acquire().await?;
    tokio::task::spawn_blocking(move || {
        let salt = SaltString::generate(&mut OsRng);
        let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
        hash.map(|hash| hash.to_string()).map_err(|error| anyhow::anyhow!("{error}"))
    })
    .await?
}

/// Whether `password` is the one of `hash`. Without a hash it takes as long, and is not.
pub(crate) async fn verify(password: String, hash: Option<String>) -> bool {
    let Ok(_turn) = HASHING.acquire().await else { return false };
    let verified = tokio::task::spawn_blocking(move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODYS.to_owned());
        let parsed = PasswordHash::new(&hash);
        let fits = |parsed| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
        known && parsed.is_ok_and(fits)
    });
    verified.await.unwrap_or(false)
}

/// A hash that no password has, so that an unknown email takes as long as a known one.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$\
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_only() {
        let kept = hash("correct horse".to_owned()).await.unwrap();
        assert!(verify("correct horse".to_owned(), Some(kept.clone())).await);
        assert!(!verify("correct horsf".to_owned(), Some(kept)).await);
        assert!(!verify("correct horse".to_owned(), None).await);
    }

    #[test]
    fn short_passwords_and_numbers_are_not_acceptable() {
        assert!(!is_acceptable("12345678"));
        assert!(!is_acceptable("1234567890123"));
        assert!(is_acceptable("nine chars"));
    }
}
