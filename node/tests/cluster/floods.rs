//! Floods: more connections than one address may have, whatever they do; others and the metrics port don't notice.

use std::{
    io::Read as _,
    net::{Shutdown, SocketAddr, TcpStream},
};

use socket2::{Domain, Socket, Type};

use crate::{
    harness::{TestNode, eventually},
    http::get,
};

/// How many connections one address may have.
const EACH_MAX: usize = 50;

/// F76.
#[test]
fn one_address_gets_so_many_connections_and_leaves_the_others_theirs() {
    let node = TestNode::start_with(&[("server.connections_per_address_max", "50")]);
    let address: SocketAddr = node.address().parse().unwrap();
    // Twice as many as may be: which ones are told and closed is up to the cores that accept them.
    let flood: Vec<_> = (0..2 * EACH_MAX).map(|_| connect_from("127.0.0.2", address)).collect();
    let counted = || node.metric("pubsub_connections_refused_total").iter().map(|(_, count)| count).sum::<f64>();
    assert!(eventually(|| counted() >= 50.0), "{} were refused", counted());
    // Another address, and the port for whoever has to look.
    assert_eq!(get(node.address(), "/healthz").status, 200);
    assert_eq!(get(node.metrics_address(), "/metrics").status, 200);
    let mut refused = 0;
    for mut stream in flood {
        // Those that are served have asked for nothing: they end without a word.
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        if !answer.is_empty() {
            assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("rate_limited"), "{answer}");
            assert!(answer.to_ascii_lowercase().contains("retry-after"), "{answer}");
            refused += 1;
        }
    }
    assert_eq!(refused, EACH_MAX);
}

/// A connection whose own address is one of this machine's many.
pub(crate) fn connect_from(own: &str, address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(own.parse().unwrap(), 0).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(crate::harness::DEADLINE)).unwrap();
    stream
}
