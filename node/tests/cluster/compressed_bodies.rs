//! Bodies in the gzip coding, sound and hostile.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use crate::{
    harness::TestNode,
    http::{Answer, Connection},
};

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn post(connection: &mut Connection, path: &str, body: &[u8]) -> Answer {
    connection.request("POST", &format!("/v1/topics/orders/{path}"), &[("Content-Encoding", "gzip")], body)
}

/// F65.
#[test]
fn compressed_bodies_are_taken_and_bombs_are_not() {
    let node = TestNode::start();
    let mut connection = Connection::open(node.address());
    assert_eq!(connection.request("PUT", "/v1/topics/orders", &[], br#"{"partitions":1}"#).status, 201);
    let text = "two coffees ".repeat(1_000);
    assert_eq!(post(&mut connection, "publish", &gzip(text.as_bytes())).status, 200);
    let batch = json!({ "messages": [{ "text": text }, { "text": "three" }] }).to_string();
    assert_eq!(post(&mut connection, "messages", &gzip(batch.as_bytes())).status, 200);

    // 16 MiB out of 16 KiB; what is larger than any body; and a coding within a coding, which is a payload like any other.
    let bomb = gzip(&vec![0; 16 << 20]);
    for hostile in [&bomb, &gzip(&vec![0; 64 << 20])] {
        let refused = post(&mut connection, "publish", hostile);
        assert_eq!((refused.status, &refused.json()["code"]), (413, &json!("body_too_large")));
    }
    assert_eq!(post(&mut connection, "publish", &gzip(&bomb)).status, 200);
    let cut = gzip(text.as_bytes());
    let refused = post(&mut connection, "publish", &cut[..cut.len() - 1]);
    assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("invalid_argument")));
    // Elsewhere it is not undone.
    let path = "/v1/topics/other";
    assert_eq!(connection.request("PUT", path, &[("Content-Encoding", "gzip")], &gzip(b"{}")).status, 415);

    let read = connection.request("GET", "/v1/topics/orders/partitions/0/messages?offset=0", &[], b"").json();
    assert_eq!(read["messages"].as_array().map(Vec::len), Some(4));
    assert_eq!(read["messages"][0]["data"], read["messages"][1]["data"]);
}
