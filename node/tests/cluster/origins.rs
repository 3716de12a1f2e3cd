//! What pages of other origins may do, and requests that depend on what the client has already.

use serde_json::json;

use crate::{
    events::EventReader,
    harness::TestNode,
    http::{Answer, Connection},
};

const LISTED: (&str, &str) = ("Origin", "https://app.example");
const OTHER: (&str, &str) = ("Origin", "https://other.example");

fn is_granted(answer: &Answer) -> bool {
    let fields = ["access-control-allow-origin", "vary", "access-control-expose-headers"];
    let [origin, vary, exposed] = fields.map(|name| answer.header(name));
    assert_eq!((origin.is_some(), origin.is_some()), (vary.is_some(), exposed.is_some()), "{answer:?}");
    assert!(origin.is_none_or(|origin| origin == LISTED.1) && vary.is_none_or(|vary| vary == "Origin"));
    origin.is_some()
}

#[test]
fn pages_of_listed_origins_read_every_answer_and_others_none() {
    let node = TestNode::start_with(&[("server.allowed_origins", LISTED.1)]);
    let mut connection = Connection::open(node.address());
    for (origin, granted) in [(LISTED, true), (OTHER, false), (("X", "y"), false)] {
        for (method, path, status) in [
            ("PUT", "/v1/topics/orders", 0),
            ("GET", "/v1/topics/orders", 200),
            ("GET", "/v1/topics/none", 404),
            ("GET", "/nothing", 404),
            ("DELETE", "/v1/topics", 405),
            ("OPTIONS", "/v1/topics", 204),
        ] {
            let answer = connection.request(method, path, &[origin], b"");
            assert!(status == 0 || answer.status == status, "{method} {path}: {answer:?}");
            assert_eq!(is_granted(&answer), granted, "{method} {path}: {answer:?}");
        }
        // What is refused before it is whole.
        let head = format!("POST /v1/topics/orders/messages HTTP/1.1\r\nHost: a\r\n{}: {}\r\n", origin.0, origin.1);
        for rest in ["Content-Length: 99999999\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nx\r\n"] {
            let mut connection = connection.again();
            connection.send(format!("{head}{rest}").as_bytes());
            let answer = connection.answer().unwrap();
            assert!([400, 413].contains(&answer.status), "{answer:?}");
            assert_eq!(is_granted(&answer), granted, "{answer:?}");
        }
    }
    let stream = EventReader::request(
        node.address(),
        "GET /v1/topics/orders/events HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\n\r\n",
    );
    assert!(stream.head.contains("access-control-allow-origin: https://app.example\r\n"), "{}", stream.head);
    // The node's own origin needs no list.
    let own = format!("http://{}", node.address());
    let answer = connection.request("GET", "/healthz", &[("Origin", &own)], b"");
    assert_eq!(answer.header("access-control-allow-origin"), Some(own.as_str()));
}

#[test]
fn a_browser_may_ask_first() {
    let node = TestNode::start_with(&[("server.allowed_origins", LISTED.1)]);
    let mut connection = Connection::open(node.address());
    let asks = |origin| {
        let names = "authorization, pubsub-attr-colour, x-other";
        [origin, ("Access-Control-Request-Method", "PATCH"), ("Access-Control-Request-Headers", names)]
    };
    let answer = connection.request("OPTIONS", "/v1/topics/orders", &asks(LISTED), b"");
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some(LISTED.1));
    assert_eq!(answer.header("access-control-allow-methods"), answer.header("allow"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD, PUT, PATCH, DELETE, OPTIONS"));
    assert_eq!(answer.header("access-control-max-age"), Some("600"));
    let headers = answer.header("access-control-allow-headers").unwrap();
    assert!(headers.starts_with("Authorization, ") && headers.ends_with(", pubsub-attr-colour"), "{headers}");
    let answer = connection.request("OPTIONS", "/v1/topics/orders", &asks(OTHER), b"");
    assert_eq!((answer.status, answer.head.contains("access-control")), (204, false), "{answer:?}");
}

#[test]
fn who_has_the_configuration_is_not_sent_it_again() {
    let node = TestNode::start();
    let mut connection = Connection::open(node.address());
    let subscription = json!({ "topic": "orders" }).to_string();
    for (path, body, change) in [
        ("/v1/topics/orders", "{}", r#"{"retention_ms":86400000}"#),
        ("/v1/subscriptions/kitchen", subscription.as_str(), r#"{"ack_deadline_ms":60000}"#),
    ] {
        assert_eq!(connection.request("PUT", path, &[], body.as_bytes()).status, 201);
        let shown = connection.request("GET", path, &[], b"");
        let tag = shown.header("etag").unwrap().to_owned();
        let weak = format!("\"0\", W/{tag}");
        for tags in [tag.as_str(), weak.as_str(), "*"] {
            let answer = connection.request("GET", path, &[("If-None-Match", tags)], b"");
            assert_eq!((answer.status, answer.header("etag")), (304, Some(tag.as_str())), "{path}: {tags}");
        }
        assert_eq!(connection.request("GET", path, &[("If-None-Match", "\"0\"")], b"").status, 200);
        assert_eq!(connection.request("PATCH", path, &[("If-Match", &tag)], change.as_bytes()).status, 200);
        assert_eq!(connection.request("GET", path, &[("If-None-Match", &tag)], b"").status, 200);
        // What has changed since is not deleted.
        assert_eq!(connection.request("DELETE", path, &[("If-Match", &tag)], b"").status, 412);
    }
    for path in ["/v1/subscriptions/kitchen", "/v1/topics/orders"] {
        let tag = connection.request("GET", path, &[], b"").header("etag").unwrap().to_owned();
        assert_eq!(connection.request("DELETE", path, &[("If-Match", &tag)], b"").status, 204);
    }
}
