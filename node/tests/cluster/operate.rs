//! Several nodes as one broker, and what operators do with them: each step of docs/cluster.md.

use serde_json::{Value, json};

use crate::{http::Connection, nodes::TestNodes};

mod broker;
mod compose;
mod page;
mod rejoin;
mod removal;
mod replicas;
mod traffic;

pub(crate) use page::{cli, done};
pub(crate) use traffic::Traffic;

/// A topic with so many partitions.
fn create_topic(cluster: &TestNodes, through: u64, name: &str, partitions: u32) {
    create_topic_of(cluster, through, name, &json!({ "partitions": partitions }));
}

/// The same of a topic that is configured so.
fn create_topic_of(cluster: &TestNodes, through: u64, name: &str, settings: &Value) {
    let settings = settings.to_string();
    let mut connection = Connection::open(&cluster.address(through));
    let answer = connection.request("PUT", &format!("/v1/topics/{name}"), &[], settings.as_bytes());
    assert_eq!(answer.status, 201, "{}", answer.body_text());
}

/// Publishes one message to each partition, each until it is acknowledged; returns how many times that was refused.
fn publish_everywhere(cluster: &TestNodes, through: u64, topic: &str, partitions: u32) -> usize {
    let mut connection = Connection::open(&cluster.address(through));
    let mut refusals = 0;
    for partition in 0..partitions {
        cluster.until("a message is taken", |_| {
            let path = format!("/v1/topics/{topic}/publish?partition={partition}");
            let answer = connection.request("POST", &path, &[("Content-Type", "text/plain")], b"a message");
            if answer.status != 200 {
                assert!([503, 504].contains(&answer.status), "{}", answer.body_text());
                refusals += 1;
            }
            answer.status == 200
        });
    }
    refusals
}

/// The offsets of the messages of a partition, once it can be read.
fn offsets(cluster: &TestNodes, through: u64, topic: &str, partition: u32) -> Vec<u64> {
    let mut offsets: Vec<u64> = Vec::new();
    cluster.until("a partition is read to its end", |cluster| {
        let from = offsets.last().map_or(0, |last| last + 1);
        let path = format!("/v1/topics/{topic}/partitions/{partition}/messages?offset={from}&limit=100");
        let page = cluster.get(through, &path);
        let Some(messages) = page["messages"].as_array() else { return false };
        offsets.extend(messages.iter().map(|message| message["offset"].as_u64().unwrap()));
        // A page need not hold all there is.
        messages.is_empty()
    });
    offsets
}
