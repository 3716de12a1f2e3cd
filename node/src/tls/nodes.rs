//! The certificate that other nodes are shown, and the issuers of theirs.

use gateway::tls::not_after;
use shard::peer::{PeerTls, PeerTlsMaterial, PeerTlsSetup};

use super::files::{CertificateFiles, Loaded, TlsFilesError, fingerprint, read};
use crate::config::LinkTlsSection;

/// Where they are.
#[derive(Clone, Debug)]
pub(crate) struct NodeFiles(LinkTlsSection);

impl NodeFiles {
    /// None if nodes are to speak no TLS with each other.
    pub(crate) fn new(section: &LinkTlsSection) -> Option<Self> {
        section.is_on().then(|| Self(section.clone()))
    }
}

impl CertificateFiles for NodeFiles {
    type Port = PeerTls;
    type Setup = PeerTlsSetup;
    const SECTION: &'static str = "cluster.tls";

    fn load(&self) -> Result<Loaded<PeerTlsSetup>, TlsFilesError> {
        let LinkTlsSection { cert_file, key_file, ca_file } = &self.0;
        let material = PeerTlsMaterial {
            certificates: read("cluster.tls.cert_file", cert_file)?,
            key: read("cluster.tls.key_file", key_file)?,
            issuers: read("cluster.tls.ca_file", ca_file)?,
        };
        let setup = material.setup().map_err(|error| TlsFilesError::NodeMaterial { path: cert_file.clone(), error })?;
        let fingerprint = fingerprint([&material.certificates, &material.key, &material.issuers]);
        // It was read before.
        let not_after = not_after(setup.certificate()).unwrap_or_default();
        Ok(Loaded { setup, not_after, fingerprint })
    }

    fn open(setup: PeerTlsSetup) -> PeerTls {
        PeerTls::new(setup)
    }

    fn replace(port: &PeerTls, setup: PeerTlsSetup) {
        port.replace(setup);
    }
}
