//! `pubsub-cli store`: it names every damage and its place, changes nothing, and the node's start then does what it said.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use futures_util::future::join_all;
use gateway_api::{
    Code,
    client::{Client, ClientError, ReadFrom},
    consume::{AckRequest, PullRequest},
    health::Health,
    publish::{PublishMessage, PublishRequest, PublishResult},
    subscriptions::{Position, SeekRequest},
};
use serde_json::Value;

mod damage;

use self::damage::Stored;
use crate::{
    harness::{TestNode, node_command, tool_command},
    http,
    publish_consume::{from_earliest, partitions},
};

/// One batch of this is a flush of its own, and seven of them fill a segment.
const MESSAGE_BYTES: usize = 32 << 10;
const BATCH: u64 = 4;
/// Three segments, and the beginning of a fourth.
const BATCHES: u64 = 26;

/// What the tool came to: exit code, what it printed, and what it complained about.
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs `pubsub-cli store`; the words stand in one line.
fn store(command: &str, directory: &Path, options: &str) -> Outcome {
    let mut tool = tool_command("pubsub-cli");
    tool.args(["store", command]).arg(directory).args(options.split_whitespace());
    let output = tool.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// What `store verify` says of the partitions, by number, after it ended with `code`.
fn verify(directory: &Path, code: i32) -> BTreeMap<u64, Value> {
    let outcome = store("verify", directory, "-o json");
    assert_eq!(outcome.code, Some(code), "{}{}", outcome.stdout, outcome.stderr);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report["whole"], code == 0);
    let partitions = report["partitions"].as_array().unwrap().iter();
    partitions.map(|partition| (partition["partition"].as_u64().unwrap(), partition.clone())).collect()
}

/// A node that has filled `count` partitions of a topic with some segments each and moved a cursor in each.
async fn filled_node(count: u32) -> TestNode {
    let node = TestNode::start_with(&[("storage.segment_bytes", "1048576")]);
    let client = node.client();
    client.create_topic("orders", &partitions(count)).await.unwrap();
    client.create_subscription("billing", &from_earliest("orders")).await.unwrap();
    join_all((0..count).map(|partition| fill(&client, partition))).await;
    let seek = SeekRequest { to: Some(Position::Earliest), offsets: None };
    client.seek("billing", &seek).await.unwrap();
    node
}

async fn fill(client: &Client, partition: u32) {
    let payload = "x".repeat(MESSAGE_BYTES);
    for _ in 0..BATCHES {
        let message = || PublishMessage { partition: Some(partition), ..PublishMessage::text(&payload) };
        let request = PublishRequest { messages: (0..BATCH).map(|_| message()).collect() };
        let answer = client.publish("orders", &request).await.unwrap();
        assert!(answer.results.iter().all(|result| matches!(result, PublishResult::Published(_))), "{answer:?}");
    }
}

/// Every file of a directory.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

/// Why which partitions are closed, by the node's own account.
fn closed(node: &TestNode) -> BTreeMap<u64, String> {
    let health: Health = serde_json::from_slice(&http::get(node.address(), "/readyz").body).unwrap();
    health.closed.into_iter().map(|closed| (closed.partition.into(), closed.reason)).collect()
}

