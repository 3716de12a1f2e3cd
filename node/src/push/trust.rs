//! Whose certificates others may have that the node sends requests to.

use std::{path::Path, sync::Arc};

use futures_rustls::{
    TlsConnector,
    pki_types::{CertificateDer, pem, pem::PemObject as _},
    rustls::{ClientConfig, RootCertStore, crypto::ring},
};

/// Why TLS for requests of the node can't be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum TrustError {
    #[error("{setting}: {path} has no certificates in PEM form: {reason}")]
    CaFile { setting: &'static str, path: String, reason: String },
    #[error("TLS for requests of the node can't be set up: {reason}")]
    Setup { reason: String },
}

/// Trusts the issuers that this machine trusts, and those in `ca_file`, which `setting` names. A machine that trusts nobody is no error:
/// a node may push to nobody, or to its own issuer's hosts only. `protocol` is what is to be spoken, by its name in ALPN.
///
/// Reads files, so it is called while the node starts.
///
/// # Errors
/// The file can't be used.
pub(crate) fn connector(
    setting: &'static str,
    ca_file: Option<&Path>,
    protocol: &[u8],
) -> Result<TlsConnector, TrustError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    let (trusted, _) = roots.add_parsable_certificates(system.certs);
    tracing::debug!(trusted, "issuers that this machine trusts");
    if let Some(path) = ca_file {
        let unusable = |reason: String| TrustError::CaFile { setting, path: path.display().to_string(), reason };
        let certificates: Result<Vec<_>, pem::Error> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
        let certificates = certificates.map_err(|error| unusable(error.to_string()))?;
        let (added, refused) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(unusable(format!("{refused} can't be used")));
        }
    }
    // The provider is named, so that none has to be chosen for the whole process.
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TrustError::Setup { reason: error.to_string() })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
