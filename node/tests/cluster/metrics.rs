//! What a node under load tells Prometheus of its topics, its subscriptions and itself.

use serde_json::json;

use crate::{
    harness::{TestNode, eventually},
    http::Connection,
};

/// A topic with a subscription from its beginning, and so many messages in it.
fn topic(connection: &mut Connection, name: &str, messages: usize) {
    let settings = json!({ "partitions": 4 }).to_string();
    assert_eq!(connection.request("PUT", &format!("/v1/topics/{name}"), &[], settings.as_bytes()).status, 201);
    let settings = json!({ "topic": name, "start": "earliest" }).to_string();
    let path = format!("/v1/subscriptions/of-{name}");
    assert_eq!(connection.request("PUT", &path, &[], settings.as_bytes()).status, 201);
    let messages: Vec<_> = (0..messages).map(|number| json!({ "text": "x", "key": number.to_string() })).collect();
    let body = json!({ "messages": messages }).to_string();
    assert_eq!(connection.request("POST", &format!("/v1/topics/{name}/messages"), &[], body.as_bytes()).status, 200);
}

fn samples(node: &TestNode, name: &str) -> Vec<(String, f64)> {
    let mut samples = node.metric(name);
    samples.sort_by(|a, b| a.0.cmp(&b.0));
    samples
}

fn labelled(labels: &[(&str, f64)]) -> Vec<(String, f64)> {
    labels.iter().map(|(labels, value)| ((*labels).to_owned(), *value)).collect()
}

#[test]
fn topics_and_subscriptions_are_told_by_name() {
    let node = TestNode::start();
    let mut connection = Connection::open(node.address());
    topic(&mut connection, "orders", 30);
    topic(&mut connection, "letters", 2);
    let pulled = connection.request("POST", "/v1/subscriptions/of-orders/pull", &[], br#"{"max_messages":5}"#).json();
    let ids: Vec<_> = pulled["messages"].as_array().unwrap().iter().map(|message| message["ack_id"].clone()).collect();
    let body = json!({ "ack_ids": ids[..2] }).to_string();
    assert_eq!(connection.request("POST", "/v1/subscriptions/of-orders/ack", &[], body.as_bytes()).status, 200);
    let leased = f64::from(u32::try_from(ids.len() - 2).unwrap());

    let topics = [("{topic=\"letters\"}", 2.0), ("{topic=\"orders\"}", 30.0)];
    assert_eq!(samples(&node, "pubsub_topic_messages_total"), labelled(&topics));
    let of = |letters: f64, orders: f64| {
        labelled(&[
            ("{topic=\"letters\",subscription=\"of-letters\"}", letters),
            ("{topic=\"orders\",subscription=\"of-orders\"}", orders),
        ])
    };
    assert_eq!(samples(&node, "pubsub_consumer_lag_messages"), of(2.0, 28.0));
    assert_eq!(samples(&node, "pubsub_leases"), of(0.0, leased));

    assert_eq!(connection.request("DELETE", "/v1/subscriptions/of-letters", &[], b"").status, 204);
    assert_eq!(connection.request("DELETE", "/v1/topics/letters", &[], b"").status, 204);
    assert_eq!(samples(&node, "pubsub_topic_messages_total"), labelled(&topics[1..]));
}

#[test]
fn no_more_topics_have_series_of_their_own_than_may() {
    let node = TestNode::start_with(&[("metrics.topics_max", "1"), ("metrics.subscriptions_max", "1")]);
    let mut connection = Connection::open(node.address());
    for (name, messages) in [("a", 3), ("b", 4), ("c", 5)] {
        topic(&mut connection, name, messages);
    }
    let topics = [("{topic=\"__other\"}", 9.0), ("{topic=\"a\"}", 3.0)];
    assert_eq!(samples(&node, "pubsub_topic_messages_total"), labelled(&topics));
    let lag = [("{topic=\"__other\",subscription=\"__other\"}", 9.0), ("{topic=\"a\",subscription=\"of-a\"}", 3.0)];
    assert_eq!(samples(&node, "pubsub_consumer_lag_messages"), labelled(&lag));
}

#[test]
fn a_node_tells_of_its_build_its_disk_its_cores_and_its_cluster() {
    let node = TestNode::start_with(&[("server.shards", "1")]);
    let one = |name: &str| samples(&node, name).first().unwrap().1;
    let build = samples(&node, "pubsub_build_info");
    assert!(build[0].0.contains(&format!("version=\"{}\"", env!("CARGO_PKG_VERSION"))), "{build:?}");
    let (free, size) = (one("pubsub_store_disk_free_bytes"), one("pubsub_store_disk_size_bytes"));
    assert!(free > 0.0 && free <= size, "{free} of {size}");
    assert!(one("process_cpu_seconds_total") > 0.0);
    assert_eq!(samples(&node, "pubsub_redis_connected"), []);
    let nodes = [("{state=\"down\"}", 0.0), ("{state=\"draining\"}", 0.0), ("{state=\"up\"}", 1.0)];
    assert_eq!(samples(&node, "pubsub_cluster_nodes"), labelled(&nodes));

    let mut connection = Connection::open(node.address());
    topic(&mut connection, "orders", 100);
    // The core looks at its executor from time to time.
    assert!(eventually(|| one("pubsub_uring_writes_total") >= 1.0 && one("pubsub_shard_busy_seconds_total") > 0.0));
    assert!(one("pubsub_uring_written_bytes_total") >= 4096.0);
    assert!((0.0..=1.0).contains(&one("pubsub_shard_busy_ratio")));
}
