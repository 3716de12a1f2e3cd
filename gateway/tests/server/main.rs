//! The front over real sockets, with an application that only echoes.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod fixture;
mod framing;
mod streaming;
mod streams;
mod tls;
mod websocket_echo;

use std::{
    io::{Read, Write},
    net::Shutdown as Half,
    time::Duration,
};

use fixture::{Client, Front};
use gateway::{config::GatewayConfig, limits};

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn post(body: &str) -> String {
    format!("POST /v1/topics/t/publish HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn a_connection_serves_one_request_after_the_other() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    for body in ["one", "", "three"] {
        client.send(&post(body));
        let answer = client.answer();
        assert_eq!((answer.status, answer.body.as_str()), (200, body));
        assert!(answer.head.contains("pubsub-request-id: "));
        assert!(answer.head.contains("date: "));
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    let bodies: Vec<_> = (0..1000).map(|number| number.to_string()).collect();
    client.send(&bodies.iter().map(|body| post(body)).collect::<String>());
    for body in bodies {
        assert_eq!(client.answer().body, body);
    }
}

#[test]
fn large_bodies_go_in_and_out_in_one_piece() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    let body = "0123456789".repeat(300_000);
    let request = post(&body);
    let mut writing = client.stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || writing.write_all(request.as_bytes()));
    assert!(client.answer().body == body);
    writer.join().unwrap().unwrap();
}

#[test]
fn a_refused_request_is_answered_before_the_connection_closes() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    client.send(&format!("{}GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", get("/healthz")));
    assert_eq!(client.answer().status, 200);
    let refused = client.answer();
    assert_eq!(refused.status, 400);
    assert!(refused.head.contains("connection: close"));
    assert!(client.is_closed());
}

#[test]
fn what_follows_a_refused_request_is_read_so_that_the_answer_is_not_lost() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    client.send("GET / HTTP/3.0\r\n\r\n");
    assert_eq!(client.answer().status, 505);
    let before = front.metrics.received_bytes.get();
    client.send("more");
    front.wait_for(|metrics| metrics.received_bytes.get() == before + 4);
}

#[test]
fn a_wrong_path_or_method_leaves_the_connection_usable() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    for (request, status) in [
        (get("/nowhere"), 404),
        (get("/%zz"), 400),
        (get("/v1/topics/t/publish"), 405),
        (get("/v1/ws"), 426),
        (get("/healthz"), 200),
    ] {
        client.send(&request);
        assert_eq!(client.answer().status, status, "{request}");
    }
}

#[test]
fn a_client_that_waits_is_told_to_continue() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    client
        .send(&post("body").replace("Host: a", "Host: a\r\nExpect: 100-continue").replace("\r\n\r\nbody", "\r\n\r\n"));
    assert_eq!(client.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    assert_eq!(client.answer().body, "body");
}

#[test]
fn head_has_no_body_and_http_1_0_closes() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    client.send(&get("/readyz").replace("GET", "HEAD"));
    assert!(client.head().contains("content-length: 5\r\n"));
    client.send("GET /readyz HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().body, "ready");
    assert!(client.is_closed());
}

#[test]
fn connections_beyond_the_limit_are_turned_away() {
    let front = Front::start(GatewayConfig { connections_max: 1, ..GatewayConfig::default() });
    let mut first = front.connect();
    first.send(&get("/healthz"));
    assert_eq!(first.answer().status, 200);
    let mut second = front.connect();
    assert_eq!(second.answer().status, 503);
    first.send(&get("/healthz"));
    assert_eq!(first.answer().status, 200);
    assert_eq!(front.metrics.connections_refused.get(), 1);
}

/// F61.
#[test]
fn a_head_that_does_not_end_is_answered_408() {
    let short = Duration::from_millis(1);
    let front = Front::start(GatewayConfig { head_timeout: short, ..GatewayConfig::default() });
    let mut client = front.connect();
    client.send("GET / HTT");
    assert_eq!(client.answer().status, 408);
    assert!(client.is_closed());
}

/// F61.
#[test]
fn a_body_that_does_not_come_is_answered_408() {
    let short = Duration::from_millis(1);
    let front = Front::start(GatewayConfig { body_timeout: short, ..GatewayConfig::default() });
    let mut client = front.connect();
    client.send(post("body").trim_end_matches("dy"));
    assert_eq!(client.answer().status, 408);
}

/// F61.
#[test]
fn a_body_that_trickles_in_for_ever_is_answered_408() {
    let (body_timeout, head_timeout) = (Duration::from_secs(1), Duration::from_millis(20));
    let front = Front::start(GatewayConfig { body_timeout, head_timeout, ..GatewayConfig::default() });
    let mut client = front.connect();
    client.send(post(&"x".repeat(100_000)).trim_end_matches('x'));
    let mut writing = client.stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        // Never silent for as long as a body may be, and never done: the front itself tells the time between two bytes.
        scope.spawn(|| {
            while writing.write_all(b"x").is_ok() {
                let mut other = front.connect();
                other.send("G");
                assert_eq!(other.answer().status, 408);
            }
        });
        assert_eq!(client.answer().status, 408);
        drop(client);
    });
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let short = Duration::from_millis(1);
    let front = Front::start(GatewayConfig { idle_timeout: short, ..GatewayConfig::default() });
    assert!(front.connect().is_closed());
}

