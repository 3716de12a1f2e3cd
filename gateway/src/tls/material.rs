//! From the text of certificates and keys to a setup. Pure: whoever calls it has read the files.

use std::sync::Arc;

use futures_rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
    rustls::{
        self, RootCertStore, ServerConfig, SupportedProtocolVersion,
        crypto::ring::{self, Ticketer},
        server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
        version::{TLS12, TLS13},
    },
};

use super::{TlsSetup, certificate};

/// The PEM files of a node, as they were read.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TlsMaterial {
    /// The node's certificate, and behind it those of its issuers up to a root.
    pub certificates: Vec<u8>,
    /// The key of the node's certificate.
    pub key: Vec<u8>,
    /// The issuers of clients' certificates; none if clients are not asked for any.
    pub client_issuers: Option<Vec<u8>>,
}

/// Whether clients show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// They are not asked.
    #[default]
    None,
    /// One that is shown is verified; none need be.
    Optional,
    /// Without one there is no connection.
    Required,
}

/// The oldest version that is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MinVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    #[default]
    Tls13,
}

/// Why certificates and keys are of no use.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum MaterialError {
    #[error("the {what} can't be read as PEM: {reason}")]
    Pem { what: &'static str, reason: pem::Error },
    #[error("there is no {what}")]
    Missing { what: &'static str },
    #[error("the certificate can't be read")]
    Certificate,
    #[error("an issuer of clients can't be used: {0}")]
    Issuer(rustls::Error),
    #[error("the issuers of clients can't be used: {0}")]
    Issuers(#[from] VerifierBuilderError),
    #[error("clients are to show certificates, and there are no issuers to trust")]
    NoIssuers,
    #[error("the certificate and its key can't be used: {0}")]
    Unusable(#[from] rustls::Error),
}

impl TlsMaterial {
    /// Makes a setup of it.
    ///
    /// # Errors
    /// Something is missing, or doesn't belong together.
    pub fn setup(&self, client_auth: ClientAuth, min_version: MinVersion) -> Result<TlsSetup, MaterialError> {
        let chain = certificates(&self.certificates, "certificate")?;
        let own = chain.first().ok_or(MaterialError::Missing { what: "certificate" })?;
        let not_after = certificate::not_after(own).ok_or(MaterialError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|reason| {
            let is_missing = matches!(reason, pem::Error::NoItemsFound);
            if is_missing { MaterialError::Missing { what: "key" } } else { MaterialError::Pem { what: "key", reason } }
        })?;
        let versions: &[&SupportedProtocolVersion] = match min_version {
            MinVersion::Tls12 => &[&TLS13, &TLS12],
            MinVersion::Tls13 => &[&TLS13],
        };
        // The provider is named, so that none has to be chosen for the whole process.
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_protocol_versions(versions)?;
        let verifier = self.client_verifier(client_auth)?;
        let mut config = builder.with_client_cert_verifier(verifier).with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Tickets alone: a cache would be memory, and a lock that all cores share.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        if client_auth == ClientAuth::None {
            config.ticketer = Ticketer::new()?;
        } else {
            // A resumed session doesn't show its certificate again, which may have ended or lost its issuer meanwhile.
            config.send_tls13_tickets = 0;
        }
        Ok(TlsSetup { config: Arc::new(config), not_after })
    }

    fn client_verifier(&self, client_auth: ClientAuth) -> Result<Arc<dyn ClientCertVerifier>, MaterialError> {
        if client_auth == ClientAuth::None {
            return Ok(WebPkiClientVerifier::no_client_auth());
        }
        let issuers = self.client_issuers.as_ref().ok_or(MaterialError::NoIssuers)?;
        let mut roots = RootCertStore::empty();
        for issuer in certificates(issuers, "issuer of clients")? {
            roots.add(issuer).map_err(MaterialError::Issuer)?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()));
        let builder = if client_auth == ClientAuth::Optional { builder.allow_unauthenticated() } else { builder };
        Ok(builder.build()?)
    }
}

fn certificates(text: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, MaterialError> {
    CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().map_err(|reason| MaterialError::Pem { what, reason })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    fn material() -> TlsMaterial {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        TlsMaterial {
            certificates: cert.pem().into_bytes(),
            key: signing_key.serialize_pem().into_bytes(),
            client_issuers: Some(cert.pem().into_bytes()),
        }
    }

    fn refused(material: &TlsMaterial, client_auth: ClientAuth) -> String {
        material.setup(client_auth, MinVersion::Tls13).unwrap_err().to_string()
    }

    #[test]
    fn a_certificate_with_its_key_is_a_setup() {
        for client_auth in [ClientAuth::None, ClientAuth::Optional, ClientAuth::Required] {
            for min_version in [MinVersion::Tls12, MinVersion::Tls13] {
                let setup = material().setup(client_auth, min_version).unwrap();
                assert_eq!(setup.config.alpn_protocols, [b"http/1.1"]);
                assert_eq!(setup.config.max_early_data_size, 0);
                assert_eq!(setup.config.ticketer.enabled(), client_auth == ClientAuth::None);
                assert!(!setup.config.session_storage.can_cache());
            }
        }
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let mixed = TlsMaterial { key: material().key, ..material() };
        assert!(refused(&mixed, ClientAuth::None).contains("can't be used"));
        let no_issuers = TlsMaterial { client_issuers: None, ..material() };
        assert!(refused(&no_issuers, ClientAuth::Required).contains("no issuers"));
        assert!(no_issuers.setup(ClientAuth::None, MinVersion::Tls13).is_ok());
    }

    #[test]
    fn half_a_file_is_refused() {
        let whole = material();
        let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
        assert!(
            refused(&TlsMaterial { certificates: half(&whole.certificates), ..whole.clone() }, ClientAuth::None)
                .contains("certificate")
        );
        assert!(refused(&TlsMaterial { key: half(&whole.key), ..whole.clone() }, ClientAuth::None).contains("key"));
        assert!(refused(&TlsMaterial { key: Vec::new(), ..whole.clone() }, ClientAuth::None).contains("no key"));
        assert!(
            refused(&TlsMaterial { certificates: Vec::new(), ..whole.clone() }, ClientAuth::None)
                .contains("no certificate")
        );
        let issuers = Some(half(&whole.client_issuers.clone().unwrap()));
        assert!(refused(&TlsMaterial { client_issuers: issuers, ..whole }, ClientAuth::Optional).contains("issuer"));
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let garbage = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec();
        assert!(
            refused(&TlsMaterial { certificates: garbage.clone(), ..material() }, ClientAuth::None)
                .contains("can't be read")
        );
        assert!(
            refused(&TlsMaterial { client_issuers: Some(garbage), ..material() }, ClientAuth::Required)
                .contains("issuer")
        );
    }
}
