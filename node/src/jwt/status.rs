//! Which keys are in use, and how reading them has gone.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use gateway::auth::jwt::{JwtVerifier, KeySet};

/// Written by the control thread, read when metrics are scraped.
#[derive(Debug)]
pub(crate) struct JwtStatus {
    verifier: JwtVerifier,
    replaced: AtomicU64,
    unchanged: AtomicU64,
    failed: AtomicU64,
}

impl JwtStatus {
    pub(crate) const fn new(verifier: JwtVerifier) -> Self {
        Self { verifier, replaced: AtomicU64::new(0), unchanged: AtomicU64::new(0), failed: AtomicU64::new(0) }
    }

    /// What verifies tokens.
    pub(crate) const fn verifier(&self) -> &JwtVerifier {
        &self.verifier
    }

    pub(super) fn replace(&self, keys: KeySet) {
        self.verifier.replace(keys);
        self.replaced.fetch_add(1, Relaxed);
    }

    pub(super) fn count_unchanged(&self) {
        self.unchanged.fetch_add(1, Relaxed);
    }

    pub(super) fn count_failure(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    /// How often the keys were read, by what came of it.
    pub(crate) fn refreshes(&self) -> [(&'static str, u64); 3] {
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        [("replaced", count(&self.replaced)), ("unchanged", count(&self.unchanged)), ("failed", count(&self.failed))]
    }
}