#[tokio::test]
async fn what_a_stopped_or_killed_node_leaves_is_whole_and_left_as_it_is() {
    let mut node = filled_node(2).await;
    let data = node.data_dir();
    let refused = store("verify", &data, "");
    assert_eq!(refused.code, Some(6), "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("is in use by process {}", node.pid())), "{}", refused.stderr);

    for stop in [TestNode::kill, |node: &mut TestNode| assert_eq!(node.terminate().code(), Some(0))] {
        stop(&mut node);
        let before = files(&data);
        let report = verify(&data, 0);
        assert_eq!(report.len(), 2);
        for partition in report.values() {
            assert_eq!(partition["start"]["outcome"], "opens", "{partition}");
            assert_eq!((&partition["state"], &partition["log_end"]), (&"whole".into(), &(BATCH * BATCHES).into()));
            assert_eq!((&partition["records"], &partition["segments"]), (&(BATCH * BATCHES).into(), &4.into()));
            assert_eq!(partition["subscriptions"], 1);
        }
        let table = store("verify", &data, "");
        assert!(table.stdout.contains("Partitions: 2 whole; read "), "{}", table.stdout);
        assert_eq!(table.stderr, "", "no progress bar where nobody watches");
        assert!(files(&data) == before, "a verification changes nothing");
        node.restart();
        assert_eq!(closed(&node), BTreeMap::new());
    }
}

#[tokio::test]
async fn a_start_does_what_was_said_of_each_damage() {
    const PARTITIONS: u32 = 13;
    let mut node = filled_node(PARTITIONS).await;
    assert_eq!(node.terminate().code(), Some(0));
    let data = node.data_dir();
    let damages = Stored::new(&data).damage_all();
    let report = verify(&data, 9);
    for (partition, expected) in &damages {
        expected.check(&report[partition]);
    }

    node.restart();
    let said = |(partition, report): (&u64, &Value)| {
        let reason = report["start"]["reason"].as_str().unwrap_or_default().to_owned();
        (report["start"]["outcome"] == "stays_closed").then_some((*partition, reason))
    };
    let foretold: BTreeMap<_, _> = report.iter().filter_map(said).collect();
    assert_eq!(closed(&node), foretold);
    let client = node.client();
    let layout = client.topic("orders").await.unwrap().value.layout;
    for (partition, report) in report.iter().filter(|(partition, _)| !foretold.contains_key(partition)) {
        let found = layout.iter().find(|found| u64::from(found.partition) == *partition).unwrap();
        assert_eq!(report["log_end"], found.end_offset, "{report}");
        if *partition == damage::MISLED {
            let misled = read(&client, found.partition, damage::MISLED_OFFSET).await;
            assert_eq!(misled, Ok(damage::MISLED_OFFSET), "the index is not believed");
            assert!(!Stored::new(&data).misleading_index().exists(), "and is gone once it proved wrong");
        }
        check_readable(&client, found.partition, report).await;
    }

    assert_eq!(node.terminate().code(), Some(0));
    let after = verify(&data, 9);
    let state = |partition| (&after[&partition]["state"], &after[&partition]["removes"]);
    for mended in [damage::TORN_TAIL, damage::TORN_JOURNAL, damage::MISLED, damage::UNFINISHED_SEGMENT] {
        assert_eq!(state(mended), (&"whole".into(), &Value::Array(Vec::new())), "{}", after[&mended]);
    }
    node.restart();
    check_readable(&node.client(), u32::try_from(damage::MISLED).unwrap(), &after[&damage::MISLED]).await;
}

/// The offset of the first record that a read from `offset` gives, or why there is none.
async fn read(client: &Client, partition: u32, offset: u64) -> Result<u64, Code> {
    match client.read(("orders", partition), &ReadFrom::Offset(offset), 1, 0).await {
        Ok(page) => Ok(page.messages[0].offset),
        Err(ClientError::Problem(problem)) => Err(problem.code),
        Err(error) => panic!("offset {offset}: {error}"),
    }
}

/// What is said to be lost can't be read, and what lies around it can.
async fn check_readable(client: &Client, partition: u32, report: &Value) {
    let bound = |damage: &Value, which: &str| damage[which].as_u64().unwrap();
    let lost = report["damage"].as_array().unwrap().iter();
    let lost: Vec<_> = lost.map(|damage| bound(damage, "lost_start")..bound(damage, "lost_end")).collect();
    for offset in 0..bound(report, "log_end") {
        let is_lost = lost.iter().any(|lost| lost.contains(&offset));
        let expected = if is_lost { Err(Code::DataCorrupt) } else { Ok(offset) };
        assert_eq!(read(client, partition, offset).await, expected, "offset {offset}: {report}");
    }
}

/// F15.
#[tokio::test]
async fn a_version_from_the_future_is_named_and_no_node_starts_on_it() {
    let mut node = filled_node(1).await;
    assert_eq!(node.terminate().code(), Some(0));
    let data = node.data_dir();
    let ends = data.join("durable-ends.0.a");
    let mut bytes = fs::read(&ends).unwrap();
    bytes[4] = 2;
    fs::write(&ends, bytes).unwrap();
    let outcome = store("verify", &data, "");
    assert_eq!(outcome.code, Some(9), "{}", outcome.stderr);
    let reason = "durable-ends version 2 is unknown, this is version 1";
    assert!(outcome.stderr.contains(&format!("no node of this version starts on it: durable-ends.0.a: {reason}")));
    let mut command = node_command();
    command.args(["--set", "server.port=0", "--set", "metrics.port=0", "--data-dir"]).arg(&data);
    let ended = command.output().unwrap();
    assert_eq!(ended.status.code(), Some(22));
    assert!(String::from_utf8(ended.stderr).unwrap().contains(reason));
}

#[tokio::test]
async fn a_directory_is_shown_from_partitions_down_to_payloads() {
    let mut node = filled_node(2).await;
    let client = node.client();
    let message =
        || PublishMessage { partition: Some(1), key: Some("table-7".into()), ..PublishMessage::text("one espresso") };
    client.publish("orders", &PublishRequest { messages: vec![message()] }).await.unwrap();
    let seek = SeekRequest { to: None, offsets: Some([(0, 100), (1, 100)].into()) };
    client.seek("billing", &seek).await.unwrap();
    let pulled = client.pull("billing", &PullRequest::default()).await.unwrap().messages;
    let last = pulled.iter().find(|message| message.key.as_deref() == Some("table-7")).unwrap();
    let ack_ids = vec![last.ack_id.clone().unwrap().into()];
    client.ack("billing", &AckRequest { ack_ids, ..AckRequest::default() }).await.unwrap();
    assert_eq!(node.terminate().code(), Some(0));
    let data = node.data_dir();

    let overview = store("inspect", &data, "--partition 1 -o json");
    assert_eq!(overview.code, Some(0), "{}", overview.stderr);
    let view: Value = serde_json::from_str(&overview.stdout).unwrap();
    let segments = view["segments"].as_array().unwrap();
    assert!(segments.iter().all(|segment| segment["index"]["state"] == "whole"), "{view}");
    assert_eq!(segments.iter().map(|segment| segment["records"].as_u64().unwrap()).sum::<u64>(), BATCH * BATCHES + 1);
    let cursor = &view["cursors"][0];
    assert_eq!((&cursor["ack_floor"], &cursor["acked_above"]), (&100.into(), &1.into()), "{view}");

    let topic = view["topic_id"].as_u64().unwrap();
    let base = segments.last().unwrap()["base_offset"].as_u64().unwrap();
    let place = format!("--topic-id {topic} --partition 1 --segment {base}");
    let batches = store("inspect", &data, &place);
    assert_eq!(batches.stdout.lines().filter(|line| line.contains(" ok ")).count(), 6, "{}", batches.stdout);
    let records = store("inspect", &data, &format!("{place} --records -o json"));
    let record: Value = serde_json::from_str(records.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&record["offset"], &record["key"], &record["bytes"]), (&104.into(), &"table-7".into(), &12.into()));
    assert!(record.get("data").is_none() && !records.stdout.contains("espresso"));
    let payloads = store("inspect", &data, &format!("{place} --records --payloads"));
    assert!(payloads.stdout.ends_with("one espresso\n"), "{}", payloads.stdout);

    assert_eq!(store("inspect", &data, &format!("--topic-id {topic} --partition 1 --segment 7")).code, Some(3));
    assert_eq!(store("verify", &data, "--topic-id 99").code, Some(3));
    assert_eq!(store("verify", Path::new("/nowhere"), "").code, Some(2));
}
