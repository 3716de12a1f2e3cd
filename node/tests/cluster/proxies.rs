//! Through the proxies that others put in front of a node, by the configurations that `docs/proxies.md` shows: requests that
//! share a connection, large bodies, events one by one, WebSocket both ways and to its end.

mod lossy;
mod proxy;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use self::{
    lossy::LossyLink,
    proxy::{Kind, Proxy},
};
use crate::{
    events::EventReader,
    floods::connect_from,
    harness::{TestNode, eventually},
    http::Connection,
    websocket::{Frame, RawWebSocket},
};

const EVENTS: u64 = 5;
const LARGE_BYTES: usize = 1 << 20;

#[test]
fn all_of_it_passes_through_nginx() {
    everything_passes_through(Kind::Nginx);
}

#[test]
fn all_of_it_passes_through_haproxy() {
    everything_passes_through(Kind::Haproxy);
}

#[test]
fn all_of_it_passes_through_envoy() {
    everything_passes_through(Kind::Envoy);
}

fn everything_passes_through(kind: Kind) {
    // All clients have the proxy's address, so its page says to take this bound away.
    let mut node = TestNode::start_with(&[("server.connections_per_address_max", "0")]);
    let Some(proxy) = Proxy::start(kind, node.address()) else { return };
    let mut connection = Connection::open(&proxy.address);
    publish_and_pull(&mut connection);
    send_much(&mut connection);
    let mut reader = read_one_by_one(&mut connection, &proxy);
    let mut socket = speak(&proxy);
    // Awaited here: a node that stops ends its streams where they are, and their readers go on elsewhere.
    let published: Vec<_> = (0..EVENTS).map(|_| reader.place().1).collect();
    assert!(
        published.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "what was published over WebSocket: {published:?}"
    );
    assert!(node.terminate().success());
    assert_eq!(socket.next(), Frame::Close(1001), "the node's close comes through");
    assert!(reader.next().is_none(), "and the end of the stream");
    // The proxy is there still, and says so.
    let answer = Connection::open(&proxy.address).request("GET", "/v1/topics", &[], b"");
    assert!([502, 503].contains(&answer.status), "{answer:?}");
}

