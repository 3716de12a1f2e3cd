//! The keys that tokens are verified by: read at the start and again and again, from a file or from their issuer.

mod fetch;
mod source;
mod status;

use std::{sync::Arc, time::Duration};

use gateway::auth::jwt::JwtVerifier;
use tokio::{task::JoinHandle, time::sleep};

use crate::{config::JwtSection, limits, push::TrustError};

pub use fetch::FetchError;
pub use source::KeySourceError;
use source::{Keys, Source};
pub(crate) use status::JwtStatus;

/// Why tokens can't be taken as it was asked for.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum JwtError {
    #[error("{0}")]
    Trust(#[from] TrustError),
    #[error("the keys for JWT can't be used: {0}")]
    Keys(#[from] KeySourceError),
}

/// What takes tokens on a running node. Dropping it ends the reading of keys.
pub(crate) struct JwtService {
    status: Arc<JwtStatus>,
    refreshing: JoinHandle<()>,
}

/// Reads the keys again and again.
struct Refresh {
    source: Source,
    status: Arc<JwtStatus>,
    interval: Duration,
    /// What was read last and could be used.
    seen: Option<Vec<u8>>,
}

impl JwtService {
    /// Reads the keys, if tokens are to be taken. An issuer that can't be reached may come yet: until then no token is taken.
    ///
    /// # Errors
    /// A file can't be used.
    pub(crate) async fn start(section: &JwtSection) -> Result<Option<Self>, JwtError> {
        if !section.is_on() {
            return Ok(None);
        }
        let source = Source::new(section)?;
        let status = Arc::new(JwtStatus::new(JwtVerifier::new(section.rules())));
        let interval = Duration::from_millis(section.refresh_interval_ms);
        let mut refresh = Refresh { source, status: Arc::clone(&status), interval, seen: None };
        if let Source::File { .. } = refresh.source {
            refresh.refresh().await?;
        }
        let refreshing = tokio::spawn(refresh.run());
        Ok(Some(Self { status, refreshing }))
    }

    /// What metrics tell, and what verifies tokens.
    pub(crate) fn status(&self) -> &Arc<JwtStatus> {
        &self.status
    }
}

impl Drop for JwtService {
    fn drop(&mut self) {
        self.refreshing.abort();
    }
}

impl Refresh {
    async fn run(mut self) {
        let mut pause = if self.seen.is_some() { self.interval } else { Duration::ZERO };
        let mut failing = limits::JWKS_RETRY_MIN;
        loop {
            sleep(pause).await;
            match self.refresh().await {
                Ok(()) => (pause, failing) = (self.interval, limits::JWKS_RETRY_MIN),
                Err(error) => {
                    self.status.count_failure();
                    pause = failing.min(self.interval);
                    failing = (failing * 2).min(limits::JWKS_RETRY_MAX);
                    tracing::warn!(%error, ?pause, "the keys for JWT stay as they are");
                }
            }
        }
    }

    async fn refresh(&mut self) -> Result<(), KeySourceError> {
        let bytes = self.source.read().await?;
        if self.seen.as_ref() == Some(&bytes) {
            self.status.count_unchanged();
            return Ok(());
        }
        let Keys(keys) = self.source.parse(&bytes)?;
        tracing::info!(keys = keys.len(), "the keys for JWT were read");
        self.status.replace(keys);
        self.seen = Some(bytes);
        Ok(())
    }
}
