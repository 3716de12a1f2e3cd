//! An issuer of certificates for a test.

use std::{fs, path::Path, sync::Arc};

use futures_rustls::{
    pki_types::{PrivateKeyDer, pem::PemObject as _},
    rustls::{ClientConfig, RootCertStore, crypto::ring},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType, date_time_ymd};

/// Whoever trusts it trusts what it has signed.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, both as PEM.
pub(crate) struct Identity {
    pub(super) certificate: String,
    pub(super) key: String,
    /// As it stands in the handshake.
    pub(super) der: Vec<u8>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A new certificate of a node on this machine.
    pub(super) fn server(&self) -> Identity {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        self.sign(&CertificateParams::new(names).unwrap())
    }

    /// A certificate of a client; one that has expired if it is to be.
    pub(super) fn client(&self, name: &str, expired: bool) -> Identity {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names.push(SanType::URI(format!("spiffe://example.org/{name}").try_into().unwrap()));
        if expired {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 2, 1));
        }
        self.sign(&params)
    }

    /// A certificate of a node that has expired.
    pub(super) fn expired_server(&self) -> Identity {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 2, 1));
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().to_vec() }
    }

    /// Puts a new certificate of a node, its key and the issuer's certificate into a directory; returns the certificate.
    pub(crate) fn write_server(&self, directory: &Path) -> Vec<u8> {
        let server = self.server();
        fs::write(directory.join("tls.crt"), &server.certificate).unwrap();
        fs::write(directory.join("tls.key"), &server.key).unwrap();
        fs::write(directory.join("ca.crt"), self.pem()).unwrap();
        server.der
    }

    /// Its own certificate.
    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// The settings of a client that trusts it, perhaps with a certificate of its own.
    pub(crate) fn client_config(&self, identity: Option<&Identity>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
                config.with_client_auth_cert(vec![identity.der.clone().into()], key).unwrap()
            }
        })
    }
}
