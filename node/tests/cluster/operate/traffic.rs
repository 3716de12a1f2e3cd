//! Publishers and consumers that go on whatever happens to the cluster.

use std::{
    collections::BTreeSet,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{harness::DEADLINE, http::Connection};

/// How long a publisher waits between two messages.
const PACE: Duration = Duration::from_millis(5);

/// A publisher at one node and a consumer at another.
pub(crate) struct Traffic {
    publisher: JoinHandle<BTreeSet<String>>,
    consumer: JoinHandle<BTreeSet<String>>,
    stop: Sender<()>,
}

impl Traffic {
    /// Publishes to a topic, each message until it is acknowledged, and consumes by a subscription that has to be there.
    pub(crate) fn start((publish_at, consume_at): (String, String), topic: &str, subscription: &str) -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        let (all, total) = mpsc::channel::<usize>();
        let path = format!("/v1/topics/{topic}/messages");
        let publisher = thread::spawn(move || {
            let mut connection = Connection::open(&publish_at);
            let mut acknowledged = BTreeSet::new();
            while stopped.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) {
                let id = format!("m{}", acknowledged.len());
                publish(&mut connection, &path, &id);
                acknowledged.insert(id);
            }
            all.send(acknowledged.len()).unwrap();
            acknowledged
        });
        let path = format!("/v1/subscriptions/{subscription}");
        let consumer = thread::spawn(move || {
            let mut connection = Connection::open(&consume_at);
            let (mut seen, mut wanted, mut last) = (BTreeSet::new(), usize::MAX, Instant::now());
            while seen.len() < wanted {
                wanted = total.try_recv().unwrap_or(wanted);
                let before = seen.len();
                consume(&mut connection, &path, &mut seen);
                if seen.len() > before {
                    last = Instant::now();
                }
                assert!(last.elapsed() < DEADLINE, "{} of {wanted} were consumed", seen.len());
            }
            seen
        });
        Self { publisher, consumer, stop }
    }

    /// Ends it: all that was acknowledged has come to the consumer; returns how many messages that were.
    pub(crate) fn finish(self) -> usize {
        self.stop.send(()).unwrap();
        let acknowledged = self.publisher.join().unwrap();
        let seen = self.consumer.join().unwrap();
        assert_eq!(acknowledged.difference(&seen).collect::<Vec<_>>(), Vec::<&String>::new());
        acknowledged.len()
    }
}

/// Publishes a message again and again, which its id makes one.
fn publish(connection: &mut Connection, path: &str, id: &str) {
    let body = json!({ "messages": [{ "id": id, "text": id, "key": id }] }).to_string();
    let until = Instant::now() + DEADLINE;
    loop {
        let answer = connection.request("POST", path, &[], body.as_bytes());
        let result = if answer.status == 200 { answer.json()["results"][0].clone() } else { answer.json() };
        if result["offset"].is_u64() {
            return;
        }
        assert!(Instant::now() < until && result["retryable"] == true, "{id}: {} {result}", answer.status);
    }
}

/// Pulls and acks what is there, if a node can give anything now.
fn consume(connection: &mut Connection, path: &str, seen: &mut BTreeSet<String>) {
    let pull = json!({ "max_messages": 100, "wait_ms": 100 }).to_string();
    let pulled = connection.request("POST", &format!("{path}/pull"), &[], pull.as_bytes());
    if pulled.status != 200 {
        assert_eq!(pulled.json()["retryable"], true, "{}", pulled.body_text());
        return;
    }
    let messages = pulled.json()["messages"].as_array().cloned().unwrap_or_default();
    let ack_ids: Vec<Value> = messages.iter().map(|message| message["ack_id"].clone()).collect();
    if !ack_ids.is_empty() {
        // What is not acked comes again, and is the same message.
        let ack = json!({ "ack_ids": ack_ids }).to_string();
        connection.request("POST", &format!("{path}/ack"), &[], ack.as_bytes());
    }
    seen.extend(messages.iter().map(|message| message["id"].as_str().unwrap().to_owned()));
}
