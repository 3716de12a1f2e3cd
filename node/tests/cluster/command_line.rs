//! `pubsub-cli` against a real node.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Output, Stdio},
};

use serde_json::Value;

use crate::harness::{TestNode, tool_command, wait};

fn cli(node: &TestNode, arguments: &[&str], input: &str) -> Output {
    let mut command = tool_command("pubsub-cli");
    command.arg("--server").arg(format!("http://{}", node.address())).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Runs a command that must succeed; returns what it printed.
#[track_caller]
fn done(node: &TestNode, arguments: &[&str], input: &str) -> String {
    let output = cli(node, arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_message_goes_from_one_command_to_another() {
    let node = TestNode::start();
    done(&node, &["topics", "create", "orders", "--partitions", "1"], "");
    done(&node, &["subscriptions", "create", "billing", "--topic", "orders", "--start", "earliest"], "");
    done(&node, &["publish", "orders", "hello"], "");
    done(&node, &["publish", "orders", "--stdin"], "one\ntwo\n");
    let topics: Value = serde_json::from_str(&done(&node, &["topics", "list", "-o", "json"], "")).unwrap();
    assert!(topics.to_string().contains("\"orders\""), "{topics}");
    let table = done(&node, &["pull", "billing", "--ack"], "");
    let places: Vec<_> = ["hello", "one", "two"].iter().map(|text| table.find(text)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{table}");
    let again: Value = serde_json::from_str(&done(&node, &["pull", "billing", "-o", "json"], "")).unwrap();
    assert!(!again.to_string().contains("ack_id"), "{again}");
}

#[test]
fn subscribe_prints_what_is_there_and_ends_after_its_count() {
    let node = TestNode::start();
    done(&node, &["topics", "create", "orders"], "");
    done(&node, &["publish", "orders", "--stdin", "--key", "k"], "one\ntwo\nthree\n");
    let printed = done(&node, &["subscribe", "orders", "--from", "earliest", "--count", "3"], "");
    assert!(printed.contains("one") && printed.contains("three"), "{printed}");
}

#[test]
fn groups_are_listed_described_and_watched() {
    let node = TestNode::start();
    done(&node, &["topics", "create", "orders", "--partitions", "2"], "");
    let create = ["subscriptions", "create", "billing", "--topic", "orders", "--start", "earliest"];
    done(&node, &[&create[..], &["--consumption", "assigned", "--session-timeout", "1h"]].concat(), "");
    done(&node, &["publish", "orders", "a", "--partition", "0"], "");
    let subscribe = ["subscribe", "--subscription", "billing", "--consumer-id", "ann", "--no-ack", "--count", "1"];
    assert!(done(&node, &subscribe, "").contains('a'));
    let list = done(&node, &["groups", "list"], "");
    let line: Vec<_> = list.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(
        [line[0], line[1], line[3], line[4]],
        ["billing", "orders", "0", "1"],
        "it left when it was done: {list}"
    );

    // Shown anew until it is interrupted, one block after the other.
    let mut command = tool_command("pubsub-cli");
    command.arg("--server").arg(format!("http://{}", node.address()));
    command.args(["groups", "describe", "billing", "--watch=0.01"]).stdout(Stdio::piped());
    let mut watching = command.spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines().map(Result::unwrap);
    for _ in 0..3 {
        assert!(lines.any(|line| line.starts_with("Subscription") && line.ends_with("billing")));
    }
    let pid = rustix::process::Pid::from_child(&watching);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    for _ in lines {}
    assert!(wait(&mut watching).success());
}

#[test]
fn a_publish_can_be_repeated_and_a_topic_read_through_a_filter() {
    let node = TestNode::start();
    done(&node, &["topics", "create", "orders", "--partitions", "1"], "");
    let publish = ["publish", "orders", "one", "--attribute", "colour=red", "--idempotency-key", "k", "-o", "json"];
    let results = [(); 2].map(|()| serde_json::from_str::<Value>(&done(&node, &publish, "")).unwrap());
    assert_eq!((&results[0]["duplicate"], &results[1]["duplicate"]), (&Value::Bool(false), &Value::Bool(true)));
    done(&node, &["publish", "orders", "two"], "");
    done(&node, &["publish", "orders", "three", "--attribute", "colour=red"], "");
    let filter =
        ["--from", "earliest", "--count", "2", "--filter", "attributes.colour = \"red\"", "--format", "{data}"];
    assert_eq!(done(&node, &[&["subscribe", "orders"][..], &filter].concat(), ""), "one\nthree\n");
}

#[test]
fn errors_have_words_and_exit_codes() {
    let node = TestNode::start();
    let missing = cli(&node, &["publish", "nowhere", "hello"], "");
    assert_eq!(missing.status.code(), Some(3), "{missing:?}");
    let error = String::from_utf8(missing.stderr).unwrap();
    assert!(error.contains("topic_not_found") || error.contains("nowhere"), "{error}");

    let nobody =
        tool_command("pubsub-cli").args(["--server", "http://127.0.0.1:1", "topics", "list"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(7), "{nobody:?}");
}

#[test]
fn dead_letters_and_scheduled_messages_are_listed_redriven_and_cancelled() {
    let node = TestNode::start();
    done(&node, &["topics", "create", "orders", "--partitions", "1"], "");
    done(&node, &["topics", "create", "dead"], "");
    let create = ["subscriptions", "create", "billing", "--topic", "orders", "--start", "earliest"];
    done(&node, &[&create[..], &["--dead-letter-topic", "dead"]].concat(), "");
    done(&node, &["publish", "orders", "two coffees", "--id", "order-17"], "");
    let pulled: Value = serde_json::from_str(&done(&node, &["pull", "billing", "-o", "json"], "")).unwrap();
    let ack_id = pulled["messages"][0]["ack_id"].as_str().unwrap();
    done(&node, &["nack", "billing", ack_id, "--dead-letter"], "");
    let letters = loop {
        let letters = done(&node, &["subscriptions", "dead-letters", "billing"], "");
        if letters != "There are no dead letters.\n" {
            break letters;
        }
    };
    assert!(letters.contains("order-17") && letters.contains("rejected"), "{letters}");
    assert_eq!(done(&node, &["subscriptions", "redrive", "billing", "--id", "nothing"], ""), "Redriven  0\n");
    assert_eq!(done(&node, &["subscriptions", "redrive", "billing", "--limit", "5"], ""), "Redriven  1\n");
    assert!(done(&node, &["pull", "billing"], "").contains("two coffees"));

    done(&node, &["publish", "orders", "tea", "--id", "order-18", "--delay", "1h"], "");
    let scheduled: Value =
        serde_json::from_str(&done(&node, &["topics", "scheduled", "orders", "-o", "json"], "")).unwrap();
    assert_eq!(scheduled["items"][0]["id"], "order-18");
    let cancel = ["topics", "cancel-scheduled", "orders", "order-18"];
    assert_eq!(done(&node, &cancel, ""), "Cancelled message order-18.\n");
    assert_eq!(done(&node, &["topics", "scheduled", "orders"], ""), "No messages wait for their time.\n");
    assert_eq!(cli(&node, &cancel, "").status.code(), Some(3), "there is none any more");
}
