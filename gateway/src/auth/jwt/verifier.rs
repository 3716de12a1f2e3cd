//! The rules and the set of keys in use, for all cores.

use std::sync::Arc;

use arc_swap::ArcSwap;

use raft::metadata::PrincipalName;
use shard_core::model::Timestamp;

use super::{Claims, JwtError, JwtRules, KeySet, verify};
use crate::auth::{TokenVerifier, Unproved};

/// Verifies tokens by the set of keys as it is. Clones share it; it is replaced by one thread and read by all cores.
#[derive(Clone, Debug)]
pub struct JwtVerifier {
    rules: Arc<JwtRules>,
    keys: Arc<ArcSwap<KeySet>>,
}

impl JwtVerifier {
    /// A verifier without keys: it takes no token until it is given some.
    #[must_use]
    pub fn new(rules: JwtRules) -> Self {
        Self { rules: Arc::new(rules), keys: Arc::default() }
    }

    /// Has tokens verified by these keys from now on.
    pub fn replace(&self, keys: KeySet) {
        self.keys.store(Arc::new(keys));
    }

    /// How many keys the set has.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.keys.load().len()
    }

    /// Whom a token proves at the time `now`, in seconds since the Unix epoch: the principal is named by its subject.
    ///
    /// # Errors
    /// Why it proves nobody.
    pub fn verify(&self, token: &str, now: i64) -> Result<Claims, JwtError> {
        verify(token, &self.keys.load(), &self.rules, now)
    }
}

impl TokenVerifier for JwtVerifier {
    fn verify(&self, token: &str, now: Timestamp) -> Result<(PrincipalName, Timestamp), Unproved> {
        let claims = match self.verify(token, now.as_millis().div_euclid(1_000)) {
            Ok(claims) => claims,
            Err(JwtError::Expired) => return Err(Unproved::Expired),
            Err(error) => {
                tracing::debug!(%error, "a token was refused");
                return Err(Unproved::Invalid);
            }
        };
        let name = PrincipalName::new(&claims.subject).map_err(|_| Unproved::Invalid)?;
        Ok((name, Timestamp::from_millis(claims.valid_until.saturating_mul(1_000))))
    }
}
