//! Certificates of clients: shown, not shown, not accepted.

use std::{fs, io, sync::Arc};

use super::{Authority, Bench, TlsClient, authority::Identity};
use crate::harness::data_directory;

/// A node that asks for certificates by another issuer than its own.
fn bench(client_auth: &str) -> (Bench, Authority) {
    let (clients, files) = (Authority::new("clients"), data_directory());
    let issuers = files.path().join("clients.crt");
    fs::write(&issuers, clients.pem()).unwrap();
    let issuers = issuers.to_str().unwrap();
    let bench = Bench::start(&[("tls.client_auth", client_auth), ("tls.client_ca_file", issuers)]);
    // Read at the start, and looked at again much later.
    drop(files);
    (bench, clients)
}

/// The status of an answer; an error if the node refuses the client.
fn ask(bench: &Bench, identity: Option<&Identity>) -> io::Result<u16> {
    let mut client = TlsClient::connect(bench.node.address(), bench.authority.client_config(identity))?;
    // In TLS 1.3 a client learns only behind its own last word that it is refused.
    client.try_request("GET", "/healthz", b"").map(|(status, _)| status)
}

/// F73: where a certificate is required, one by the right issuer that is still valid is, and no other.
#[test]
fn a_required_certificate_is_required() {
    let (bench, clients) = bench("required");
    assert_eq!(ask(&bench, Some(&clients.client("orders", false))).unwrap(), 200);
    assert!(ask(&bench, None).is_err());
    assert!(ask(&bench, Some(&clients.client("orders", true))).is_err(), "it has expired");
    assert!(ask(&bench, Some(&bench.authority.client("orders", false))).is_err(), "another issuer");
    bench.await_failures("client_certificate", 3.0);
    assert_eq!(ask(&bench, Some(&clients.client("orders", false))).unwrap(), 200);
}

/// F73: where a certificate is optional, one that is shown is verified all the same.
#[test]
fn an_optional_certificate_is_verified() {
    let (bench, clients) = bench("optional");
    assert_eq!(ask(&bench, None).unwrap(), 200);
    assert_eq!(ask(&bench, Some(&clients.client("orders", false))).unwrap(), 200);
    assert!(ask(&bench, Some(&clients.client("orders", true))).is_err(), "it has expired");
    assert!(ask(&bench, Some(&bench.authority.client("orders", false))).is_err(), "another issuer");
    bench.await_failures("client_certificate", 2.0);
    bench.assert_sound();
}

/// F73: each connection shows its certificate anew: one that is resumed would not.
#[test]
fn no_session_is_resumed_with_client_certificates() {
    let (bench, clients) = bench("required");
    let config = bench.authority.client_config(Some(&clients.client("orders", false)));
    for _ in 0..3 {
        let mut client = TlsClient::connect(bench.node.address(), Arc::clone(&config)).unwrap();
        assert_eq!(client.request("GET", "/healthz", b"").0, 200);
        assert_eq!(client.stream.conn.handshake_kind().unwrap(), futures_rustls::rustls::HandshakeKind::Full);
    }
}

/// A client that doesn't trust the node says so, and the node counts it.
#[test]
fn a_client_that_trusts_somebody_else_is_counted() {
    let bench = Bench::start(&[]);
    let stranger = Authority::new("strangers").client_config(None);
    assert!(TlsClient::connect(bench.node.address(), stranger).is_err());
    bench.await_failures("client_alert", 1.0);
    bench.assert_sound();
}