/// Envoy sends a publish again whose answer was lost, if it has a key, and then it is stored once all the same; one without a key is
/// its publisher's to send again.
#[test]
fn envoy_sends_again_what_has_a_key_and_it_is_stored_once() {
    const LOST: usize = 2;
    let node = TestNode::start();
    let link = LossyLink::to(node.address());
    let Some(proxy) = Proxy::start(Kind::Envoy, &link.address) else { return };
    let mut connection = Connection::open(&proxy.address);
    assert_eq!(connection.request("PUT", "/v1/topics/orders", &[], br#"{"partitions":1}"#).status, 201);
    let stored = || {
        let page = crate::http::get(node.address(), "/v1/topics/orders/partitions/0/messages?offset=0&limit=100");
        page.json()["messages"].as_array().unwrap().len()
    };
    let batch = json!({ "messages": [{ "text": "a" }, { "text": "b" }] }).to_string();
    for (path, body, messages) in
        [("/v1/topics/orders/publish", "an order", 1), ("/v1/topics/orders/messages", &batch, 2)]
    {
        let before = (stored(), link.answers());
        link.lose(LOST);
        let answer = connection.request("POST", path, &[("Idempotency-Key", path)], body.as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
        let result = answer.json();
        let first = if messages == 1 { &result } else { &result["results"][0] };
        assert_eq!((&first["duplicate"], &first["offset"]), (&json!(true), &json!(before.0)), "{result}");
        assert_eq!((stored(), link.answers()), (before.0 + messages, before.1 + LOST + 1));
    }
    let before = (stored(), link.answers());
    link.lose(1);
    let answer = connection.request("POST", "/v1/topics/orders/publish", &[], b"without a key");
    assert!([502, 503].contains(&answer.status), "{answer:?}");
    assert_eq!((stored(), link.answers()), (before.0 + 1, before.1 + 1), "it was sent once");
    link.lose(1);
    let answer = connection.request("POST", "/v1/subscriptions/kitchen/pull", &[("Idempotency-Key", "a")], b"{}");
    assert!([502, 503].contains(&answer.status), "a pull is no publish: {answer:?}");
}

/// The node counts connections by where they come from, whatever is said of the clients behind: with the bound in place,
/// everybody behind a proxy is one.
#[test]
fn everybody_behind_a_proxy_is_one_address() {
    const EACH_MAX: usize = 8;
    let node = TestNode::start_with(&[("server.connections_per_address_max", &EACH_MAX.to_string())]);
    let Some(proxy) = Proxy::start(Kind::Nginx, node.address()) else { return };
    let mut connection = Connection::open(&proxy.address);
    assert_eq!(connection.request("PUT", "/v1/topics/orders", &[], b"{}").status, 201);
    // Streams of many clients, by what the proxy's clients say of themselves; each has a connection to the node.
    let mut streams = Vec::new();
    let refused = (0..=EACH_MAX).find_map(|number| {
        let mut stream = Connection::open(&proxy.address);
        let request =
            format!("GET /v1/topics/orders/events HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.{number}\r\n\r\n");
        stream.send(request.as_bytes());
        let answer = stream.answer().unwrap();
        streams.push(stream);
        (answer.status != 200).then_some(answer)
    });
    let refused = refused.expect("there is one more than may be");
    assert_eq!((refused.status, &refused.json()["code"]), (429, &json!("rate_limited")));
    // Who comes past the proxy, from elsewhere, is served.
    let mut past = Connection::over(connect_from("127.0.0.2", node.address().parse().unwrap()));
    assert_eq!(past.request("GET", "/healthz", &[], b"").status, 200);
    drop(streams);
    let served = || Connection::open(&proxy.address).request("GET", "/healthz", &[], b"").status == 200;
    assert!(eventually(served), "those that have gone count no more");
}

/// Many requests over one connection, some with a refusal between them.
fn publish_and_pull(connection: &mut Connection) {
    let mut ask = |method, path: &str, body: &str, status| {
        let answer = connection.request(method, path, &[], body.as_bytes());
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    };
    ask("PUT", "/v1/topics/orders", r#"{"partitions":1}"#, 201);
    ask("PUT", "/v1/subscriptions/kitchen", r#"{"topic":"orders"}"#, 201);
    for number in 0..10_u64 {
        let published = ask("POST", "/v1/topics/orders/publish", &format!("order {number}"), 200);
        assert_eq!(published["offset"], number);
        let refused = ask("GET", "/v1/topics/nowhere", "", 404);
        assert_eq!(refused["code"], "topic_not_found");
    }
    let pulled = ask("POST", "/v1/subscriptions/kitchen/pull", r#"{"max_messages":10,"wait_ms":10000}"#, 200);
    let ids: Vec<_> = pulled["messages"].as_array().unwrap().iter().map(|message| &message["ack_id"]).collect();
    let acked = ask("POST", "/v1/subscriptions/kitchen/ack", &json!({ "ack_ids": ids }).to_string(), 200);
    assert_eq!((ids.len(), &acked["succeeded"]), (10, &json!(10)));
}

/// A body of 1 MiB arrives byte for byte, and comes back.
fn send_much(connection: &mut Connection) {
    let body: Vec<_> = (0..LARGE_BYTES).map(|at| (at % 251).to_le_bytes()[0]).collect();
    let offset = connection.request("POST", "/v1/topics/orders/publish", &[], &body).json()["offset"].clone();
    let path = format!("/v1/topics/orders/partitions/0/messages?limit=1&offset={offset}");
    let read = connection.request("GET", &path, &[], b"").json();
    let data = STANDARD.decode(read["messages"][0]["data"].as_str().unwrap()).unwrap();
    assert!(data == body, "{} bytes came back", data.len());
}

/// Each event has come before the next one is published: what keeps some back would wait for ever.
fn read_one_by_one(connection: &mut Connection, proxy: &Proxy) -> EventReader {
    let mut reader = EventReader::open(&proxy.address, "orders", "?from=latest");
    for _ in 0..EVENTS {
        let published = connection.request("POST", "/v1/topics/orders/publish", &[], b"an event").json();
        assert_eq!(Some(reader.place().1), published["offset"].as_u64());
    }
    reader
}

/// Publishes to a topic that the same connection reads; returns with nothing on its way.
fn speak(proxy: &Proxy) -> RawWebSocket {
    let mut socket = RawWebSocket::open(&proxy.address, Some("pubsub.v1.json"));
    socket.send_text(r#"{"op":"subscribe","ref":1,"topic":"orders","from":"latest","credit":100}"#);
    assert_eq!(op(&mut socket), "subscribed");
    for reference in 0..EVENTS {
        let publish = json!({ "op": "publish", "ref": reference, "topic": "orders", "messages": [{ "text": "a" }] });
        socket.send_text(&publish.to_string());
        let mut ops = [op(&mut socket), op(&mut socket)];
        ops.sort();
        assert_eq!(ops, ["messages", "published"]);
    }
    socket
}

/// What the next frame is.
fn op(socket: &mut RawWebSocket) -> String {
    let frame = socket.next();
    let Frame::Text(text) = frame else { panic!("{frame:?}") };
    serde_json::from_str::<Value>(&text).unwrap()["op"].as_str().unwrap().to_owned()
}
