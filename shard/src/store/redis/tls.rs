//! What TLS to Redis needs: whom to trust, and which name its certificate has to bear.

use std::{path::Path, sync::Arc};

use futures_rustls::{
    TlsConnector,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    rustls::{ClientConfig, RootCertStore, crypto::ring},
};

/// TLS as it is set up once, for all connections.
#[derive(Clone)]
pub struct RedisTls {
    connector: TlsConnector,
    server_name: ServerName<'static>,
}

/// Why TLS can't be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum TlsError {
    #[error("{path} has no certificates in PEM form: {reason}")]
    CaFile { path: String, reason: String },
    #[error("this machine has no certificates to trust: {reason}; name a file with those of Redis' issuer")]
    SystemRoots { reason: String },
    #[error("{name:?} is no name that a certificate can bear")]
    ServerName { name: String },
    #[error("TLS can't be set up: {reason}")]
    Setup { reason: String },
}

impl RedisTls {
    /// Trusts the issuers in `ca_file`, or those this machine trusts; the server has to prove to be `server_name`.
    ///
    /// Reads files, so it is called before the executors run.
    ///
    /// # Errors
    /// Says which file or name can't be used.
    pub fn load(ca_file: Option<&Path>, server_name: &str) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        let certificates = ca_file.map_or_else(system_certificates, file_certificates)?;
        let (added, refused) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            let reason = format!("{refused} can't be used");
            return Err(ca_file.map_or_else(
                || TlsError::SystemRoots { reason: reason.clone() },
                |path| TlsError::CaFile { path: path.display().to_string(), reason: reason.clone() },
            ));
        }
        let name = server_name.to_owned();
        let server_name =
            ServerName::try_from(name).map_err(|_| TlsError::ServerName { name: server_name.to_owned() })?;
        // The provider is named, so that none has to be chosen for the whole process.
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Setup { reason: error.to_string() })?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), server_name })
    }

    pub(super) const fn connector(&self) -> &TlsConnector {
        &self.connector
    }

    pub(super) fn server_name(&self) -> ServerName<'static> {
        self.server_name.clone()
    }
}

impl std::fmt::Debug for RedisTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisTls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

fn file_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let error = |reason: String| TlsError::CaFile { path: path.display().to_string(), reason };
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|reason: futures_rustls::pki_types::pem::Error| error(reason.to_string()))
}

fn system_certificates() -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let reasons: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        return Err(TlsError::SystemRoots { reason: reasons.join(", ") });
    }
    Ok(found.certs)
}
