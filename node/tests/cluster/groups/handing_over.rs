//! Consumers that come and go while there is work: each message is done once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use serde_json::{Value, json};

use super::bench::{Bench, Consumer, ack_ids};
use crate::{harness::DEADLINE, http::Connection};

const MESSAGES: usize = 1_200;
const PARTITIONS: u32 = 6;

/// A consumer in a thread of its own. It acks what it has pulled before it says what it has adopted.
struct Worker {
    connection: Connection,
    consumer: Consumer,
    /// What it did, in order: key and number.
    done: Vec<(String, u64)>,
    delivered: usize,
}

impl Worker {
    fn join(address: &str, id: &str) -> Self {
        let mut connection = Connection::open(address);
        let body = json!({ "consumer_id": id }).to_string();
        let joined = connection.request("POST", "/v1/subscriptions/billing/consumers", &[], body.as_bytes());
        assert_eq!(joined.status, 201, "{}", joined.json());
        Self { connection, consumer: Consumer::of(&joined.json()), done: Vec::new(), delivered: 0 }
    }

    /// Works until it is told to stop, then leaves.
    fn run(mut self, done: &AtomicUsize, stop: &AtomicBool) -> Self {
        while !stop.load(Ordering::Acquire) && done.load(Ordering::Acquire) < MESSAGES {
            let Consumer { id, generation, .. } = &self.consumer;
            let body = json!({ "max_messages": 7, "wait_ms": 50, "consumer_id": id, "generation": generation });
            let pulled = self.call("POST", "/pull", &body);
            // With a generation that is over there is nothing to pull, only news to be heard.
            let messages = pulled["messages"].as_array().cloned().unwrap_or_else(|| {
                assert_eq!(pulled["code"], json!("stale_generation"), "{pulled}");
                Vec::new()
            });
            if !messages.is_empty() {
                self.delivered += messages.len();
                let acked = self.call("POST", "/ack", &json!({ "ack_ids": ack_ids(&messages) }));
                assert_eq!(acked["failed"], json!([]), "it was this consumer's until it let go of it");
                self.done.extend(messages.iter().map(key_and_number));
                done.fetch_add(messages.len(), Ordering::AcqRel);
            }
            self.hear();
        }
        let path = format!("/v1/subscriptions/billing/consumers/{}", self.consumer.id);
        assert_eq!(self.connection.request("DELETE", &path, &[], b"").status, 204);
        self
    }

    /// Adopts what it knows, since it holds nothing now, and hears what holds.
    fn hear(&mut self) {
        let path = format!("/consumers/{}/heartbeat", self.consumer.id);
        let heard = self.call("PUT", &path, &json!({ "generation": self.consumer.generation }));
        self.consumer = Consumer::of(&heard);
    }

    fn call(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/v1/subscriptions/billing{path}");
        self.connection.request(method, &path, &[], body.to_string().as_bytes()).json()
    }
}

fn key_and_number(message: &Value) -> (String, u64) {
    let key = message["key"].as_str().unwrap().to_owned();
    (key, message["attributes"]["number"].as_str().unwrap().parse().unwrap())
}

#[test]
fn consumers_that_come_and_go_do_each_message_once_and_in_the_order_of_its_key() {
    let mut bench = Bench::new(PARTITIONS, &json!({}));
    for part in 0..4 {
        let message = |number: usize| {
            let key = format!("key-{}", number % 40);
            json!({ "text": "x", "key": key, "attributes": { "number": number.to_string() } })
        };
        let numbers = part * MESSAGES / 4..(part + 1) * MESSAGES / 4;
        bench.publish(&numbers.map(message).collect::<Vec<_>>());
    }
    let done = Arc::new(AtomicUsize::new(0));
    let address = bench.node.address().to_owned();
    let start = |id: &'static str| {
        let (address, done, stop) = (address.clone(), Arc::clone(&done), Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&stop);
        (stop, thread::spawn(move || Worker::join(&address, id).run(&done, &told)))
    };
    // Each comes or goes once a part of the work is done, so that there is work left for it to disturb.
    let part_done = |part: usize| {
        let began = Instant::now();
        while done.load(Ordering::Acquire) < MESSAGES * part / 8 {
            assert!(began.elapsed() < DEADLINE, "{} of {MESSAGES} are done", done.load(Ordering::Acquire));
            thread::yield_now();
        }
    };
    let (stop_ann, ann) = start("ann");
    part_done(1);
    let (_, bob) = start("bob");
    part_done(2);
    let (stop_eve, eve) = start("eve");
    part_done(4);
    stop_ann.store(true, Ordering::Release);
    part_done(6);
    stop_eve.store(true, Ordering::Release);
    let workers = [ann, bob, eve].map(|worker| worker.join().unwrap());

    let mut of_key: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    let mut count = 0;
    for (key, number) in workers.iter().flat_map(|worker| &worker.done) {
        of_key.entry(key).or_default().push(*number);
        count += 1;
    }
    assert_eq!(count, MESSAGES);
    assert_eq!(workers.iter().map(|worker| worker.delivered).sum::<usize>(), MESSAGES, "none was delivered twice");
    assert!(workers.iter().all(|worker| !worker.done.is_empty()), "each had something to do");
    for worker in &workers {
        // A consumer gets the messages of a key in their order, whoever else has had the partition meanwhile.
        let mut last: BTreeMap<&str, u64> = BTreeMap::new();
        for (key, number) in &worker.done {
            assert!(last.insert(key, *number).is_none_or(|before| before < *number), "{key}: {number} came late");
        }
    }
    for numbers in of_key.values_mut() {
        numbers.sort_unstable();
        numbers.dedup();
    }
    assert_eq!(of_key.values().map(Vec::len).sum::<usize>(), MESSAGES, "none was done twice");
    assert_eq!(bench.describe()["backlog"], json!(0));
}
