//! Many idle WebSocket connections at once, and what each of them costs.

use std::env;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{harness::TestNode, websocket::RawWebSocket};

/// How many connections are opened unless `PUBSUB_TEST_IDLE_CONNECTIONS` says otherwise.
const CONNECTIONS_DEFAULT: usize = 1_000;
/// The most that one may cost: many times the aim, so that only a mistake gets there.
const BYTES_EACH_MAX: usize = 64 << 10;

/// F76.
#[test]
fn idle_websockets_are_held_and_cost_little() {
    let count: usize =
        env::var("PUBSUB_TEST_IDLE_CONNECTIONS").map_or(CONNECTIONS_DEFAULT, |text| text.parse().unwrap());
    let limit = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit }).unwrap();
    let node = TestNode::start();
    // One at first, so that what the first connection sets up for all is not counted.
    drop(RawWebSocket::open(node.address(), None));
    let before = resident_bytes(&node);
    let mut sockets: Vec<_> = (0..count).map(|_| RawWebSocket::open(node.address(), None)).collect();
    let each = (resident_bytes(&node) - before) / count;
    println!("{count} idle WebSockets: {each} bytes of resident memory each");
    let open_now: f64 = node.metric("pubsub_active_connections_total").iter().map(|(_, count)| count).sum();
    assert!(open_now >= f64::from(u32::try_from(count).unwrap()), "{open_now} of {count} are open");
    assert!(each < BYTES_EACH_MAX, "{each} bytes each");
    for socket in [0, count / 2, count - 1] {
        assert_eq!(sockets[socket].ping(), b"\x8a\x02hi");
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of bytes, as a float")]
fn resident_bytes(node: &TestNode) -> usize {
    node.metric("process_resident_memory_bytes")[0].1 as usize
}
