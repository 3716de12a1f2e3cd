//! What a client does wrong is answered with the right status and code, changes nothing, and costs no connection.

use crate::{
    harness::TestNode,
    http::{Connection, get},
};

/// One wrong request: its name, method, path, body, and the status and code of the answer.
type Case = (&'static str, &'static str, &'static str, &'static [u8], u16, &'static str);

const MESSAGES: &str = "/v1/topics/orders/messages";

const CASES: &[Case] = &[
    ("unknown topic", "POST", "/v1/topics/nowhere/messages", br#"{"messages":[{"text":"x"}]}"#, 404, "topic_not_found"),
    ("unknown topic, shown", "GET", "/v1/topics/nowhere", b"", 404, "topic_not_found"),
    ("unknown subscription", "POST", "/v1/subscriptions/nowhere/pull", b"{}", 404, "subscription_not_found"),
    ("unknown partition", "GET", "/v1/topics/orders/partitions/9/messages", b"", 404, "partition_not_found"),
    ("unknown path", "GET", "/v2/topics", b"", 404, "not_found"),
    ("unknown method", "DELETE", "/v1/topics", b"", 405, "method_not_allowed"),
    ("no JSON", "POST", MESSAGES, b"hello", 400, "invalid_json"),
    ("half of JSON", "POST", MESSAGES, br#"{"messages":["#, 400, "invalid_json"),
    ("no body", "POST", MESSAGES, b"", 400, "invalid_json"),
    ("wrong type", "POST", MESSAGES, br#"{"messages":7}"#, 400, "invalid_argument"),
    ("wrong type within", "POST", MESSAGES, br#"{"messages":[{"text":7}]}"#, 400, "invalid_argument"),
    ("unknown field", "POST", MESSAGES, br#"{"messages":[],"extra":1}"#, 400, "unknown_field"),
    ("unknown field within", "POST", MESSAGES, br#"{"messages":[{"text":"x","extra":1}]}"#, 400, "unknown_field"),
    ("bad base64", "POST", MESSAGES, br#"{"messages":[{"data":"a?"}]}"#, 400, "invalid_base64"),
    ("no payload", "POST", MESSAGES, br#"{"messages":[{}]}"#, 400, "invalid_argument"),
    ("two payloads", "POST", MESSAGES, br#"{"messages":[{"text":"x","data":""}]}"#, 400, "invalid_argument"),
    ("bad priority", "POST", MESSAGES, br#"{"messages":[{"text":"x","priority":10}]}"#, 400, "invalid_argument"),
    ("no such partition", "POST", MESSAGES, br#"{"messages":[{"text":"x","partition":9}]}"#, 400, "invalid_argument"),
    ("not UTF-8", "POST", MESSAGES, b"{\"messages\":[{\"text\":\"\xff\"}]}", 400, "invalid_json"),
    ("bad topic name", "PUT", "/v1/topics/a%20b", b"{}", 400, "invalid_name"),
    ("reserved topic name", "PUT", "/v1/topics/__a", b"{}", 400, "invalid_name"),
    ("too many partitions", "PUT", "/v1/topics/large", br#"{"partitions":100000}"#, 400, "invalid_argument"),
    ("another topic under the name", "PUT", "/v1/topics/orders", br#"{"partitions":3}"#, 409, "topic_exists"),
    ("fewer partitions", "PATCH", "/v1/topics/orders", br#"{"partitions":1}"#, 400, "invalid_argument"),
    ("bad offset", "GET", "/v1/topics/orders/partitions/0/messages?offset=-1", b"", 400, "invalid_argument"),
    ("offset past the end", "GET", "/v1/topics/orders/partitions/0/messages?offset=7", b"", 400, "offset_out_of_range"),
    ("bad cursor", "GET", "/v1/topics/orders/partitions/0/messages?cursor=x", b"", 400, "invalid_cursor"),
    (
        "bad subscription",
        "PUT",
        "/v1/subscriptions/new",
        br#"{"topic":"orders","ack_deadline_ms":1}"#,
        400,
        "invalid_argument",
    ),
    ("subscription to nothing", "PUT", "/v1/subscriptions/new", br#"{"topic":"nowhere"}"#, 404, "topic_not_found"),
    ("pull of a text", "POST", "/v1/subscriptions/billing/pull", br#"{"max_messages":"x"}"#, 400, "invalid_argument"),
];

/// A node with a topic of two empty partitions and a subscription.
fn node() -> (TestNode, Connection) {
    let node = TestNode::start();
    let mut connection = Connection::open(node.address());
    assert_eq!(connection.request("PUT", "/v1/topics/orders", &[], br#"{"partitions":2}"#).status, 201);
    assert_eq!(connection.request("PUT", "/v1/subscriptions/billing", &[], br#"{"topic":"orders"}"#).status, 201);
    (node, connection)
}

/// What a wrong request must not have changed.
fn state(node: &TestNode) -> [serde_json::Value; 3] {
    ["/v1/topics", "/v1/topics/orders", "/v1/subscriptions"].map(|path| get(node.address(), path).json())
}

#[test]
fn every_wrong_request_is_named_changes_nothing_and_keeps_its_connection() {
    let (node, mut connection) = node();
    let before = state(&node);
    let mut wrong = Vec::new();
    for (name, method, path, body, status, code) in CASES {
        let answer = connection.request(method, path, &[], body);
        let problem = answer.json();
        let found = (answer.status, problem["code"].as_str().unwrap_or_default());
        if found != (*status, *code) {
            wrong.push(format!("{name}: expected {status} {code}, found {found:?}: {problem}"));
        }
        if answer.header("content-type") != Some("application/problem+json") {
            wrong.push(format!("{name}: {:?}", answer.head));
        }
        if problem["retryable"].as_bool().is_none() || problem["outcome"] != "not_applied" {
            wrong.push(format!("{name}: {problem}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert_eq!(state(&node), before);
    assert_eq!(connection.request("GET", "/healthz", &[], b"").status, 200);
}

#[test]
fn one_wrong_message_of_many_is_named_by_place_and_none_is_stored() {
    let (node, mut connection) = node();
    let before = state(&node);
    let body = br#"{"messages":[{"text":"a"},{"data":"??"},{"text":"b","priority":11}]}"#;
    let problem = connection.request("POST", MESSAGES, &[], body).json();
    let errors: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["index"].as_u64(), error["field"].as_str()))
        .collect();
    assert_eq!(errors, [(Some(1), Some("data")), (Some(2), Some("priority"))], "{problem}");
    assert_eq!(state(&node), before);
}

#[test]
fn a_message_that_is_too_large_is_refused_and_the_largest_is_taken() {
    let (node, mut connection) = node();
    let raw = "/v1/topics/orders/publish";
    let largest = vec![0xff; 1 << 20];
    let answer = connection.request("POST", raw, &[], &largest);
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = connection.request("POST", raw, &[], &[largest.as_slice(), b"!"].concat());
    assert_eq!((answer.status, answer.json()["code"].as_str()), (413, Some("message_too_large")));
    assert_eq!(get(node.address(), "/healthz").status, 200);
}

/// F60.
#[test]
fn a_body_that_is_too_large_is_refused_before_it_is_sent() {
    let (node, mut connection) = node();
    let head = format!("POST {MESSAGES} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", (16 << 20) + 1);
    connection.send(head.as_bytes());
    let answer = connection.answer().unwrap();
    assert_eq!((answer.status, answer.json()["code"].as_str()), (413, Some("body_too_large")));
    assert!(connection.is_closed());
    assert_eq!(get(node.address(), "/healthz").status, 200);
}

#[test]
fn ambiguous_framing_is_answered_and_ends_the_connection() {
    let (node, _) = node();
    for framing in [
        "Content-Length: 1\r\nContent-Length: 2",
        "Content-Length: 1\r\nTransfer-Encoding: chunked",
        "Content-Length: +1",
    ] {
        let mut connection = Connection::open(node.address());
        connection.send(format!("POST {MESSAGES} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n").as_bytes());
        let answer = connection.answer().unwrap();
        assert_eq!((answer.status, answer.json()["code"].as_str()), (400, Some("invalid_request")), "{framing}");
        assert!(connection.is_closed(), "{framing}");
    }
}

#[test]
fn an_ack_that_is_expired_or_foreign_has_no_effect_and_says_so() {
    let (_node, mut connection) = node();
    let settings = br#"{"topic":"orders","start":"earliest","ack_deadline_ms":100,"backoff":{"min_ms":0,"max_ms":0}}"#;
    assert_eq!(connection.request("PUT", "/v1/subscriptions/quick", &[], settings).status, 201);
    connection.request("POST", MESSAGES, &[], br#"{"messages":[{"text":"x"}]}"#);
    let mut pull = || {
        let pulled = connection.request("POST", "/v1/subscriptions/quick/pull", &[], br#"{"wait_ms":10000}"#).json();
        pulled["messages"][0]["ack_id"].as_str().expect("a message").to_owned()
    };
    // The second pull gets the message because its first lease has run out.
    let (expired, live) = (pull(), pull());
    let mut ack = |ids: &[&str]| {
        let body = serde_json::json!({ "ack_ids": ids }).to_string();
        connection.request("POST", "/v1/subscriptions/quick/ack", &[], body.as_bytes()).json()
    };
    let answer = ack(&[&expired, "nonsense"]);
    assert_eq!(answer["succeeded"], 0, "{answer}");
    let codes: Vec<_> = answer["failed"].as_array().unwrap().iter().map(|failed| failed["code"].clone()).collect();
    assert_eq!(codes, ["lease_expired", "invalid_ack_id"], "{answer}");
    drop(live);
}
