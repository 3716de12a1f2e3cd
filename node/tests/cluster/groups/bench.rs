//! A node with an assigned subscription, and consumers that speak HTTP.

use std::time::Instant;

use serde_json::{Value, json};

use crate::{
    harness::{DEADLINE, TestNode},
    http::{Answer, Connection},
};

/// A node with a topic and an assigned subscription from its beginning.
pub(super) struct Bench {
    pub(super) node: TestNode,
    connection: Connection,
    partitions: u32,
}

/// A consumer's membership, as it was answered last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Consumer {
    pub(super) id: String,
    pub(super) generation: u64,
    pub(super) partitions: Vec<u64>,
    pub(super) heartbeat_interval_ms: u64,
}

impl Bench {
    pub(super) fn new(partitions: u32, subscription: &Value) -> Self {
        let node = TestNode::start();
        let connection = Connection::open(node.address());
        let mut bench = Self { node, connection, partitions };
        let topic = json!({ "partitions": partitions }).to_string();
        assert_eq!(bench.connection.request("PUT", "/v1/topics/orders", &[], topic.as_bytes()).status, 201);
        let mut settings = json!({ "topic": "orders", "start": "earliest", "consumption": "assigned" });
        settings.as_object_mut().unwrap().extend(subscription.as_object().unwrap().clone());
        let created = bench.call("PUT", "", &settings);
        assert_eq!(created.status, 201, "{}", created.json());
        bench
    }

    /// A request about the subscription.
    pub(super) fn call(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let path = format!("/v1/subscriptions/billing{path}");
        self.connection.request(method, &path, &[], body.to_string().as_bytes())
    }

    pub(super) fn join(&mut self, consumer_id: &str) -> Consumer {
        let joined = self.call("POST", "/consumers", &json!({ "consumer_id": consumer_id }));
        assert_eq!(joined.status, 201, "{}", joined.json());
        Consumer::of(&joined.json())
    }

    pub(super) fn join_anonymously(&mut self) -> Consumer {
        let joined = self.connection.request("POST", "/v1/subscriptions/billing/consumers", &[], b"");
        assert_eq!(joined.status, 201, "{}", joined.json());
        Consumer::of(&joined.json())
    }

    /// A sign of life that adopts what the consumer knows.
    pub(super) fn heartbeat(&mut self, consumer: &Consumer) -> Consumer {
        let path = format!("/consumers/{}/heartbeat", consumer.id);
        let heard = self.call("PUT", &path, &json!({ "generation": consumer.generation }));
        assert_eq!(heard.status, 200, "{}", heard.json());
        Consumer::of(&heard.json())
    }

    pub(super) fn leave(&mut self, consumer: &Consumer) {
        assert_eq!(self.call("DELETE", &format!("/consumers/{}", consumer.id), &json!({})).status, 204);
    }

    /// Signs of life until the consumer has so many partitions, and one more that adopts that.
    pub(super) fn settle(&mut self, mut consumer: Consumer, partitions: usize) -> Consumer {
        let began = Instant::now();
        while consumer.partitions.len() != partitions {
            assert!(began.elapsed() < DEADLINE, "{consumer:?} has not {partitions} partitions");
            consumer = self.heartbeat(&consumer);
        }
        self.heartbeat(&consumer)
    }

    pub(super) fn pull(&mut self, consumer: &Consumer, max_messages: u32) -> Vec<Value> {
        let answer = self.try_pull(consumer, max_messages);
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()["messages"].as_array().unwrap().clone()
    }

    pub(super) fn try_pull(&mut self, consumer: &Consumer, max_messages: u32) -> Answer {
        let Consumer { id, generation, .. } = consumer;
        let body = json!({ "max_messages": max_messages, "consumer_id": id, "generation": generation });
        self.call("POST", "/pull", &body)
    }

    pub(super) fn ack(&mut self, messages: &[Value]) -> Value {
        self.call("POST", "/ack", &json!({ "ack_ids": ack_ids(messages) })).json()
    }

    /// The same messages to each partition, in order.
    pub(super) fn publish_each_partition(&mut self, texts: &[&str]) {
        for partition in 0..self.partitions {
            let message = |text: &&str| json!({ "text": text, "partition": partition });
            self.publish(&texts.iter().map(message).collect::<Vec<_>>());
        }
    }

    pub(super) fn publish(&mut self, messages: &[Value]) {
        let body = json!({ "messages": messages }).to_string();
        let answer = self.connection.request("POST", "/v1/topics/orders/messages", &[], body.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.json());
    }

    pub(super) fn describe(&mut self) -> Value {
        let answer = self.call("GET", "", &json!({}));
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()
    }

    /// The subscription is replaced by one whose messages are shared.
    pub(super) fn share(&mut self) {
        assert_eq!(self.call("DELETE", "", &json!({})).status, 204);
        assert_eq!(self.call("PUT", "", &json!({ "topic": "orders" })).status, 201);
    }

    pub(super) fn kill_and_restart(&mut self) {
        self.node.restart();
        self.connection = Connection::open(self.node.address());
    }
}

impl Consumer {
    pub(super) fn of(membership: &Value) -> Self {
        let partitions = membership["partitions"].as_array().unwrap_or_else(|| panic!("{membership}"));
        Self {
            id: membership["consumer_id"].as_str().unwrap().to_owned(),
            generation: membership["generation"].as_u64().unwrap(),
            partitions: partitions.iter().map(|partition| partition.as_u64().unwrap()).collect(),
            heartbeat_interval_ms: membership["heartbeat_interval_ms"].as_u64().unwrap_or_default(),
        }
    }
}

pub(super) fn ack_ids(messages: &[Value]) -> Vec<&Value> {
    messages.iter().map(|message| &message["ack_id"]).collect()
}

pub(super) fn offsets(messages: &[Value]) -> Vec<u64> {
    messages.iter().map(|message| message["offset"].as_u64().unwrap()).collect()
}
