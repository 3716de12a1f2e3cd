//! The log of a running node: turned up and down without a restart, each line of a request with its id, repeats left out.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    harness::{TestNode, data_directory, eventually},
    http::get,
};

/// A node whose settings are in a file.
fn node(settings: &str, more: &[(&str, &str)]) -> (TestNode, tempfile::TempDir) {
    let files = data_directory();
    fs::write(files.path().join("config.yaml"), settings).unwrap();
    let node = TestNode::start_at(files.path().to_owned(), more);
    (node, files)
}

/// The lines that say this.
fn said(node: &TestNode, message: &str) -> Vec<Value> {
    let lines = node.log().into_iter().filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    lines.filter(|line| line["message"] == message).collect()
}

/// Has the node read its settings again, and waits until it says so.
fn read_again(node: &TestNode, message: &str) -> Value {
    let before = said(node, message).len();
    node.signal(Signal::HUP);
    assert!(eventually(|| said(node, message).len() > before), "{:?}", node.log());
    said(node, message).pop().unwrap()
}

const CHANGED: &str = "the log has new settings";
const KEPT: &str = "the log's settings stay as they are";
const ANSWERED: &str = "a request is answered";

#[test]
fn the_level_is_read_again_on_sighup_and_a_request_is_named_in_its_lines() {
    let (node, files) = node("log: {level: info}\n", &[]);
    let settings = files.path().join("config.yaml");
    assert_eq!(get(node.address(), "/v1/topics").status, 200);

    fs::write(&settings, "log: {level: 'info,gateway=debug'}\n").unwrap();
    assert_eq!(read_again(&node, CHANGED)["filter"], "info,gateway=debug");
    assert_eq!(said(&node, ANSWERED).len(), 0, "it was not asked for");
    let answer = get(node.address(), "/v1/topics/nowhere");
    assert!(eventually(|| !said(&node, ANSWERED).is_empty()), "{:?}", node.log());
    let line = said(&node, ANSWERED).pop().unwrap();
    assert_eq!(line["request_id"].as_str(), answer.header("pubsub-request-id"), "{line}");
    assert_eq!(
        (&line["route"], &line["status"], &line["code"]),
        (&"get_topic".into(), &404.into(), &"topic_not_found".into())
    );

    // Where the settings are those of a container, a file beside the data goes before them.
    let level = node.data_dir().join("log-level");
    fs::write(&level, "warn\n").unwrap();
    assert_eq!(read_again(&node, CHANGED)["filter"], "warn");
    fs::write(&level, "loud=loud").unwrap();
    read_again(&node, KEPT);
    fs::remove_file(&level).unwrap();
    fs::write(&settings, "log: {levle: info}\n").unwrap();
    let kept = read_again(&node, KEPT);
    assert!(kept["reason"].as_str().unwrap().contains("log.level"), "the nearest known one is named: {kept}");
    assert_eq!(get(node.address(), "/healthz").status, 200);
}

#[test]
fn repeats_are_left_out_and_their_number_is_told() {
    let limit = [("log.repeats_max", "1"), ("log.repeats_window_ms", "1000")];
    let (node, _files) = node("log: {level: info}\n", &limit);
    let told = || said(&node, "lines of one place were left out").pop();
    let is_told = eventually(|| {
        node.signal(Signal::HUP);
        told().is_some()
    });
    assert!(is_told, "{:?}", node.log());
    let told = told().unwrap();
    assert!(told["lines"].as_u64().unwrap() > 0, "{told}");
    assert!(told["place"].as_str().unwrap().contains("reload.rs:"), "{told}");
}
