//! The rules and the set of keys in use, for all cores.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{Claims, JwtError, JwtRules, KeySet, verify};

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
