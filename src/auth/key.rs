//! Access keys as the verification sees them.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::types::AccountId;

/// An access key's secret: shared, wiped from memory with its last holder, never printed.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<Vec<u8>>>);

impl Secret {
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes.into())))
    }

    /// The bytes themselves; keep them out of logs, errors and messages.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// What an access key id stands for.
#[derive(Clone, Debug)]
pub struct Key {
    pub secret: Secret,
    pub account: AccountId,
}

/// A secret to calculate with where there is none, so that an unknown key takes as long as a wrong one.
const NOBODY: &[u8] = b"nobody-nobody-nobody-nobody-nobody-nobod";

/// Runs `matches` with the key's secret, or with nobody's; `Ok` only for a known key that matches.
pub(super) fn check(
    key: Option<&Key>,
    unknown: super::AuthError,
    mismatch: super::AuthError,
    matches: impl FnOnce(&[u8]) -> bool,
) -> Result<AccountId, super::AuthError> {
    let matched = matches(key.map_or(NOBODY, |key| key.secret.expose()));
    match key {
        Some(key) if matched => Ok(key.account),
        Some(_) => Err(mismatch),
        None => Err(unknown),
    }
}
