//! From the text of certificates and a key to what handshakes between nodes are made with. Whoever calls it has read the
//! files.

use std::{fmt, sync::Arc};

use futures_rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem, pem::PemObject as _},
    rustls::{
        self, ClientConfig, RootCertStore, ServerConfig,
        client::{Resumption, verify_server_cert_signed_by_trust_anchor},
        crypto::{CryptoProvider, ring},
        server::{
            NoServerSessionStorage, ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier,
            danger::ClientCertVerifier,
        },
        version::TLS13,
    },
};
use shard_core::link::Lane;

/// The protocol of each lane: nobody can turn a connection into one of the other lane.
const CONTROL_PROTOCOL: &[u8] = b"pubsubring-control/1";
const SHARD_PROTOCOL: &[u8] = b"pubsubring-shard/1";

/// The PEM files of a node, as they were read.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PeerTlsMaterial {
    /// The node's certificate, and behind it those of its issuers up to one in `issuers`.
    pub certificates: Vec<u8>,
    /// The key of the node's certificate.
    pub key: Vec<u8>,
    /// Who issues the certificates of this cluster's nodes.
    pub issuers: Vec<u8>,
}

/// What handshakes are made with.
pub struct PeerTlsSetup {
    certificate: CertificateDer<'static>,
    control: LaneSetup,
    shard: LaneSetup,
}

/// The same for one lane.
#[derive(Clone)]
pub(super) struct LaneSetup {
    pub(super) connecting: Arc<ClientConfig>,
    pub(super) accepting: Arc<ServerConfig>,
    pub(super) protocol: &'static [u8],
}

/// Why certificates and keys are of no use.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum PeerMaterialError {
    #[error("the {what} can't be read as PEM: {reason}")]
    Pem { what: &'static str, reason: pem::Error },
    #[error("there is no {what}")]
    Missing { what: &'static str },
    #[error("an issuer of nodes can't be used: {0}")]
    Issuer(rustls::Error),
    #[error("the issuers of nodes can't be used: {0}")]
    Issuers(#[from] VerifierBuilderError),
    #[error("no node that trusts these issuers would take this certificate: {0}")]
    NotTaken(rustls::Error),
    #[error("the certificate and its key can't be used: {0}")]
    Unusable(#[from] rustls::Error),
}

impl PeerTlsMaterial {
    /// Makes a setup of it.
    ///
    /// # Errors
    /// Something is missing, does not belong together, or is nothing that another node with the same issuers would take.
    pub fn setup(&self) -> Result<PeerTlsSetup, PeerMaterialError> {
        let chain = certificates(&self.certificates, "certificate")?;
        let (certificate, between) = chain.split_first().ok_or(PeerMaterialError::Missing { what: "certificate" })?;
        let key = private_key(&self.key)?;
        let mut roots = RootCertStore::empty();
        for issuer in certificates(&self.issuers, "issuer of nodes")? {
            roots.add(issuer).map_err(PeerMaterialError::Issuer)?;
        }
        if roots.is_empty() {
            return Err(PeerMaterialError::Missing { what: "issuer of nodes" });
        }
        let (roots, provider) = (Arc::new(roots), Arc::new(ring::default_provider()));
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider)).build()?;
        check_own((certificate, between), &roots, &*verifier, &provider).map_err(PeerMaterialError::NotTaken)?;
        let parts = Parts { chain: &chain, key: &key, roots, verifier, provider };
        Ok(PeerTlsSetup {
            certificate: certificate.clone(),
            control: parts.lane(CONTROL_PROTOCOL)?,
            shard: parts.lane(SHARD_PROTOCOL)?,
        })
    }
}

impl PeerTlsSetup {
    /// The certificate that the node shows, as it stands in a handshake.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    pub(super) const fn lane(&self, lane: Lane) -> &LaneSetup {
        match lane {
            Lane::Control => &self.control,
            Lane::Shard(_) => &self.shard,
        }
    }
}

/// Without what is in it: there is a key.
impl fmt::Debug for PeerTlsSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerTlsSetup").finish_non_exhaustive()
    }
}

/// What the configurations of all lanes and both sides are made of.
struct Parts<'a> {
    chain: &'a [CertificateDer<'static>],
    key: &'a PrivateKeyDer<'static>,
    roots: Arc<RootCertStore>,
    verifier: Arc<dyn ClientCertVerifier>,
    provider: Arc<CryptoProvider>,
}

impl Parts<'_> {
    fn lane(&self, protocol: &'static [u8]) -> Result<LaneSetup, rustls::Error> {
        let (chain, key) = (self.chain.to_vec(), self.key.clone_key());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider));
        let mut accepting = builder
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(Arc::clone(&self.verifier))
            .with_single_cert(chain.clone(), key.clone_key())?;
        // A resumed session doesn't show its certificate again, which may have ended or lost its issuer meanwhile.
        accepting.session_storage = Arc::new(NoServerSessionStorage {});
        accepting.send_tls13_tickets = 0;
        accepting.alpn_protocols = vec![protocol.to_vec()];
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider));
        let mut connecting = builder
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(Arc::clone(&self.roots))
            .with_client_auth_cert(chain, key)?;
        connecting.resumption = Resumption::disabled();
        connecting.alpn_protocols = vec![protocol.to_vec()];
        Ok(LaneSetup { connecting: Arc::new(connecting), accepting: Arc::new(accepting), protocol })
    }
}

/// Looks at the node's own certificate as others will, from both sides: better at the start than at each connection.
fn check_own(
    (certificate, between): (&CertificateDer<'_>, &[CertificateDer<'_>]),
    roots: &RootCertStore,
    verifier: &dyn ClientCertVerifier,
    provider: &CryptoProvider,
) -> Result<(), rustls::Error> {
    let now = UnixTime::now();
    verifier.verify_client_cert(certificate, between, now)?;
    let parsed = ParsedCertificate::try_from(certificate)?;
    let algorithms = provider.signature_verification_algorithms.all;
    verify_server_cert_signed_by_trust_anchor(&parsed, roots, between, now, algorithms)
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, PeerMaterialError> {
    PrivateKeyDer::from_pem_slice(text).map_err(|reason| {
        let is_missing = matches!(reason, pem::Error::NoItemsFound);
        if is_missing {
            PeerMaterialError::Missing { what: "key" }
        } else {
            PeerMaterialError::Pem { what: "key", reason }
        }
    })
}

fn certificates(text: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, PeerMaterialError> {
    let read: Result<_, _> = CertificateDer::pem_slice_iter(text).collect();
    read.map_err(|reason| PeerMaterialError::Pem { what, reason })
}
