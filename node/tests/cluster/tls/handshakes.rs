//! Handshakes that come to nothing, and some that come in an unusual way.

use std::{
    io::{Read as _, Write as _},
    process::{Command, Stdio},
};

use super::{
    Bench,
    client::{TlsClient, hello, rest, session, tcp},
};

/// A `ClientHello` of an old version, with ciphers of its time.
fn old_hello(minor: u8, extensions: &[u8]) -> Vec<u8> {
    let mut hello = vec![0x03, minor];
    hello.extend([7; 32]);
    // No session; two ciphers; no compression.
    hello.extend([0, 0, 4, 0x00, 0x2f, 0x00, 0x35, 1, 0]);
    hello.extend(extensions);
    let length = u8::try_from(hello.len()).unwrap();
    [&[0x16, 0x03, minor.min(1), 0, length + 4, 0x01, 0, 0, length][..], &hello].concat()
}

/// F73: what is older than TLS 1.2 is refused with the alert that says so.
#[test]
fn old_versions_are_refused() {
    let bench = Bench::start(&[("tls.min_version", "1.2")]);
    let say = |minor, extensions| {
        let mut stream = tcp(bench.node.address());
        stream.write_all(&old_hello(minor, extensions)).unwrap();
        rest(&mut stream)
    };
    // Which signatures it knows, as clients of TLS 1.2 say: RSA and ECDSA with SHA-256.
    let signatures = [0, 10, 0, 13, 0, 6, 0, 4, 4, 1, 4, 3];
    for minor in [0, 1, 2] {
        // Fatal alerts: no such protocol version; and no common parameters, where the client doesn't even have what is asked for first.
        let said = say(minor, &signatures);
        assert_eq!((said[0], &said[5..]), (0x15, &[2, 70][..]), "3.{minor}");
        let said = say(minor, &[]);
        assert_eq!((said[0], &said[5..]), (0x15, &[2, 40][..]), "3.{minor}");
    }
    bench.await_failures("version", 3.0);
    bench.assert_sound();
}

/// F73: TLS 1.2 is spoken where that is set, and nowhere else.
#[test]
fn tls_1_2_is_spoken_where_that_is_set() {
    let strict = Bench::start(&[]);
    assert!(!curl(&strict, &["--tlsv1.2", "--tls-max", "1.2"]));
    strict.await_failures("version", 1.0);
    assert!(curl(&strict, &["--tlsv1.3"]));
    let lax = Bench::start(&[("tls.min_version", "1.2")]);
    assert!(curl(&lax, &["--tlsv1.2", "--tls-max", "1.2"]));
    assert!(curl(&lax, &["--tlsv1.3"]));
}

fn curl(bench: &Bench, arguments: &[&str]) -> bool {
    let url = format!("https://localhost:{}/healthz", bench.node.address().rsplit_once(':').unwrap().1);
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "60", "--cacert"]).arg(bench.files.path().join("ca.crt")).args(arguments);
    command.arg(&url).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

