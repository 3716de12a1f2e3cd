//! Partitions that several nodes keep: what was acknowledged is there, whoever dies, hangs, comes back or hands over.

use serde_json::{Value, json};

use crate::{
    http::{Answer, Connection},
    nodes::TestNodes,
    operate::done,
};

mod ahead;
mod followers;
mod handover;
mod owner;

/// A cluster whose nodes keep each partition of a topic with others, and a subscription from its beginning.
struct Cluster {
    nodes: TestNodes,
}

impl Cluster {
    fn start(count: u64, topic: &Value) -> Self {
        Self::start_with(count, topic, &[])
    }

    fn start_with(count: u64, topic: &Value, settings: &[(&str, &str)]) -> Self {
        Self::of(TestNodes::start_on_disks(count, settings), topic)
    }

    fn of(nodes: TestNodes, topic: &Value) -> Self {
        let cluster = Self { nodes };
        cluster.done(1, "PUT", "/v1/topics/orders", topic);
        cluster.subscribe("billing", &json!({ "topic": "orders", "start": "earliest", "ack_deadline_ms": 60_000 }));
        let replicas = topic["replication_factor"].as_u64().unwrap_or(3);
        cluster.await_in_sync(1, replicas);
        cluster
    }

    fn subscribe(&self, name: &str, settings: &Value) {
        let path = format!("/v1/subscriptions/{name}");
        self.done(1, "PUT", &path, settings);
        self.nodes.until("every node knows the subscription", |nodes| {
            nodes.running().all(|number| nodes.get(number, &path)["name"] == name)
        });
    }

    fn ask(&self, through: u64, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Connection::open(&self.nodes.address(through)).request(method, path, &[], body.as_bytes())
    }

    fn done(&self, through: u64, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.ask(through, method, path, body);
        assert!([200, 201].contains(&answer.status), "{method} {path}: {}", answer.body_text());
        answer.json()
    }

    /// One message, which has its id for its text.
    fn publish(&self, through: u64, partition: u64, id: &str) -> Answer {
        let message = json!({ "id": id, "text": id, "partition": partition });
        self.ask(through, "POST", "/v1/topics/orders/messages", &json!({ "messages": [message] }))
    }

    /// Publishes one until it is there; its offset, and whether it was there before.
    fn published(&self, through: u64, partition: u64, id: &str) -> (u64, bool) {
        let mut placed = None;
        self.nodes.until("it is published", |_| {
            let answer = self.publish(through, partition, id);
            assert!([200, 503, 504].contains(&answer.status), "{}", answer.body_text());
            if answer.status == 200 {
                let result = answer.json()["results"][0].clone();
                assert_eq!(result["durability"], "quorum", "{result}");
                placed = Some((result["offset"].as_u64().unwrap(), result["duplicate"].as_bool().unwrap()));
            }
            placed.is_some()
        });
        placed.unwrap()
    }

    fn pull(&self, through: u64, subscription: &str, count: u64) -> Vec<Value> {
        let path = format!("/v1/subscriptions/{subscription}/pull");
        let mut messages = Vec::new();
        self.nodes.until("all are delivered", |_| {
            let answer = self.ask(through, "POST", &path, &json!({ "max_messages": count, "wait_ms": 500 }));
            assert!([200, 503].contains(&answer.status), "{}", answer.body_text());
            messages.extend(answer.json()["messages"].as_array().cloned().unwrap_or_default());
            u64::try_from(messages.len()).unwrap() >= count
        });
        messages
    }

    fn ack(&self, through: u64, subscription: &str, messages: &[Value]) {
        let ids: Vec<_> = messages.iter().map(|message| &message["ack_id"]).collect();
        let path = format!("/v1/subscriptions/{subscription}/ack");
        let acked = self.done(through, "POST", &path, &json!({ "ack_ids": ids }));
        assert_eq!(acked["succeeded"], json!(messages.len()), "{acked}");
    }

    /// What a node says of a partition.
    fn placed(&self, through: u64, partition: u64) -> Value {
        let topic = self.nodes.get(through, "/v1/topics/orders");
        let layout = topic["layout"].as_array().cloned().unwrap_or_default();
        layout.into_iter().find(|placed| placed["partition"] == partition).unwrap_or_default()
    }

    fn owner(&self, through: u64, partition: u64) -> Option<u64> {
        self.placed(through, partition)["owner"]["node"].as_u64()
    }

    fn isr(&self, through: u64, partition: u64) -> Vec<u64> {
        numbers(&self.placed(through, partition)["isr"])
    }

    /// Waits until every partition has so many replicas in sync.
    fn await_in_sync(&self, through: u64, count: u64) {
        self.nodes.until("all replicas are in sync", |nodes| {
            let topic = nodes.get(through, "/v1/topics/orders");
            topic["layout"].as_array().is_some_and(|layout| {
                layout.iter().all(|placed| numbers(&placed["isr"]).len() == usize::try_from(count).unwrap())
            })
        });
    }

    /// The ids of all messages of a partition, once it can be read.
    fn ids(&self, through: u64, partition: u64) -> Vec<String> {
        let (mut ids, mut offset, mut is_read) = (Vec::new(), 0, false);
        self.nodes.until("a partition is read to its end", |nodes| {
            let path = format!("/v1/topics/orders/partitions/{partition}/messages?offset={offset}&limit=1000");
            let page = nodes.get(through, &path);
            let Some(messages) = page["messages"].as_array() else { return false };
            ids.extend(messages.iter().map(|message| message["id"].as_str().unwrap().to_owned()));
            offset = page["next_offset"].as_u64().unwrap();
            is_read = messages.is_empty();
            is_read
        });
        ids
    }

    /// Has a partition led by another node.
    fn move_to(&self, through: u64, partition: u64, node: u64) {
        let (partition, node) = (partition.to_string(), node.to_string());
        done(&self.nodes, through, &["cluster", "move", "orders", &partition, "--to", &node]);
    }
}

fn numbers(list: &Value) -> Vec<u64> {
    list.as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
}

/// Names of so many messages.
fn named(prefix: &str, count: u64) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number}")).collect()
}
