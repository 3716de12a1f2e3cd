//! The node's certificates, for clients and for other nodes: read at the start, looked at again while the node runs, and
//! replaced without a restart.

mod clients;
mod files;
mod nodes;
mod status;

use std::{sync::Arc, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::{JoinHandle, spawn_blocking},
    time::{MissedTickBehavior, interval},
};

pub(crate) use clients::ClientFiles;
pub use files::TlsFilesError;
use files::{CertificateFiles, Loaded};
pub(crate) use nodes::NodeFiles;
pub(crate) use status::TlsStatus;

/// A certificate of a running node. Dropping it ends the looking.
pub(crate) struct TlsService<F: CertificateFiles> {
    port: F::Port,
    status: Arc<TlsStatus>,
    looking: JoinHandle<()>,
}

/// Looks at the files.
struct Watch<F: CertificateFiles> {
    files: F,
    port: F::Port,
    status: Arc<TlsStatus>,
    /// Of what was looked at last, whether it was of use or not.
    seen: Result<[u8; 32], String>,
}

impl<F: CertificateFiles> TlsService<F> {
    /// Reads the files, and looks at them again and again.
    ///
    /// # Errors
    /// The files can't be used.
    pub(crate) fn start(files: F, every: Duration) -> Result<Self, TlsFilesError> {
        let Loaded { setup, not_after, fingerprint } = files.load()?;
        if not_after <= status::now() {
            tracing::warn!("the certificate in {}.cert_file has expired: it will be refused", F::SECTION);
        }
        let (port, status) = (F::open(setup), Arc::new(TlsStatus::new(not_after)));
        let hangup = signal(SignalKind::hangup()).map_err(TlsFilesError::Signal)?;
        let watch = Watch { files, port: port.clone(), status: Arc::clone(&status), seen: Ok(fingerprint) };
        let looking = tokio::spawn(watch.run(every, hangup));
        Ok(Self { port, status, looking })
    }

    /// What handshakes are begun with.
    pub(crate) fn port(&self) -> F::Port {
        self.port.clone()
    }

    /// What metrics tell.
    pub(crate) fn status(&self) -> Arc<TlsStatus> {
        Arc::clone(&self.status)
    }
}

impl<F: CertificateFiles> Drop for TlsService<F> {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

impl<F: CertificateFiles> Watch<F> {
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
    fn take(&mut self, loaded: Result<Loaded<F::Setup>, TlsFilesError>, told: bool) {
        let section = F::SECTION;
        let loaded = loaded.and_then(|loaded| {
            let is_better = self.status.may_be_replaced_by(loaded.not_after);
            if is_better { Ok(loaded) } else { Err(TlsFilesError::Expired { section }) }
        });
        match loaded {
            Ok(Loaded { setup, not_after, fingerprint }) => {
                let seen = Ok(fingerprint);
                if self.seen != seen {
                    F::replace(&self.port, setup);
                    self.status.count_replaced(not_after);
                    self.seen = seen;
                    tracing::info!(section, "new connections get the new certificate");
                } else if told {
                    tracing::info!(section, "the certificate is the one in use");
                }
            }
            Err(error) => {
                let seen = Err(error.to_string());
                if told || self.seen != seen {
                    self.status.count_failure();
                    tracing::warn!(section, %error, "the certificate stays as it is");
                }
                self.seen = seen;
            }
        }
    }
}
