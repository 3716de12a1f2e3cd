//! Asks the node that runs with the same settings on this machine how it is, for whatever watches over it: the health check of a
//! container needs no other program then.

use std::{
    error::Error,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use futures_rustls::{
    TlsConnector,
    pki_types::{CertificateDer, ServerName, UnixTime},
    rustls::{
        self, ClientConfig, DigitallySignedStruct, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    },
};
use gateway::tls::ClientAuth;
use tokio::{net::TcpStream, time::timeout};
use tokio_util::compat::{FuturesAsyncReadCompatExt as _, TokioAsyncReadCompatExt as _};

use crate::{config::Config, limits, one_get::Get};

/// What is to be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Question {
    /// Whether the process answers, also while it waits for others
    Alive,
    /// Whether it serves its partitions
    Ready,
}

/// Why the answer is no.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum HealthError {
    #[error("with server.port 0 it is not known where the node listens")]
    PortUnknown,
    #[error("the check can't be made: {0}")]
    Setup(String),
    #[error("{address} does not answer within {:?}", limits::HEALTH_CHECK_TIMEOUT)]
    TooLate { address: SocketAddr },
    #[error("{address} can't be connected to: {error}")]
    Connect { address: SocketAddr, error: io::Error },
    #[error("the connection to {address} failed: {reason}")]
    Connection { address: SocketAddr, reason: String },
    #[error("{address} wants a certificate of its clients, so that it can't be asked whether it is ready")]
    CertificateWanted { address: SocketAddr },
    #[error("{address} answers with status {status}: {said}")]
    Status { address: SocketAddr, status: u16, said: String },
}

impl Question {
    const fn path(self) -> &'static str {
        match self {
            Self::Alive => "/healthz",
            Self::Ready => "/readyz",
        }
    }
}

/// Asks, and returns what a node said that is well. Blocks this thread for a bounded time.
///
/// # Errors
/// Says what is not well.
pub fn run(config: &Config, question: Question) -> Result<String, HealthError> {
    let address = address(config.data_address()).ok_or(HealthError::PortUnknown)?;
    let tls = config.tls.is_on().then(connector).transpose().map_err(|error| HealthError::Setup(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| HealthError::Setup(error.to_string()))?;
    let asking = async { timeout(limits::HEALTH_CHECK_TIMEOUT, ask(address, tls, question)).await };
    match runtime.block_on(asking).unwrap_or(Err(HealthError::TooLate { address })) {
        // It had to shake hands to find out that there is none.
        Err(HealthError::CertificateWanted { .. })
            if question == Question::Alive && config.tls.client_auth == ClientAuth::Required =>
        {
            Ok("alive: it wants a certificate of its clients".to_owned())
        }
        answer => answer,
    }
}

/// Where a node that listens there is reached from its own machine.
fn address(listens: SocketAddr) -> Option<SocketAddr> {
    let host = match listens.ip() {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host @ (IpAddr::V4(_) | IpAddr::V6(_)) => host,
    };
    (listens.port() != 0).then(|| SocketAddr::new(host, listens.port()))
}

async fn ask(address: SocketAddr, tls: Option<TlsConnector>, question: Question) -> Result<String, HealthError> {
    let stream = TcpStream::connect(address).await.map_err(|error| HealthError::Connect { address, error })?;
    let authority = address.to_string();
    let get = Get {
        authority: &authority,
        path: question.path(),
        accept: "*/*",
        body_bytes_max: limits::HEALTH_CHECK_BYTES_MAX,
    };
    let answer = match tls {
        None => get.over(stream).await,
        Some(tls) => match tls.connect(ServerName::from(address.ip()), stream.compat()).await {
            Ok(stream) => get.over(stream.compat()).await,
            Err(error) => Err(error.into()),
        },
    };
    let (status, body) = answer.map_err(|error| {
        if is_alert(error.as_ref()) {
            HealthError::CertificateWanted { address }
        } else {
            HealthError::Connection { address, reason: error.to_string() }
        }
    })?;
    let said = String::from_utf8_lossy(&body).trim().to_owned();
    if status == 200 { Ok(said) } else { Err(HealthError::Status { address, status, said }) }
}

/// Whether the node has ended the handshake: to a client that has no certificate and takes any, it does so for one reason.
fn is_alert(error: &(dyn Error + 'static)) -> bool {
    let behind = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match behind.and_then(|error| error.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(_)) => true,
        Some(_) => false,
        None => error.source().is_some_and(is_alert),
    }
}

/// Speaks TLS with whoever listens. Nothing is sent that anybody could not know, and who can listen on this machine's port in the
/// place of the node could also just say that it is well.
fn connector() -> Result<TlsConnector, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Takes any certificate whose key the other end has.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn config(address: SocketAddr) -> Config {
        let mut config = Config::default();
        (config.server.host, config.server.port) = (address.ip(), address.port());
        config
    }

    #[test]
    fn a_node_that_listens_everywhere_is_asked_by_loopback() {
        let asked = |listens: &str| address(listens.parse().unwrap()).map(|address| address.to_string());
        assert_eq!(asked("0.0.0.0:8081").unwrap(), "127.0.0.1:8081");
        assert_eq!(asked("[::]:8081").unwrap(), "[::1]:8081");
        assert_eq!(asked("192.0.2.1:8081").unwrap(), "192.0.2.1:8081");
        assert_eq!(asked("127.0.0.1:0"), None);
    }

    #[test]
    fn nobody_there_and_nobody_who_answers_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let config = config(listener.local_addr().unwrap());
        // It takes the connection and says nothing.
        let silent = run(&config, Question::Alive).unwrap_err();
        assert!(matches!(silent, HealthError::TooLate { .. }), "{silent}");
        drop(listener);
        let nobody = run(&config, Question::Alive).unwrap_err();
        assert!(matches!(nobody, HealthError::Connect { .. }), "{nobody}");
    }
}
