//! The client by TLS, against a server that says one thing.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::{fs, path::PathBuf, sync::Arc};

use gateway_api::client::{Client, ClientError, ClientTls, Endpoint, TlsOptions};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, pem::PemObject as _},
        server::WebPkiClientVerifier,
    },
};

/// A certificate that vouches for itself, and where it and its key are.
struct Identity {
    pair: CertifiedKey<KeyPair>,
    directory: TempDir,
}

impl Identity {
    fn new() -> Self {
        let pair = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::write(directory.path().join("certificate"), pair.cert.pem()).unwrap();
        fs::write(directory.path().join("key"), pair.signing_key.serialize_pem()).unwrap();
        Self { pair, directory }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// Says that it is well to whoever shakes hands, one after the other; `clients` are those that it accepts, if not all.
async fn server(own: &Identity, clients: Option<&Identity>) -> u16 {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = match clients {
        None => builder.unwrap().with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.pair.cert.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.unwrap().with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::from_pem_slice(own.pair.signing_key.serialize_pem().as_bytes()).unwrap();
    let config = builder.with_single_cert(vec![own.pair.cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.unwrap_or_default() > 0 {}
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\nConnection: close\r\n\r\n{\"status\":\"ok\"}";
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    port
}

async fn ask(port: u16, options: &TlsOptions) -> Result<(), ClientError> {
    let endpoint: Endpoint = format!("https://localhost:{port}").parse().unwrap();
    Client::new(endpoint.with_tls(options).unwrap(), None).healthz().await.map(drop)
}

#[tokio::test]
async fn only_a_node_that_is_vouched_for_is_spoken_to() {
    let (own, stranger) = (Identity::new(), Identity::new());
    let port = server(&own, None).await;
    let trusting = TlsOptions { ca_file: Some(own.file("certificate")), ..TlsOptions::default() };
    ask(port, &trusting).await.unwrap();
    let strange = TlsOptions { ca_file: Some(stranger.file("certificate")), ..TlsOptions::default() };
    for options in [&strange, &TlsOptions::default()] {
        let refused = ask(port, options).await.unwrap_err();
        assert!(matches!(&refused, ClientError::Tls { .. }), "{refused}");
        assert!(refused.to_string().contains("certificate"), "{refused}");
    }
    // The certificate is that of a name, not of this address.
    let endpoint: Endpoint = format!("https://127.0.0.1:{port}").parse().unwrap();
    let refused = Client::new(endpoint.with_tls(&trusting).unwrap(), None).healthz().await.unwrap_err();
    assert!(matches!(refused, ClientError::Tls { .. }), "{refused}");
}

#[tokio::test]
async fn a_client_shows_its_certificate() {
    let (own, client) = (Identity::new(), Identity::new());
    let port = server(&own, Some(&client)).await;
    let shown = TlsOptions {
        ca_file: Some(own.file("certificate")),
        client_cert: Some(client.file("certificate")),
        client_key: Some(client.file("key")),
    };
    ask(port, &shown).await.unwrap();
    let hidden = TlsOptions { client_cert: None, client_key: None, ..shown };
    assert!(ask(port, &hidden).await.is_err());
}

#[tokio::test]
async fn who_speaks_no_tls_is_told_from_who_is_not_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let plain = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        // Until the client has seen it.
        drop(stream.read_to_end(&mut Vec::new()).await);
    });
    let refused = ask(port, &TlsOptions::default()).await.unwrap_err();
    assert!(matches!(&refused, ClientError::Tls { .. }), "{refused}");
    plain.await.unwrap();
    let absent = ask(port, &TlsOptions::default()).await.unwrap_err();
    assert!(matches!(absent, ClientError::Connect { .. }), "{absent}");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let refused = |options: &TlsOptions| ClientTls::load(options).unwrap_err().to_string();
    let missing = || Some(PathBuf::from("/nonexistent/ca.pem"));
    assert!(refused(&TlsOptions { ca_file: missing(), ..TlsOptions::default() }).contains("/nonexistent/ca.pem"));
    assert!(refused(&TlsOptions { client_cert: missing(), ..TlsOptions::default() }).contains("both or neither"));
    let own = Identity::new();
    let swapped = TlsOptions {
        client_cert: Some(own.file("certificate")),
        client_key: Some(own.file("certificate")),
        ..TlsOptions::default()
    };
    assert!(refused(&swapped).contains("cannot use"));
    let no_certificate = TlsOptions { ca_file: Some(own.file("key")), ..TlsOptions::default() };
    assert!(refused(&no_certificate).contains("no certificate"));
}

#[test]
fn what_is_loaded_is_never_printed() {
    let own = Identity::new();
    let options = TlsOptions {
        ca_file: Some(own.file("certificate")),
        client_cert: Some(own.file("certificate")),
        client_key: Some(own.file("key")),
    };
    assert_eq!(format!("{:?}", ClientTls::load(&options).unwrap()), "ClientTls(…)");
}
