//! What others use to speak TLS: curl, Python, and a WebSocket; and bodies that don't fit into one record.

use std::{
    fs,
    io::{Read as _, Write as _},
    process::Command,
};

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use serde_json::{Value, json};

use super::{Authority, Bench};
use crate::harness::{data_directory, tool_command};

/// A request by Python's own TLS; it checks that the node takes its leave in words.
const PYTHON: &str = "
import json, socket, ssl, sys
host, port, ca = '127.0.0.1', int(sys.argv[1]), sys.argv[2]
context = ssl.create_default_context(cafile=ca)
context.set_alpn_protocols(['h2', 'http/1.1'])
with socket.create_connection((host, port)) as plain:
    with context.wrap_socket(plain, server_hostname='localhost') as stream:
        assert stream.selected_alpn_protocol() == 'http/1.1', stream.selected_alpn_protocol()
        stream.sendall(b'GET /healthz HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n')
        answer = b''
        while True:
            piece = stream.recv(4096)
            if not piece:
                break
            answer += piece
        assert answer.startswith(b'HTTP/1.1 200'), answer
        assert stream.unwrap() is not None
print(stream.version() or 'closed in order')
";

fn port(bench: &Bench) -> String {
    bench.node.address().rsplit_once(':').unwrap().1.to_owned()
}

#[test]
fn python_is_answered_and_taken_leave_of() {
    let bench = Bench::start(&[]);
    let mut python = Command::new("python3");
    python.args(["-c", PYTHON, &port(&bench)]).arg(bench.files.path().join("ca.crt"));
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn curl_publishes_and_reads() {
    let bench = Bench::start(&[]);
    let curl = |arguments: &[&str]| -> Value {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--fail-with-body", "--max-time", "60", "--cacert"]).arg(bench.files.path().join("ca.crt"));
        let output = curl.args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let url = |path: &str| format!("https://localhost:{}{path}", port(&bench));
    let json = ["-H", "content-type: application/json", "-d"];
    let topic = url("/v1/topics/orders");
    curl(&["-X", "PUT", &topic, json[0], json[1], json[2], r#"{"partitions":1}"#]);
    let publish = url("/v1/topics/orders/messages");
    let messages = r#"{"messages":[{"text":"a"},{"text":"b"}]}"#;
    let published = curl(&[&publish, json[0], json[1], json[2], messages]);
    assert_eq!(published["results"].as_array().unwrap().len(), 2, "{published}");
    let read = curl(&[&url("/v1/topics/orders/partitions/0/messages?offset=0")]);
    assert_eq!(read["messages"][1]["data"], json!("Yg=="), "{read}");
}

/// The command-line tool, with a certificate of its own or without.
#[test]
fn the_command_line_tool_speaks_tls() {
    let (clients, files) = (Authority::new("clients"), data_directory());
    let path = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    let identity = clients.client("orders", false);
    fs::write(path("issuer"), clients.pem()).unwrap();
    fs::write(path("certificate"), identity.certificate).unwrap();
    fs::write(path("key"), identity.key).unwrap();
    let bench = Bench::start(&[("tls.client_auth", "required"), ("tls.client_ca_file", &path("issuer"))]);
    let server = format!("https://localhost:{}", port(&bench));
    let cli = |scheme: &str, trusts: Option<&str>, shows: bool| {
        let mut cli = tool_command("pubsub-cli");
        cli.args(["--server", &server.replace("https", scheme), "topics", "list", "--timeout", "10s"]);
        cli.args(trusts.iter().flat_map(|file| ["--ca-file", file]));
        if shows {
            cli.env("PUBSUB_CLIENT_CERT", path("certificate")).env("PUBSUB_CLIENT_KEY", path("key"));
        }
        let output = cli.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let ca_file = bench.files.path().join("ca.crt").to_str().unwrap().to_owned();
    assert_eq!(cli("https", Some(&ca_file), true), (Some(0), String::new()));
    let (code, said) = cli("https", None, true);
    assert!(code == Some(7) && said.contains("--ca-file"), "{code:?} {said}");
    let (code, said) = cli("https", Some(&ca_file), false);
    assert!(code != Some(0) && said.contains("ertificate"), "{code:?} {said}");
    let (code, said) = cli("http", None, false);
    assert!(code != Some(0) && said.contains("https://"), "{code:?} {said}");
}

/// Bodies of many records go in and out whole.
#[test]
fn large_bodies_go_both_ways() {
    const BYTES: usize = 5 << 20;
    let bench = Bench::start(&[]);
    let mut client = bench.connect();
    let config = json!({ "partitions": 1, "max_message_bytes": 8 << 20 }).to_string();
    let (status, body) = client.request("PUT", "/v1/topics/large", config.as_bytes());
    assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
    let text: String = (0..BYTES).map(|place| char::from(b'a' + u8::try_from(place % 23).unwrap())).collect();
    let messages = json!({ "messages": [{ "text": text }] }).to_string();
    let (status, body) = client.request("POST", "/v1/topics/large/messages", messages.as_bytes());
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    for _ in 0..3 {
        let (status, body) = client.request("GET", "/v1/topics/large/partitions/0/messages?offset=0", b"");
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(status, 200);
        assert!(body["messages"][0]["data"] == json!(BASE64.encode(&text)), "the text has changed on its way");
    }
}

/// A WebSocket by TLS: opened, answered, and ended with a close and a leave-taking.
#[test]
fn a_websocket_is_opened_by_tls() {
    let bench = Bench::start(&[]);
    let mut client = bench.connect();
    let upgrade = "GET /v1/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    client.stream.write_all(upgrade.as_bytes()).unwrap();
    assert_eq!(client.answer().unwrap().0, 101);
    // A ping, masked with zeros, and a close with 1000.
    client.stream.write_all(b"\x89\x82\0\0\0\0hi").unwrap();
    let mut pong = [0; 4];
    client.stream.read_exact(&mut pong).unwrap();
    assert_eq!(&pong, b"\x8a\x02hi");
    client.stream.write_all(b"\x88\x82\0\0\0\0\x03\xe8").unwrap();
    let mut rest = Vec::new();
    // An end without the leave-taking of TLS would be an error.
    client.stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"\x88\x02\x03\xe8");
}
