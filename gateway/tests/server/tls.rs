//! The front by TLS: what a connection is worth that speaks it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use futures_rustls::{
    pki_types::{PrivateKeyDer, pem::PemObject as _},
    rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring},
};
use gateway::{
    config::GatewayConfig,
    tls::{ClientAuth, HandshakeFailure, MinVersion, TlsMaterial, TlsPort},
};
use rcgen::{CertificateParams, CertifiedKey, KeyPair, SanType, generate_simple_self_signed};

use crate::{fixture::Front, get, post};

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A front with a certificate, which its clients trust.
struct Bench {
    front: Front,
    server: CertifiedKey<KeyPair>,
    client: CertifiedKey<KeyPair>,
}

impl Bench {
    fn start(config: GatewayConfig, client_auth: ClientAuth) -> Self {
        let server = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names.push(SanType::URI("spiffe://example.org/orders".try_into().unwrap()));
        let signing_key = KeyPair::generate().unwrap();
        let client = CertifiedKey { cert: params.self_signed(&signing_key).unwrap(), signing_key };
        let material = TlsMaterial {
            certificates: server.cert.pem().into_bytes(),
            key: server.signing_key.serialize_pem().into_bytes(),
            client_issuers: Some(client.cert.pem().into_bytes()),
        };
        let port = TlsPort::new(material.setup(client_auth, MinVersion::Tls13).unwrap());
        Self { front: Front::start_with(config, Some(port)), server, client }
    }

    fn connect(&self, shows_certificate: bool) -> Stream {
        let mut roots = RootCertStore::empty();
        roots.add(self.server.cert.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = if shows_certificate {
            let key = PrivateKeyDer::from_pem_slice(self.client.signing_key.serialize_pem().as_bytes()).unwrap();
            config.with_client_auth_cert(vec![self.client.cert.der().clone()], key).unwrap()
        } else {
            config.with_no_client_auth()
        };
        let session = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        StreamOwned::new(session, self.front.connect().stream)
    }
}

/// Sends bytes and reads until so many have come.
fn exchange(stream: &mut Stream, text: impl AsRef<[u8]>, until: &str) -> String {
    stream.write_all(text.as_ref()).unwrap();
    let (mut answer, mut piece) = (String::new(), [0; 4096]);
    while !answer.ends_with(until) {
        let count = stream.read(&mut piece).unwrap();
        assert!(count > 0, "closed within {answer:?}");
        answer.push_str(&String::from_utf8_lossy(piece.get(..count).unwrap()));
    }
    answer
}

#[test]
fn an_operation_learns_the_name_on_the_clients_certificate() {
    let bench = Bench::start(GatewayConfig::default(), ClientAuth::Optional);
    let mut stream = bench.connect(true);
    for _ in 0..2 {
        assert!(exchange(&mut stream, get("/v1/topics"), "spiffe://example.org/orders").starts_with("HTTP/1.1 200"));
    }
    assert!(exchange(&mut bench.connect(false), get("/v1/topics"), "nobody").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_certificate_that_nobody_asks_for_names_nobody() {
    let bench = Bench::start(GatewayConfig::default(), ClientAuth::None);
    assert!(exchange(&mut bench.connect(true), get("/v1/topics"), "nobody").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_client_that_has_said_its_last_word_is_answered_and_taken_leave_of() {
    let bench = Bench::start(GatewayConfig::default(), ClientAuth::None);
    let mut stream = bench.connect(false);
    stream.write_all(post("last").as_bytes()).unwrap();
    stream.conn.send_close_notify();
    stream.flush().unwrap();
    let mut answer = String::new();
    // An end without the leave-taking of TLS would be an error.
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("last"), "{answer}");
}

#[test]
fn an_idle_connection_is_taken_leave_of() {
    let config = GatewayConfig { idle_timeout: Duration::from_millis(1), ..GatewayConfig::default() };
    let bench = Bench::start(config, ClientAuth::None);
    let mut stream = bench.connect(false);
    assert_eq!(stream.read_to_string(&mut String::new()).unwrap(), 0);
}

/// F61.
#[test]
fn a_client_by_tls_that_does_not_read_is_given_up() {
    let config = GatewayConfig { write_timeout: Duration::from_millis(1), ..GatewayConfig::default() };
    let bench = Bench::start(config, ClientAuth::None);
    let mut stream = bench.connect(false);
    let body = "x".repeat(8 << 20);
    // The answer is as large, and nobody reads it: at the latest then the front stops reading, too.
    stream.write_all(post(&body).as_bytes()).unwrap();
    bench.front.wait_for(|metrics| metrics.connection_timeouts.get() == 1);
}

#[test]
fn an_upgraded_connection_by_tls_goes_on_with_the_first_byte_behind_its_request() {
    let bench = Bench::start(GatewayConfig::default(), ClientAuth::None);
    let mut stream = bench.connect(false);
    let upgrade = "GET /v1/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // A text frame, masked with zeros.
    let frame = b"\x81\x85\0\0\0\0first";
    assert!(exchange(&mut stream, [upgrade.as_bytes(), frame].concat(), "first").starts_with("HTTP/1.1 101"));
}

/// F76.
#[test]
fn connections_in_their_handshake_count() {
    let config = GatewayConfig { connections_max: 1, ..GatewayConfig::default() };
    let bench = Bench::start(config, ClientAuth::None);
    let silent = bench.front.connect();
    bench.front.wait_for(|metrics| metrics.connections_accepted.get() == 1);
    let mut refused = bench.front.connect();
    // Without a word: it would have to be one of TLS.
    assert!(refused.is_closed());
    assert_eq!(bench.front.metrics.connections_refused.get(), 1);
    drop(silent);
    bench
        .front
        .wait_for(|metrics| metrics.handshake_failures().any(|failure| failure == (HandshakeFailure::Closed, 1)));
}

#[test]
fn stopping_does_not_wait_for_handshakes() {
    let bench = Bench::start(GatewayConfig::default(), ClientAuth::None);
    let mut silent = bench.front.connect();
    bench.front.wait_for(|metrics| metrics.connections_accepted.get() == 1);
    bench.front.stop();
    assert!(silent.is_closed());
    bench.front.join();
}