#[test]
fn a_request_may_take_longer_than_a_connection_may_be_idle() {
    let idle_timeout = Duration::from_secs(1);
    let front = Front::start(GatewayConfig { idle_timeout, ..GatewayConfig::default() });
    let mut busy = front.connect();
    busy.send(&wait_until_gone());
    assert!(front.connect().is_closed());
    assert!(front.connect().is_closed());
    busy.stream.shutdown(Half::Write).unwrap();
    assert_eq!(busy.answer().body, "gone");
}

#[test]
fn a_client_that_does_not_read_is_given_up() {
    let short = Duration::from_millis(1);
    let front = Front::start(GatewayConfig { write_timeout: short, ..GatewayConfig::default() });
    let mut client = front.connect();
    let body = "x".repeat(limits::BODY_BYTES_MAX);
    client.send(&post(&body));
    // Nothing is read until the server has closed, which it counts.
    front.wait_for(|metrics| metrics.connection_timeouts.get() == 1);
    let mut answer = Vec::new();
    let read = client.stream.read_to_end(&mut answer);
    assert!(read.is_err() || answer.len() < body.len());
}

#[test]
fn bodies_together_are_bounded() {
    let front = Front::start(GatewayConfig { bodies_bytes_max: 100_000, ..GatewayConfig::default() });
    let mut client = front.connect();
    let request = post(&"x".repeat(1_000_000));
    let mut writing = client.stream.try_clone().unwrap();
    // The server stops reading somewhere in the body, which the writer may see.
    let writer = std::thread::spawn(move || writing.write_all(request.as_bytes()));
    assert_eq!(client.answer().status, 503);
    let _ = writer.join().unwrap();
}

#[test]
fn an_operation_learns_that_its_client_has_gone() {
    let front = Front::start(GatewayConfig::default());
    let client = front.connect();
    (&client.stream).write_all(wait_until_gone().as_bytes()).unwrap();
    client.stream.shutdown(Half::Write).unwrap();
    let mut client = client;
    // Only the sending side is closed: the answer still arrives.
    assert_eq!(client.answer().body, "gone");
    assert!(client.is_closed());
}

#[test]
fn the_last_answer_is_read_whole_also_with_requests_behind_it() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    let requests = format!("{}{}", wait_for_stop(), post("never answered").repeat(100));
    client.send(&requests);
    front.wait_for(|metrics| metrics.received_bytes.get() == requests.len() as u64);
    front.stop();
    assert_eq!(client.answer().body, "stopped");
    assert!(client.is_closed());
}

#[test]
fn a_panic_ends_its_connection_alone() {
    let front = Front::start(GatewayConfig::default());
    let mut other = front.connect();
    let mut client = front.connect();
    client.send("DELETE /v1/topics/panic HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.is_closed());
    other.send(&post("alive"));
    assert_eq!(other.answer().body, "alive");
    assert_eq!(front.metrics.connection_panics.get(), 1);
}

#[test]
fn stopping_closes_idle_connections_and_finishes_requests() {
    // So long that nothing ends for the grace being over.
    let shutdown_grace = Duration::from_hours(1);
    let front = Front::start(GatewayConfig { shutdown_grace, ..GatewayConfig::default() });
    let (mut idle, mut busy) = (front.connect(), front.connect());
    idle.send(&get("/healthz"));
    assert_eq!(idle.answer().status, 200);
    busy.send(&wait_for_stop());
    front.wait_for(|metrics| metrics.received_bytes.get() >= (get("/healthz").len() + wait_for_stop().len()) as u64);
    front.stop();
    assert!(idle.is_closed());
    let answer = busy.answer();
    assert_eq!(answer.body, "stopped");
    assert!(answer.head.contains("connection: close"));
    assert!(busy.is_closed());
    front.join();
}

#[test]
fn an_upgraded_connection_speaks_websocket_from_the_first_byte_behind_its_request() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    let upgrade = "GET /v1/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // A text frame, masked with zeros, in the same packet as the handshake.
    let frame = b"\x81\x82\0\0\0\0hi";
    client.stream.write_all(&[upgrade.as_bytes(), frame].concat()).unwrap();
    assert!(client.head().starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
    assert_eq!(client.bytes(4), b"\x81\x02hi");
    assert_eq!(front.metrics.websocket_connections.get(), 1);
}

/// Answered once the client closes its sending side.
fn wait_until_gone() -> String {
    "POST /v1/subscriptions/gone/pull HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".to_owned()
}

/// Answered once the node stops.
fn wait_for_stop() -> String {
    wait_until_gone().replace("gone", "stop")
}

#[test]
fn counts_are_by_route_and_class() {
    let front = Front::start(GatewayConfig::default());
    let mut client: Client = front.connect();
    client.send(&get("/healthz"));
    client.answer();
    client.send(&get("/nowhere"));
    client.answer();
    let answers: Vec<_> = front.metrics.answers().filter(|(_, classes)| classes.iter().sum::<u64>() > 0).collect();
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[1], (None, [0, 0, 0, 1, 0]));
    assert_eq!(front.metrics.errors.iter().map(|(_, count)| count).sum::<u64>(), 1);
}