/// F73: HTTP without TLS is answered, once, in words that its client can read.
#[test]
fn plaintext_is_told_that_the_port_speaks_tls() {
    let bench = Bench::start(&[]);
    for request in
        ["GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "POST /v1/topics/t/publish HTTP/1.1\r\nContent-Length: 9\r\n\r\n"]
    {
        let mut stream = tcp(bench.node.address());
        stream.write_all(request.as_bytes()).unwrap();
        let said = String::from_utf8(rest(&mut stream)).unwrap();
        assert!(said.starts_with("HTTP/1.1 400 ") && said.contains("https://"), "{said}");
    }
    bench.await_failures("plaintext", 2.0);
    bench.assert_sound();
}

/// F73: a hello in pieces is a hello: one byte at a time, and in records of a few bytes.
#[test]
fn a_hello_in_pieces_is_a_hello() {
    let bench = Bench::start(&[]);
    let mut by_bytes = session(bench.authority.client_config(None));
    let mut stream = tcp(bench.node.address());
    for byte in hello(&mut by_bytes) {
        stream.write_all(&[byte]).unwrap();
    }
    let mut client = TlsClient::continue_with(by_bytes, stream).unwrap();
    assert_eq!(client.request("GET", "/healthz", b"").0, 200);

    let mut by_records = session(bench.authority.client_config(None));
    let mut stream = tcp(bench.node.address());
    let whole = hello(&mut by_records);
    for piece in whole[5..].chunks(3) {
        let record = [&[0x16, 0x03, 0x01, 0, u8::try_from(piece.len()).unwrap()][..], piece].concat();
        stream.write_all(&record).unwrap();
    }
    let mut client = TlsClient::continue_with(by_records, stream).unwrap();
    assert_eq!(client.request("GET", "/healthz", b"").0, 200);
}

/// F61, F73: a handshake that doesn't go on is given up after its time, wherever it stands still.
#[test]
fn a_handshake_that_stands_still_is_given_up() {
    let bench = Bench::start(&[("server.handshake_timeout_ms", "300")]);
    let whole = hello(&mut session(bench.authority.client_config(None)));
    for sent in [0, 1, 5, whole.len() / 2, whole.len()] {
        let mut stream = tcp(bench.node.address());
        stream.write_all(&whole[..sent]).unwrap();
        // Whatever it says of its side of the handshake, it closes.
        rest(&mut stream);
    }
    bench.await_failures("too_slow", 5.0);
    bench.assert_sound();
}

/// F73: a client that takes its leave in the handshake, in words or without, is no fault of the node.
#[test]
fn leaving_in_the_handshake_is_a_clean_end() {
    const CLOSE_NOTIFY: [u8; 7] = [0x15, 0x03, 0x03, 0, 2, 1, 0];
    let bench = Bench::start(&[]);
    let whole = hello(&mut session(bench.authority.client_config(None)));
    let beginnings = [&[][..], &whole[..whole.len() / 2], &whole];
    for beginning in beginnings {
        let mut stream = tcp(bench.node.address());
        stream.write_all(&[beginning, &CLOSE_NOTIFY].concat()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        rest(&mut stream);
        let mut stream = tcp(bench.node.address());
        stream.write_all(beginning).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        rest(&mut stream);
    }
    let ended = crate::harness::eventually(|| {
        let failures = bench.node.metric("pubsub_tls_handshake_failures_total");
        failures.iter().map(|(_, count)| count).sum::<f64>() >= 6.0
    });
    assert!(ended, "{:?}", bench.node.metric("pubsub_tls_handshake_failures_total"));
    bench.assert_sound();
}

/// F73: what is no handshake at all is refused, and the node goes on.
#[test]
fn garbage_is_refused() {
    let bench = Bench::start(&[]);
    let garbage: [&[u8]; 7] = [
        &[0; 64],
        &[0xff; 64],
        // A hello of SSL 2.
        &[0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10, 1, 0, 0x80],
        // A record of the largest length, and more of it than is taken.
        &[&[0x16, 0x03, 0x01, 0xff, 0xff][..], &vec![1; 70_000]].concat(),
        // A hello that says it is 16 MiB long.
        &[0x16, 0x03, 0x01, 0, 9, 1, 0xff, 0xff, 0xff, 3, 3, 7, 7, 7],
        // Data where a handshake should be.
        &[0x17, 0x03, 0x03, 0, 4, 1, 2, 3, 4],
        // An empty record.
        &[0x16, 0x03, 0x01, 0, 0],
    ];
    for bytes in garbage {
        let mut stream = tcp(bench.node.address());
        // It may be refused before all of it is sent.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let said = rest(&mut stream);
        assert!(said.is_empty() || said[0] == 0x15, "{bytes:?}: {said:?}");
    }
    bench.await_failures("malformed", 5.0);
    bench.assert_sound();
}

/// F73: a damaged record behind the handshake ends its connection and no other.
#[test]
fn a_damaged_record_ends_its_connection() {
    let bench = Bench::start(&[]);
    let mut client = bench.connect();
    assert_eq!(client.request("GET", "/healthz", b"").0, 200);
    client.stream.sock.write_all(&[0x17, 0x03, 0x03, 0, 32]).unwrap();
    client.stream.sock.write_all(&[9; 32]).unwrap();
    rest(&mut client.stream.sock);
    bench.assert_sound();
}

/// F73: there is no renegotiation.
#[test]
fn renegotiation_is_refused() {
    let bench = Bench::start(&[("tls.min_version", "1.2")]);
    let mut command = Command::new("openssl");
    command.args(["s_client", "-tls1_2", "-connect", bench.node.address(), "-CAfile"]);
    command.arg(bench.files.path().join("ca.crt")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = command.spawn().unwrap();
    // The order to renegotiate is a line of its own.
    let mut orders = client.stdin.take().unwrap();
    orders.write_all(b"R\n").unwrap();
    let mut said = String::new();
    client.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    drop(orders);
    crate::harness::wait(&mut client);
    assert!(said.contains("RENEGOTIATING") && said.contains("no renegotiation"), "{said}");
    bench.assert_sound();
}

/// F73: a session is resumed without the certificate, and never with early data.
#[test]
fn sessions_are_resumed_without_early_data() {
    let bench = Bench::start(&[]);
    let config = bench.authority.client_config(None);
    let kinds: Vec<_> = (0..2)
        .map(|_| {
            let mut client = TlsClient::connect(bench.node.address(), std::sync::Arc::clone(&config)).unwrap();
            assert_eq!(client.request("GET", "/healthz", b"").0, 200);
            assert!(!client.stream.conn.is_early_data_accepted());
            client.stream.conn.handshake_kind().unwrap()
        })
        .collect();
    assert_eq!(kinds, [futures_rustls::rustls::HandshakeKind::Full, futures_rustls::rustls::HandshakeKind::Resumed]);
}
