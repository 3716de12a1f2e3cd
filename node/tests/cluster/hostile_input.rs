//! Text that is meant to confuse: bytes that are no UTF-8, JSON without end, names that are almost another's.

use serde_json::json;

use crate::{
    harness::TestNode,
    http::{Answer, Connection, get},
};

const MESSAGES: &str = "/v1/topics/orders/messages";

fn node() -> TestNode {
    let node = TestNode::start();
    let made = Connection::open(node.address()).request("PUT", "/v1/topics/orders", &[], b"{\"partitions\":1}");
    assert_eq!(made.status, 201);
    node
}

/// The status and the code of a publish of this body; the node goes on.
fn published(node: &TestNode, body: &[u8]) -> (u16, String) {
    let answer = Connection::open(node.address()).request("POST", MESSAGES, &[], body);
    assert_eq!(get(node.address(), "/readyz").status, 200);
    (answer.status, code(&answer))
}

fn code(answer: &Answer) -> String {
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    problem["code"].as_str().unwrap_or_default().to_owned()
}

/// F62.
#[test]
fn text_that_is_no_utf8_is_refused_and_payloads_stay_as_they_are() {
    let node = node();
    for text in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\xc3"] {
        let body = [b"{\"messages\":[{\"text\":\"", text, b"\"}]}"].concat();
        assert_eq!(published(&node, &body), (400, "invalid_json".to_owned()), "{text:?}");
        let body = [b"{\"messages\":[{\"text\":\"\",\"key\":\"", text, b"\"}]}"].concat();
        assert_eq!(published(&node, &body), (400, "invalid_json".to_owned()), "{text:?} as a key");
    }
    // A byte order mark is no JSON (RFC 8259 §8.1), nor is a NUL or a lone surrogate.
    for body in [
        "\u{feff}{\"messages\":[{\"text\":\"\"}]}",
        "{\"messages\":[{\"text\":\"\0\"}]}",
        r#"{"messages":[{"text":"\ud800"}]}"#,
    ] {
        assert_eq!(published(&node, body.as_bytes()).0, 400, "{body:?}");
    }
    let raw = b"\xff\0\xc0\xaf\xef\xbb\xbf";
    let published = Connection::open(node.address()).request("POST", "/v1/topics/orders/publish", &[], raw);
    assert_eq!(published.status, 200);
    let read = get(node.address(), "/v1/topics/orders/partitions/0/messages?offset=0");
    let read: serde_json::Value = serde_json::from_slice(&read.body).unwrap();
    assert_eq!(read["messages"], json!([read["messages"][0]]), "only what was sound was stored");
    assert_eq!(read["messages"][0]["data"], "/wDAr++7vw==");
}

/// F63.
#[test]
fn json_that_is_too_deep_too_large_or_says_things_twice_is_refused() {
    let node = node();
    let deep = |depth: usize| format!(r#"{{"messages":[{{"json":{}1{}}}]}}"#, "[".repeat(depth), "]".repeat(depth));
    assert_eq!(published(&node, deep(50).as_bytes()).0, 200);
    for depth in [1_000, 100_000] {
        assert_eq!(published(&node, deep(depth).as_bytes()), (400, "invalid_json".to_owned()), "{depth}");
        assert_eq!(published(&node, "[".repeat(depth).as_bytes()).0, 400, "{depth}, never closed");
        assert_eq!(published(&node, r#"{"messages":"#.repeat(depth).as_bytes()).0, 400, "{depth} objects");
    }
    for body in [
        r#"{"messages":[{"text":"a"}],"messages":[{"text":"b"}]}"#,
        r#"{"messages":[{"text":"a","text":"b"}]}"#,
        r#"{"messages":[{"text":"a","priority":1e400}]}"#,
        r#"{"messages":[{"text":"a","ttl_ms":1e3}]}"#,
        r#"{"messages":[{"text":"a","ttl_ms":-1}]}"#,
        r#"{"messages":[{"text":"a","priority":18446744073709551616}]}"#,
    ] {
        assert_eq!(published(&node, body.as_bytes()).0, 400, "{body}");
    }
    let large = format!(r#"{{"messages":[{{"text":"{}"}}]}}"#, "x".repeat(10 << 20));
    assert_eq!(published(&node, large.as_bytes()), (413, "message_too_large".to_owned()));
}

/// F67.
#[test]
fn names_are_ascii_and_lead_nowhere_else() {
    let node = node();
    for name in [
        "..",
        ".",
        "%2e%2e",
        "%2e",
        "..%2fx",
        "a%2fb",
        "a%5cb",
        "%00",
        "a%00",
        "a%20",
        "%20",
        "%c3%bc",
        "%ef%bc%8f",
        "orders%0a",
        "orders%0d%0aX",
        "orders%ff",
        "a%3fb",
        "a%23b",
        "a%25b",
        "__x",
    ] {
        let answer = Connection::open(node.address()).request("PUT", &format!("/v1/topics/{name}"), &[], b"{}");
        assert!((400..500).contains(&answer.status), "{name}: {}", answer.status);
        assert_ne!(code(&answer), "", "{name}");
    }
    let long = "x".repeat(10_000);
    let answer = Connection::open(node.address()).request("PUT", &format!("/v1/topics/{long}"), &[], b"{}");
    assert_eq!((answer.status, code(&answer)), (400, "invalid_name".to_owned()));
    // Case tells names apart, and look-alikes are no names at all.
    let upper = Connection::open(node.address()).request("PUT", "/v1/topics/Orders", &[], b"{}");
    assert_eq!(upper.status, 201);
    let listed = get(node.address(), "/v1/topics");
    let listed: serde_json::Value = serde_json::from_slice(&listed.body).unwrap();
    let names: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|topic| topic["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Orders", "orders"]);
    // Directories have the ids of topics, nothing of their names.
    let partitions = std::fs::read_dir(node.data_dir().join("partitions")).unwrap();
    for entry in partitions.map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
        let entry = entry.file_name().into_string().unwrap();
        assert!(entry.bytes().all(|byte| byte.is_ascii_digit()), "{entry}");
    }
}
