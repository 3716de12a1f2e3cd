//! Until when the certificate in use is valid, and how replacing it has gone.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    time::SystemTime,
};

/// Written by the control thread, read when metrics are scraped.
#[derive(Debug)]
pub(crate) struct TlsStatus {
    /// In seconds since the Unix epoch.
    not_after: AtomicI64,
    replaced: AtomicU64,
    failed: AtomicU64,
}

impl TlsStatus {
    pub(crate) const fn new(not_after: i64) -> Self {
        Self { not_after: AtomicI64::new(not_after), replaced: AtomicU64::new(0), failed: AtomicU64::new(0) }
    }

    /// Whether a certificate is no worse than the one in use: one that has expired does not take the place of one that has
    /// not.
    pub(super) fn may_be_replaced_by(&self, not_after: i64) -> bool {
        let now = now();
        not_after > now || self.not_after.load(Relaxed) <= now
    }

    pub(super) fn count_replaced(&self, not_after: i64) {
        self.not_after.store(not_after, Relaxed);
        self.replaced.fetch_add(1, Relaxed);
    }

    pub(super) fn count_failure(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    /// How often the certificate was replaced, and how often what was found could not be used.
    pub(crate) fn reloads(&self) -> [(&'static str, u64); 2] {
        [("replaced", self.replaced.load(Relaxed)), ("failed", self.failed.load(Relaxed))]
    }

    /// For how many seconds the certificate in use is still valid; negative once it is not.
    pub(crate) fn expires_in(&self) -> i64 {
        self.not_after.load(Relaxed).saturating_sub(now())
    }
}

/// Seconds since the Unix epoch.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_expired_replaces_only_what_has_too() {
        let (past, future) = (now() - 10, now() + 1_000);
        assert!(!TlsStatus::new(future).may_be_replaced_by(past));
        assert!(TlsStatus::new(past).may_be_replaced_by(past - 1));
        assert!(TlsStatus::new(past).may_be_replaced_by(future));
    }
}
