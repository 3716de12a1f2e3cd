//! The certificate that clients are shown, and the issuers of theirs.

use std::path::PathBuf;

use gateway::tls::{ClientAuth, MinVersion, TlsMaterial, TlsPort, TlsSetup};

use super::files::{CertificateFiles, Loaded, TlsFilesError, fingerprint, read};
use crate::config::TlsSection;

/// Where they are, and what is made of them.
#[derive(Clone, Debug)]
pub(crate) struct ClientFiles {
    certificates: PathBuf,
    key: PathBuf,
    client_issuers: Option<PathBuf>,
    client_auth: ClientAuth,
    min_version: MinVersion,
}

impl ClientFiles {
    /// None if the node is to speak no TLS with clients.
    pub(crate) fn new(section: &TlsSection) -> Option<Self> {
        section.is_on().then(|| Self {
            certificates: section.cert_file.clone(),
            key: section.key_file.clone(),
            client_issuers: (section.client_auth != ClientAuth::None).then(|| section.client_ca_file.clone()),
            client_auth: section.client_auth,
            min_version: section.min_version,
        })
    }
}

impl CertificateFiles for ClientFiles {
    type Port = TlsPort;
    type Setup = TlsSetup;
    const SECTION: &'static str = "tls";

    fn load(&self) -> Result<Loaded<TlsSetup>, TlsFilesError> {
        let certificates = read("tls.cert_file", &self.certificates)?;
        let key = read("tls.key_file", &self.key)?;
        let issuers = self.client_issuers.as_deref().map(|path| read("tls.client_ca_file", path)).transpose()?;
        let material = TlsMaterial { certificates, key, client_issuers: issuers };
        let setup = material
            .setup(self.client_auth, self.min_version)
            .map_err(|error| TlsFilesError::Material { path: self.certificates.clone(), error })?;
        let issuers = material.client_issuers.as_deref().unwrap_or_default();
        let fingerprint = fingerprint([&material.certificates, &material.key, issuers]);
        Ok(Loaded { not_after: setup.not_after(), setup, fingerprint })
    }

    fn open(setup: TlsSetup) -> TlsPort {
        TlsPort::new(setup)
    }

    fn replace(port: &TlsPort, setup: TlsSetup) {
        port.replace(setup);
    }
}
