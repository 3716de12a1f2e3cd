//! What the holder of a token may do: what the principal of its subject may, as long as both the token and its key count.

use std::fs;

use serde_json::{Value, json};

use super::{OURS, keys, signer::Signer};
use crate::{
    access::{
        ask,
        confined::{self, assert_publishes_only, assert_socket_publishes_only},
        guarded_node,
    },
    harness::{TestNode, data_directory, eventually},
    http::Connection,
    websocket::RawWebSocket,
};

/// What the node says to `GET /v1/whoami`.
fn whoami(node: &TestNode, token: &str) -> (u16, Value) {
    let answer = ask(node, token, "GET /v1/whoami", &Value::Null);
    let field = if answer.status == 200 { "principal" } else { "code" };
    (answer.status, answer.json()[field].clone())
}

/// F71.
#[test]
fn a_token_may_do_what_its_subject_may_until_it_or_its_key_is_gone() {
    let (files, old, new) = (data_directory(), Signer::new("old"), Signer::new("new"));
    let path = files.path().join("keys.json");
    fs::write(&path, Signer::key_set(&[&old, &new])).unwrap();
    let (node, admin) = guarded_node(&[&OURS[..], &[("jwt.jwks_file", path.to_str().unwrap())]].concat());
    confined::prepare("shop@login.example", |method, path, body| {
        ask(&node, &admin, &format!("{method} {path}"), body).status
    });

    for signer in [&old, &new] {
        let authorization = format!("Bearer {}", signer.token("shop@login.example", 300));
        let mut connection = Connection::open(node.address());
        assert_publishes_only(|method, path, body| {
            let answer = connection.request(method, path, &[("Authorization", &authorization)], body);
            (answer.status, answer.json())
        });
        let lines = format!("Authorization: {authorization}\r\n");
        assert_socket_publishes_only(&mut RawWebSocket::open_with(node.address(), None, &lines));
    }

    // Who is signed for but not known is nobody in particular; and a token that has ended, or is signed by another, proves nobody.
    assert_eq!(whoami(&node, &old.token("stranger", 300)), (200, json!("stranger")));
    let publish = format!("POST /v1/topics/{}/publish", confined::OURS);
    assert_eq!(ask(&node, &old.token("stranger", 300), &publish, &json!("x")).status, 403);
    let unauthenticated = (401, json!("unauthenticated"));
    assert_eq!(whoami(&node, &old.token("shop@login.example", -120)), unauthenticated);
    assert_eq!(whoami(&node, &Signer::new("old").token("shop@login.example", 300)), unauthenticated);

    // A key that the issuer has taken back signs no more.
    fs::write(&path, Signer::key_set(&[&new])).unwrap();
    assert!(eventually(|| keys(&node) < 1.5));
    assert_eq!(whoami(&node, &old.token("shop@login.example", 301)), unauthenticated);
    assert_eq!(ask(&node, &new.token("shop@login.example", 301), &publish, &json!("x")).status, 200);
}
