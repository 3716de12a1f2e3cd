//! Where the keys for tokens come from, and what is made of those that are of no use.

mod grants;
pub(crate) mod signer;

use std::fs;

use crate::{
    canned::CannedServer,
    harness::{TestNode, data_directory, eventually, node_command, wait},
};

const ONE: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const TWO: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},{"kty":"OKP","crv":"Ed25519","kid":"b","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
pub(crate) const OURS: [(&str, &str); 3] =
    [("jwt.issuer", "https://login.example"), ("jwt.audience", "pubsub"), ("jwt.refresh_interval_ms", "1000")];

fn keys(node: &TestNode) -> f64 {
    node.metric("pubsub_jwt_keys")[0].1
}

fn refreshes(node: &TestNode, outcome: &str) -> f64 {
    let refreshes = node.metric("pubsub_jwt_refreshes_total");
    refreshes.into_iter().find(|(labels, _)| labels.contains(outcome)).unwrap().1
}

#[test]
fn keys_are_fetched_again_and_what_is_of_no_use_changes_nothing() {
    let issuer = CannedServer::start("503 Service Unavailable", "");
    let url = format!("http://{}/keys", issuer.address);
    // It starts without its issuer, and takes nobody's word until that is there.
    let node = TestNode::start_with(&[&OURS[..], &[("jwt.jwks_url", url.as_str())]].concat());
    assert!(eventually(|| refreshes(&node, "failed") >= 1.0));
    assert!(keys(&node) < 1.0);
    issuer.say("200 OK", ONE);
    assert!(eventually(|| (keys(&node) - 1.0).abs() < 0.5));
    issuer.say("200 OK", TWO);
    assert!(eventually(|| (keys(&node) - 2.0).abs() < 0.5));
    let large = format!("{ONE}{}", " ".repeat(256 << 10));
    for (status, body) in [("200 OK", "{}"), ("302 Found", ONE), ("200 OK", &large)] {
        let failed = refreshes(&node, "failed");
        issuer.say(status, body);
        assert!(eventually(|| refreshes(&node, "failed") > failed), "{status} {}", body.len());
        assert!(keys(&node) > 1.5, "{status} {}", body.len());
    }
    issuer.say("200 OK", ONE);
    assert!(eventually(|| (keys(&node) - 1.0).abs() < 0.5));
}

#[test]
fn a_file_with_keys_is_read_again() {
    let files = data_directory();
    let path = files.path().join("keys.json");
    fs::write(&path, ONE).unwrap();
    let node = TestNode::start_with(&[&OURS[..], &[("jwt.jwks_file", path.to_str().unwrap())]].concat());
    assert!((keys(&node) - 1.0).abs() < 0.5);
    fs::write(&path, TWO).unwrap();
    assert!(eventually(|| (keys(&node) - 2.0).abs() < 0.5));
    fs::write(&path, "{").unwrap();
    assert!(eventually(|| refreshes(&node, "failed") >= 1.0));
    assert!((keys(&node) - 2.0).abs() < 0.5);
}

#[test]
fn a_node_does_not_start_with_a_file_that_has_no_keys() {
    let files = data_directory();
    let path = files.path().join("keys.json");
    fs::write(&path, r#"{"keys":[]}"#).unwrap();
    let mut command = node_command();
    command.current_dir(files.path()).args(["--set", "server.port=0", "--set", "metrics.port=0"]);
    let file = path.to_str().unwrap();
    for (key, value) in OURS.iter().chain(&[("jwt.jwks_file", file)]) {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    assert_eq!(wait(&mut child).code(), Some(i32::from(node::exit_code::ExitCode::Configuration.number())));
}
