//! Replicas come, go and move while messages flow, and an operator gives up what nobody holds any more.

use serde_json::{Value, json};

use super::{
    offsets,
    page::{done, object, refused},
    traffic::Traffic,
};
use crate::{http::Connection, nodes::TestNodes};

const PARTITIONS: u32 = 3;

fn request(cluster: &TestNodes, method: &str, path: &str, body: &Value) {
    let answer = Connection::open(&cluster.address(1)).request(method, path, &[], body.to_string().as_bytes());
    assert!([200, 201].contains(&answer.status), "{}", answer.body_text());
}

/// A topic of which each partition is kept by so many nodes, and a publisher and a consumer at nodes 1 and 2.
fn with_traffic(cluster: &TestNodes, replication_factor: u16) -> Traffic {
    let topic = json!({ "partitions": PARTITIONS, "replication_factor": replication_factor });
    request(cluster, "PUT", "/v1/topics/flow", &topic);
    let settings = json!({ "topic": "flow", "start": "earliest", "ack_deadline_ms": 10_000 });
    request(cluster, "PUT", "/v1/subscriptions/flow", &settings);
    cluster
        .until("node 2 knows the subscription", |cluster| cluster.get(2, "/v1/subscriptions/flow")["name"] == "flow");
    Traffic::start((cluster.address(1), cluster.address(2)), "flow", "flow")
}

fn layout(cluster: &TestNodes, through: u64, topic: &str) -> Vec<Value> {
    cluster.get(through, &format!("/v1/topics/{topic}"))["layout"].as_array().cloned().unwrap_or_default()
}

/// Waits until each partition has so many replicas, all of them in sync.
fn await_replicas(cluster: &TestNodes, topic: &str, wanted: usize) {
    cluster.until("all replicas are there", |cluster| {
        let layout = layout(cluster, 1, topic);
        let has = |partition: &Value, set: &str| partition[set].as_array().is_some_and(|nodes| nodes.len() == wanted);
        !layout.is_empty() && layout.iter().all(|partition| has(partition, "replicas") && has(partition, "isr"))
    });
}

#[test]
fn the_number_of_replicas_changes_under_traffic_and_nothing_is_lost() {
    let cluster = TestNodes::start_on_disks(3, &[]);
    let traffic = with_traffic(&cluster, 1);
    request(&cluster, "PATCH", "/v1/topics/flow", &json!({ "replication_factor": 3 }));
    await_replicas(&cluster, "flow", 3);
    request(&cluster, "PATCH", "/v1/topics/flow", &json!({ "min_insync": 2 }));
    request(&cluster, "PATCH", "/v1/topics/flow", &json!({ "replication_factor": 1 }));
    await_replicas(&cluster, "flow", 1);
    assert!(traffic.finish() > 0);
}

#[test]
fn a_node_is_emptied_of_its_replicas_and_removed_while_it_runs() {
    let mut cluster = TestNodes::start_on_disks(3, &[]);
    let traffic = with_traffic(&cluster, 3);
    await_replicas(&cluster, "flow", 3);
    cluster.add(4);
    cluster.until("the new node is up", |cluster| cluster.state(1, 4) == "up");
    done(&cluster, 1, &["cluster", "drain", "3", "--wait"]);
    await_replicas(&cluster, "flow", 3);
    assert!(layout(&cluster, 1, "flow").iter().all(|partition| partition["replicas"].to_string().contains('4')));
    let removed = object(&cluster, 1, &["cluster", "remove", "3"]);
    assert_eq!(removed["lost_partitions"], 0);
    assert!(traffic.finish() > 0);
}

#[test]
fn what_was_acknowledged_is_given_up_only_by_an_operator() {
    let mut cluster = TestNodes::start_on_disks(3, &[]);
    let topic = json!({ "partitions": 1, "replication_factor": 2, "min_insync": 1 });
    request(&cluster, "PUT", "/v1/topics/once", &topic);
    await_replicas(&cluster, "once", 2);
    let replicas = layout(&cluster, 1, "once")[0]["replicas"].clone();
    let (owner, other) = (replicas[0].as_u64().unwrap(), replicas[1].as_u64().unwrap());
    let third = 6 - owner - other;
    super::publish_everywhere(&cluster, third, "once", 1);
    cluster.kill(other);
    cluster.until("the owner is alone in sync", |cluster| {
        layout(cluster, third, "once")[0]["isr"].as_array().is_some_and(|isr| isr.len() == 1)
    });
    super::publish_everywhere(&cluster, third, "once", 1);
    cluster.kill(owner);
    cluster.restart(other);
    cluster.until("it is offline", |cluster| {
        let is_offline = layout(cluster, third, "once").first().is_some_and(|first| first["state"] == "offline");
        is_offline && cluster.state(third, other) == "up" && cluster.state(third, owner) == "down"
    });
    assert_eq!(object(&cluster, third, &["cluster", "status"])["offline_partitions"], 1);
    let (code, said) = refused(&cluster, third, &["cluster", "unclean-elect", "once", "0"]);
    assert!(code != 0 && said.contains("--accept-loss"), "{code}: {said}");
    let elected = object(&cluster, third, &["cluster", "unclean-elect", "once", "0", "--accept-loss"]);
    assert_eq!((elected["node"].as_u64(), elected["incarnation"].as_u64()), (Some(other), Some(1)));
    assert_eq!(offsets(&cluster, third, "once", 0), [0], "the second message is given up");
    super::publish_everywhere(&cluster, third, "once", 1);
    // Who held what was given up follows, and cuts it off.
    cluster.restart(owner);
    cluster.until("both are in sync again", |cluster| {
        layout(cluster, third, "once")
            .first()
            .is_some_and(|first| first["isr"].as_array().is_some_and(|isr| isr.len() == 2))
    });
    let (code, said) = refused(&cluster, third, &["cluster", "unclean-elect", "once", "0", "--accept-loss"]);
    assert!(code != 0 && said.contains("holds all that was acknowledged"), "{code}: {said}");
    assert_eq!(offsets(&cluster, third, "once", 0), [0, 1]);
}
