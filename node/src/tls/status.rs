//! Which certificate is in use, and how replacing it has gone.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::SystemTime,
};

use gateway::tls::{TlsPort, TlsSetup};

use super::TlsFilesError;

/// Written by the control thread, read when metrics are scraped.
#[derive(Debug)]
pub(crate) struct TlsStatus {
    port: TlsPort,
    replaced: AtomicU64,
    failed: AtomicU64,
}

impl TlsStatus {
    pub(super) const fn new(port: TlsPort) -> Self {
        Self { port, replaced: AtomicU64::new(0), failed: AtomicU64::new(0) }
    }

    pub(super) const fn port(&self) -> &TlsPort {
        &self.port
    }

    /// Whether a setup is no worse than the one in use: one that has expired does not take the place of one that has not.
    pub(super) fn check_replacement(&self, setup: &TlsSetup) -> Result<(), TlsFilesError> {
        let now = now();
        if setup.not_after() <= now && self.port.not_after() > now {
            return Err(TlsFilesError::Expired { path: PathBuf::from("tls.cert_file") });
        }
        Ok(())
    }

    pub(super) fn replace(&self, setup: TlsSetup) {
        self.port.replace(setup);
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
        self.port.not_after().saturating_sub(now())
    }
}

/// Seconds since the Unix epoch.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
