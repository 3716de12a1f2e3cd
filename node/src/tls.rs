//! The node's certificate: read at the start, looked at again while the node runs, and replaced without a restart.

mod files;
mod status;

use std::{sync::Arc, time::Duration};

use gateway::tls::TlsPort;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::{JoinHandle, spawn_blocking},
    time::{MissedTickBehavior, interval},
};

use crate::config::TlsSection;

pub use files::TlsFilesError;
use files::{Loaded, TlsFiles};
pub(crate) use status::TlsStatus;

/// The certificate of a running node. Dropping it ends the looking.
pub(crate) struct TlsService {
    status: Arc<TlsStatus>,
    looking: JoinHandle<()>,
}

/// Looks at the files.
struct Watch {
    files: TlsFiles,
    status: Arc<TlsStatus>,
    /// Of what was looked at last, whether it was of use or not.
    seen: Result<[u8; 32], String>,
}

impl TlsService {
    /// Reads the files; `None` if the node is to speak no TLS.
    ///
    /// # Errors
    /// The files can't be used.
    pub(crate) fn start(section: &TlsSection) -> Result<Option<Self>, TlsFilesError> {
        if !section.is_on() {
            return Ok(None);
        }
        let files = TlsFiles::new(section);
        let Loaded { setup, fingerprint } = files.load()?;
        if setup.not_after() <= status::now() {
            tracing::warn!("the certificate in tls.cert_file has expired: clients will refuse it");
        }
        let status = Arc::new(TlsStatus::new(TlsPort::new(setup)));
        let hangup = signal(SignalKind::hangup()).map_err(TlsFilesError::Signal)?;
        let watch = Watch { files, status: Arc::clone(&status), seen: Ok(fingerprint) };
        let every = Duration::from_millis(section.reload_interval_ms);
        let looking = tokio::spawn(watch.run(every, hangup));
        Ok(Some(Self { status, looking }))
    }

    /// What cores take handshakes with.
    pub(crate) fn port(&self) -> TlsPort {
        self.status.port().clone()
    }

    /// What metrics tell.
    pub(crate) fn status(&self) -> Arc<TlsStatus> {
        Arc::clone(&self.status)
    }
}

impl Drop for TlsService {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

impl Watch {
    async fn run(mut self, every: Duration, mut hangup: Signal) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let told = tokio::select! {
                _ = ticks.tick() => false,
                _ = hangup.recv() => true,
            };
            let files = self.files.clone();
            // A file may be on a filesystem that stands still; the control thread may not.
            if let Ok(loaded) = spawn_blocking(move || files.load()).await {
                self.take(loaded, told);
            }
        }
    }

    /// Uses what was read if it is new and of use. What is of none is told once, or whenever somebody asks for a look.
    fn take(&mut self, loaded: Result<Loaded, TlsFilesError>, told: bool) {
        let loaded = loaded.and_then(|loaded| self.status.check_replacement(&loaded.setup).map(|()| loaded));
        match loaded {
            Ok(Loaded { setup, fingerprint }) => {
                let seen = Ok(fingerprint);
                if self.seen != seen {
                    self.status.replace(setup);
                    self.seen = seen;
                    tracing::info!("new connections get the new certificate");
                } else if told {
                    tracing::info!("the certificate is the one in use");
                }
            }
            Err(error) => {
                let seen = Err(error.to_string());
                if told || self.seen != seen {
                    self.status.count_failure();
                    tracing::warn!(%error, "the certificate stays as it is");
                }
                self.seen = seen;
            }
        }
    }
}
