//! A key as the cluster keeps it: never its secret, only what the secret can be checked against.

use std::{borrow::Borrow, fmt};

use serde::{Deserialize, Serialize};
use shard_core::model::Timestamp;

use super::{PrincipalName, wire};
use crate::limits;

/// What a key is called: 12 of `a-z 0-9`. It is no secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

/// Text that is no key's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key's id is {length} of the characters a-z 0-9", length = limits::KEY_ID_LENGTH)]
pub struct InvalidKeyId;

/// The SHA-256 of a key's secret. It shows in no log.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyHash([u8; 32]);

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// What it is called.
    pub id: KeyId,
    /// Whom it proves to be there.
    pub principal: PrincipalName,
    /// What its secret is checked against.
    pub hash: KeyHash,
    /// When it was made, by its proposer's clock.
    #[serde(with = "wire::timestamp")]
    pub created_at: Timestamp,
    /// From when on it counts for nothing.
    #[serde(with = "wire::optional_timestamp")]
    pub expires_at: Option<Timestamp>,
}

impl KeyId {
    /// Takes an id.
    ///
    /// # Errors
    /// It breaks the rule for ids.
    pub fn new(id: &str) -> Result<Self, InvalidKeyId> {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if id.len() != limits::KEY_ID_LENGTH || !id.bytes().all(known) {
            return Err(InvalidKeyId);
        }
        Ok(Self(id.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyId {
    type Error = InvalidKeyId;

    fn try_from(id: String) -> Result<Self, InvalidKeyId> {
        Self::new(&id)
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

impl Borrow<str> for KeyId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl KeyHash {
    /// Wraps a hash.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to compare in constant time.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

impl ApiKey {
    /// Whether it counts at that time.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_twelve_small_letters_and_digits() {
        assert!(KeyId::new("abcdefgh0123").is_ok());
        for id in ["", "abcdefgh012", "abcdefgh01234", "Abcdefgh0123", "abcdefgh_123"] {
            assert!(KeyId::new(id).is_err(), "{id}");
        }
    }

    #[test]
    fn the_hash_of_a_secret_does_not_show() {
        assert_eq!(format!("{:?}", KeyHash::new([7; 32])), "KeyHash(…)");
    }
}
