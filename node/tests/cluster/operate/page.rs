//! The steps of docs/cluster.md, with the command line.

use std::process::Output;

use serde_json::{Value, json};

use super::{create_topic, create_topic_of, offsets, publish_everywhere};
use crate::{
    harness::{node_command, tool_command},
    nodes::TestNodes,
};

pub(super) const PARTITIONS: u32 = 12;

pub(crate) fn cli(cluster: &TestNodes, through: u64, words: &[&str]) -> Output {
    let server = format!("http://{}", cluster.address(through));
    tool_command("pubsub-cli").args(["--server", &server]).args(words).output().unwrap()
}

/// What a command prints, which has to succeed.
pub(crate) fn done(cluster: &TestNodes, through: u64, words: &[&str]) -> String {
    let output = cli(cluster, through, words);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{words:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// The same as the API's object.
pub(super) fn object(cluster: &TestNodes, through: u64, words: &[&str]) -> Value {
    serde_json::from_str(&done(cluster, through, &[words, &["-o", "json"]].concat())).unwrap()
}

/// What a command says that is refused, and its exit code.
pub(super) fn refused(cluster: &TestNodes, through: u64, words: &[&str]) -> (i32, String) {
    let output = cli(cluster, through, words);
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn status(cluster: &TestNodes, through: u64) -> Value {
    object(cluster, through, &["cluster", "status"])
}

pub(super) fn node(cluster: &TestNodes, through: u64, number: u64) -> Value {
    let nodes = status(cluster, through)["nodes"].clone();
    nodes.as_array().unwrap().iter().find(|node| node["node"] == number).cloned().unwrap_or_default()
}

pub(super) fn owned(cluster: &TestNodes, through: u64, number: u64) -> u64 {
    node(cluster, through, number)["owned"].as_u64().unwrap()
}

/// Every partition can be written and has what was acknowledged.
pub(super) fn check_all(cluster: &TestNodes, through: u64) {
    publish_everywhere(cluster, through, "orders", PARTITIONS);
    for partition in 0..PARTITIONS {
        assert!(!offsets(cluster, through, "orders", partition).is_empty());
    }
}

#[test]
fn a_cluster_is_begun_and_shows_itself_through_any_node() {
    let cluster = TestNodes::start(3);
    create_topic(&cluster, 2, "orders", PARTITIONS);
    for through in 1..=3 {
        let shown = status(&cluster, through);
        assert_eq!((shown["answered_by"].as_u64(), &shown["shared_store"]), (Some(through), &Value::Bool(true)));
        assert_eq!(shown["leader"].as_u64(), cluster.leader());
        for number in 1..=3 {
            let node = node(&cluster, through, number);
            assert_eq!((&node["state"], &node["owned"]), (&"up".into(), &4.into()), "{node}");
            assert_eq!(node["client_address"], cluster.address(number));
            assert!(node["log_index"].is_number(), "{node}");
        }
        assert!(done(&cluster, through, &["cluster", "nodes"]).contains(&cluster.link_address(2)));
    }
    let topic = done(&cluster, 3, &["topics", "describe", "orders"]);
    let heads = ["OWNER", "EPOCH", "REPLICAS", "ISR"];
    assert!(heads.iter().all(|head| topic.contains(head)) && topic.contains("node 2 core"), "{topic}");
}

#[test]
fn a_node_is_added_evened_out_drained_and_removed() {
    let mut cluster = TestNodes::start(3);
    create_topic(&cluster, 1, "orders", PARTITIONS);
    let added = object(&cluster, 1, &["cluster", "add", "--address", "127.0.0.1:1"]);
    assert_eq!(added["node"], 4, "{added}");
    assert!(added["command"].as_str().unwrap().contains(&cluster.link_address(1)), "{added}");
    cluster.add(4);
    cluster.until("the new node has a vote", TestNodes::is_whole);
    let even = object(&cluster, 4, &["cluster", "rebalance", "--wait"]);
    assert_eq!(even["uneven_partitions"], 0);
    assert!((1..=4).all(|number| owned(&cluster, 1, number) == 3), "{even}");
    check_all(&cluster, 4);

    let (code, said) = refused(&cluster, 1, &["cluster", "remove", "3"]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("have it emptied first") && said.contains("pubsub-cli cluster drain"), "{said}");
    let drained = object(&cluster, 1, &["cluster", "drain", "3", "--wait"]);
    assert_eq!((&drained["drain"]["left"], &drained["state"]), (&0.into(), &"draining".into()), "{drained}");
    assert_eq!(cluster.terminate(3).code(), Some(0));
    let removed = object(&cluster, 1, &["cluster", "remove", "3"]);
    assert_eq!(removed["lost_partitions"], 0);
    assert_eq!(refused(&cluster, 1, &["cluster", "drain", "3"]).0, 3, "it is not there any more");
    check_all(&cluster, 1);
}

#[test]
fn partitions_and_the_lead_go_where_an_operator_wants_them() {
    let cluster = TestNodes::start(3);
    create_topic(&cluster, 1, "orders", PARTITIONS);
    publish_everywhere(&cluster, 1, "orders", PARTITIONS);
    for to in [3_u64, 1, 2] {
        let moved = object(&cluster, 1, &["cluster", "move", "orders", "0", "--to", &to.to_string()]);
        assert_eq!(moved["node"], to);
        let layout = cluster.get(1, "/v1/topics/orders")["layout"][0].clone();
        assert_eq!(layout["replicas"], Value::from(vec![to]), "{layout}");
        check_all(&cluster, to);
    }
    let (code, said) = refused(&cluster, 1, &["cluster", "move", "orders", "0", "--to", "9"]);
    assert_eq!((code, said.contains("no node 9")), (3, true), "{said}");
    assert_eq!(refused(&cluster, 1, &["cluster", "move", "orders", "99", "--to", "1"]).0, 3);

    let first = cluster.leader().unwrap();
    let next = if first == 3 { 1 } else { 3 };
    let led = object(&cluster, 2, &["cluster", "transfer-leader", "--to", &next.to_string()]);
    assert_eq!(led["leader"], next, "{led}");
    done(&cluster, 2, &["cluster", "transfer-leader"]);
    cluster.until("another node leads", |cluster| cluster.leader().is_some_and(|leader| leader != next));
}

#[test]
fn every_node_is_restarted_one_after_the_other() {
    let mut cluster = TestNodes::start(3);
    create_topic(&cluster, 1, "orders", PARTITIONS);
    for number in 1..=3 {
        let other = number % 3 + 1;
        let text = number.to_string();
        done(&cluster, other, &["cluster", "drain", &text, "--wait"]);
        assert_eq!(owned(&cluster, other, number), 0);
        assert_eq!(cluster.terminate(number).code(), Some(0));
        // Whoever led has handed that over, and nobody owns what nobody serves.
        publish_everywhere(&cluster, other, "orders", PARTITIONS);
        cluster.restart(number);
        done(&cluster, number, &["cluster", "undrain", &text]);
        cluster.until("the node is back", TestNodes::is_whole);
    }
    let even = object(&cluster, 1, &["cluster", "rebalance", "--wait"]);
    assert_eq!(even["uneven_partitions"], 0);
    check_all(&cluster, 1);
}

#[test]
fn all_nodes_are_restarted_at_once() {
    let mut cluster = TestNodes::start(3);
    create_topic(&cluster, 1, "orders", PARTITIONS);
    publish_everywhere(&cluster, 1, "orders", PARTITIONS);
    (1..=3).for_each(|number| cluster.kill(number));
    cluster.restart_together(&[1, 2, 3]);
    cluster.until("all are back", TestNodes::is_whole);
    check_all(&cluster, 2);
}

#[test]
fn a_node_with_a_wiped_disk_comes_back_under_another_number() {
    let mut cluster = TestNodes::start(3);
    create_topic(&cluster, 1, "orders", PARTITIONS);
    publish_everywhere(&cluster, 1, "orders", PARTITIONS);
    cluster.wipe(3);
    let mut start = node_command();
    let listen = format!("cluster.listen={}", cluster.link_address(3));
    let redis = format!("redis.port={}", cluster.redis().unwrap().port());
    let seeds = format!("cluster.seeds={}", cluster.link_address(1));
    start.arg("--data-dir").arg(cluster.directory(3));
    for setting in ["server.port=0", "metrics.port=0", "store=redis", "cluster.node_id=3", &listen, &redis, &seeds] {
        start.args(["--set", setting]);
    }
    let output = start.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.contains("another data directory")), (Some(21), true), "{said}");

    cluster.add(4);
    cluster.until("its partitions are with others", |cluster| owned(cluster, 1, 3) == 0);
    done(&cluster, 4, &["cluster", "remove", "3"]);
    cluster.until("the new node has a vote", TestNodes::is_whole);
    check_all(&cluster, 4);
}

#[test]
fn a_dead_node_is_removed_with_what_only_it_had_by_force_alone() {
    let mut cluster = TestNodes::start_on_disks(3, &[]);
    create_topic_of(&cluster, 1, "orders", &json!({ "partitions": PARTITIONS, "replication_factor": 1 }));
    publish_everywhere(&cluster, 1, "orders", PARTITIONS);
    let (code, said) = refused(&cluster, 1, &["cluster", "remove", "3", "--force"]);
    assert_eq!((code, said.contains("is up")), (4, true), "{said}");
    cluster.kill(3);
    cluster.until("node 3 is missed", |cluster| cluster.state(1, 3) == "down");
    let (code, said) = refused(&cluster, 1, &["cluster", "remove", "3"]);
    assert_eq!((code, said.contains("by force")), (4, true), "{said}");
    let removed = object(&cluster, 2, &["cluster", "remove", "3", "--force"]);
    assert_eq!((removed["lost_partitions"].as_u64(), removed["lost"].as_array().map(Vec::len)), (Some(4), Some(4)));
    assert_eq!(removed["lost"][0]["topic"], "orders");
    publish_everywhere(&cluster, 1, "orders", PARTITIONS);
}

#[test]
fn without_a_majority_nothing_is_changed_and_the_rest_says_so() {
    let mut cluster = TestNodes::start(3);
    cluster.kill(1);
    cluster.kill(2);
    cluster.until("node 3 knows of no leader", |cluster| status(cluster, 3)["contact_ms"].as_u64().unwrap() > 2_000);
    let (code, said) = refused(&cluster, 3, &["cluster", "drain", "1"]);
    assert_eq!(code, 6, "{said}");
    let (code, said) = refused(&cluster, 3, &["cluster", "rebalance"]);
    assert_eq!((code, said.contains("a majority has to be")), (6, true), "{said}");
    cluster.restart_together(&[1, 2]);
    cluster.until("all are back", TestNodes::is_whole);
    done(&cluster, 3, &["cluster", "rebalance"]);
}
