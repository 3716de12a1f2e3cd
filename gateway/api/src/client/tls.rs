//! Whom a client trusts, and what it shows of itself.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// What a user says about TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// A PEM file with the issuers to trust, instead of those that the machine trusts.
    pub ca_file: Option<PathBuf>,
    /// A PEM file with the client's own certificate.
    pub client_cert: Option<PathBuf>,
    /// A PEM file with its key.
    pub client_key: Option<PathBuf>,
}

/// How a client speaks TLS. Clones share it.
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
}

/// Why TLS can't be set up as it was asked for.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum TlsError {
    #[error("cannot use {}: {reason}", path.display())]
    File { path: PathBuf, reason: pem::Error },
    #[error("{} has no certificate", path.display())]
    NoCertificate { path: PathBuf },
    #[error("cannot use {}: {reason}", path.display())]
    Issuer { path: PathBuf, reason: rustls::Error },
    #[error("a client's certificate and its key belong together: give both or neither")]
    HalfAnIdentity,
    #[error("the client's certificate and its key cannot be used: {0}")]
    Identity(rustls::Error),
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

impl ClientTls {
    /// Reads the files that the options name.
    ///
    /// # Errors
    /// One of them can't be used.
    pub fn load(options: &TlsOptions) -> Result<Self, TlsError> {
        // The provider is named, so that none has to be chosen for the whole process.
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_root_certificates(roots(options.ca_file.as_deref())?);
        let mut config = match (&options.client_cert, &options.client_key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let chain = certificates(certificate)?;
                let key =
                    PrivateKeyDer::from_pem_file(key).map_err(|reason| TlsError::File { path: key.clone(), reason })?;
                builder.with_client_auth_cert(chain, key).map_err(TlsError::Identity)?
            }
            _ => return Err(TlsError::HalfAnIdentity),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config) })
    }

    /// What is used when nothing is said: the issuers that the machine trusts. They are read once.
    pub(super) fn of_the_machine() -> io::Result<Self> {
        static DEFAULT: OnceLock<ClientTls> = OnceLock::new();
        if let Some(tls) = DEFAULT.get() {
            return Ok(tls.clone());
        }
        let loaded = Self::load(&TlsOptions::default()).map_err(io::Error::other)?;
        Ok(DEFAULT.get_or_init(|| loaded).clone())
    }

    pub(super) fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.config))
    }
}

impl PartialEq for ClientTls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config)
    }
}

impl Eq for ClientTls {}

/// Without what is in it: there may be a key.
impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls(…)")
    }
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca_file else {
        // A machine that trusts nobody is told by the handshake.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|reason| TlsError::Issuer { path: path.to_owned(), reason })?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, pem::Error> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found = read.map_err(|reason| TlsError::File { path: path.to_owned(), reason })?;
    if found.is_empty() { Err(TlsError::NoCertificate { path: path.to_owned() }) } else { Ok(found) }
}
