//! A set of keys: a JWK Set (RFC 7517) of public ones, or one secret; never both.

use serde::Deserialize;

use super::{JwtError, header::Header, key::Key, members::Members};
use crate::limits::{JWKS_BYTES_MAX, JWKS_KEYS_MAX, JWT_KEYS_TRIED_MAX, JWT_SECRET_BYTES_MIN};

/// The keys that tokens may be signed by.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// Why something is no set of keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum KeySetError {
    #[error("it is larger than {JWKS_BYTES_MAX} bytes")]
    TooLarge,
    #[error("it is no JWK Set: {reason}")]
    Malformed { reason: String },
    #[error("it has more than {JWKS_KEYS_MAX} keys")]
    TooMany,
    #[error("none of its {found} keys can be used: a public key of RSA, P-256 or Ed25519, for signatures")]
    NoneUsable { found: usize },
    #[error("a secret has at least {JWT_SECRET_BYTES_MIN} bytes")]
    SecretTooShort,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Members>,
}

impl KeySet {
    /// Reads a JWK Set. Keys that can't be used here are passed over.
    ///
    /// # Errors
    /// It is none, or has no key that can be used.
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        if json.len() > JWKS_BYTES_MAX {
            return Err(KeySetError::TooLarge);
        }
        let Jwks { keys: found } =
            serde_json::from_slice(json).map_err(|error| KeySetError::Malformed { reason: error.to_string() })?;
        if found.len() > JWKS_KEYS_MAX {
            return Err(KeySetError::TooMany);
        }
        let keys: Vec<_> = found.iter().filter_map(Key::public).collect();
        if keys.is_empty() { Err(KeySetError::NoneUsable { found: found.len() }) } else { Ok(Self { keys }) }
    }

    /// A set of one secret, for `HS256` alone.
    ///
    /// # Errors
    /// It is too short to be one.
    pub fn secret(bytes: &[u8]) -> Result<Self, KeySetError> {
        if bytes.len() < JWT_SECRET_BYTES_MIN {
            return Err(KeySetError::SecretTooShort);
        }
        Ok(Self { keys: vec![Key::secret(bytes)] })
    }

    /// How many keys it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys that a header may mean: those of its id, or, without one, the only key for its algorithm. A key without an
    /// id may be meant by any.
    pub(super) fn candidates<'s>(&'s self, header: &'s Header) -> Result<impl Iterator<Item = &'s Key>, JwtError> {
        let named = header.key_id.as_deref();
        let is_meant = move |key: &&Key| {
            key.is_for(header.algorithm) && named.is_none_or(|named| key.id().is_none_or(|id| id == named))
        };
        let tried_max = if named.is_none() { 1 } else { JWT_KEYS_TRIED_MAX };
        let meant = self.keys.iter().filter(is_meant);
        if (1..=tried_max).contains(&meant.clone().count()) { Ok(meant) } else { Err(JwtError::Key) }
    }
}
