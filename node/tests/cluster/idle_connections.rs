//! Many idle WebSocket connections at once, and what each of them costs.

use std::{
    env,
    io::{Read, Write},
    net::TcpStream,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{
    harness::{DEADLINE, TestNode, data_directory},
    tls::{self, authority::Authority, client::TlsClient},
};

/// How many connections are opened unless `PUBSUB_TEST_IDLE_CONNECTIONS` says otherwise.
const CONNECTIONS_DEFAULT: usize = 1_000;
/// The most that one may cost: many times the aim, so that only a mistake gets there.
const BYTES_EACH_MAX: usize = 64 << 10;
/// They all come from one address.
const ANY_NUMBER: (&str, &str) = ("server.connections_per_address_max", "0");

/// F76.
#[test]
fn idle_websockets_are_held_and_cost_little() {
    let node = TestNode::start_with(&[ANY_NUMBER]);
    let connect = || {
        let stream = TcpStream::connect(node.address()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    };
    println!("an idle WebSocket takes {} bytes of resident memory", cost_of_idle(&node, connect));
}

/// F76, by TLS.
#[test]
fn idle_websockets_by_tls_are_held_and_cost_little() {
    let (authority, files) = (Authority::new("servers"), data_directory());
    authority.write_server(files.path());
    let node = tls::node(files.path(), &[ANY_NUMBER]);
    let config = authority.client_config(None);
    let connect = || TlsClient::connect(node.address(), config.clone()).unwrap().stream;
    println!("an idle WebSocket by TLS takes {} bytes of resident memory", cost_of_idle(&node, connect));
}

/// Opens them, and looks at what the node takes for each.
fn cost_of_idle<S: Read + Write>(node: &TestNode, connect: impl Fn() -> S) -> usize {
    let count: usize =
        env::var("PUBSUB_TEST_IDLE_CONNECTIONS").map_or(CONNECTIONS_DEFAULT, |text| text.parse().unwrap());
    let limit = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit }).unwrap();
    // One at first, so that what the first connection sets up for all is not counted.
    drop(upgrade(connect()));
    let before = resident_bytes(node);
    let mut sockets: Vec<_> = (0..count).map(|_| upgrade(connect())).collect();
    let each = (resident_bytes(node) - before) / count;
    let open_now: f64 = node.metric("pubsub_active_connections_total").iter().map(|(_, count)| count).sum();
    assert!(open_now >= f64::from(u32::try_from(count).unwrap()), "{open_now} of {count} are open");
    assert!(each < BYTES_EACH_MAX, "{each} bytes each");
    for socket in [0, count / 2, count - 1] {
        assert_eq!(ping(&mut sockets[socket]), b"\x8a\x02hi");
    }
    each
}

/// Makes a WebSocket of a connection.
fn upgrade<S: Read + Write>(mut stream: S) -> S {
    let request = "GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    stream.flush().unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// Sends a ping with the payload `hi`; returns what comes back.
fn ping(stream: &mut (impl Read + Write)) -> Vec<u8> {
    // With a mask of zeros, which changes nothing.
    stream.write_all(b"\x89\x82\0\0\0\0hi").unwrap();
    stream.flush().unwrap();
    let mut pong = vec![0; 4];
    stream.read_exact(&mut pong).unwrap();
    pong
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of bytes, as a float")]
fn resident_bytes(node: &TestNode) -> usize {
    node.metric("process_resident_memory_bytes")[0].1 as usize
}
