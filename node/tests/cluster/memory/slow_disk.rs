//! Publishers that are faster than the disk are put off, and nothing that was acknowledged is lost.

use std::{
    sync::mpsc::{self, Sender},
    thread,
};

use super::{
    budget::{Budget, MIB, Peak},
    settings,
};
use crate::{
    filesystem::LoopFilesystem,
    harness::{DEADLINE, TestNode},
    http::{Answer, Connection, get},
};

const PUBLISHERS: usize = 64;
const PARTITIONS: usize = 2;
const BODY_BYTES: usize = 256 << 10;
const UNFLUSHED_BYTES: usize = MIB;
/// How many bodies the partitions may take while the disk stands still: to the limit, and a write that is under way.
const TAKEN_MAX: usize = PARTITIONS * (UNFLUSHED_BYTES / BODY_BYTES + 1);

/// A message that was acknowledged: where it is, and what it begins with.
type Acknowledged = (u64, u64, String);

/// F26.
#[test]
fn while_the_disk_stands_still_publishers_are_put_off() {
    let filesystem = match LoopFilesystem::mount(512) {
        Ok(filesystem) => filesystem,
        Err(reason) => {
            eprintln!("SKIPPED: a disk that stands still needs root and a loop device: {reason}");
            return;
        }
    };
    let node = start_in(filesystem.directory());
    let mut publishers: Vec<_> = (0..PUBLISHERS).map(|number| Publisher::new(&node, number)).collect();
    let peak = Peak::begin(&node);
    all_publish(&mut publishers, "before");

    let frozen = filesystem.freeze();
    let (refusals, refused) = mpsc::channel();
    thread::scope(|scope| {
        for publisher in &mut publishers {
            let refusals = refusals.clone();
            scope.spawn(move || publisher.publish_while_frozen(&refusals));
        }
        for _ in 0..PUBLISHERS - TAKEN_MAX {
            refused.recv_timeout(DEADLINE).expect("a publisher is put off");
        }
        // What was acknowledged can be read, and the node says that it lives.
        assert_eq!(get(node.address(), "/healthz").status, 200);
        let page = get(node.address(), "/v1/topics/orders/partitions/0/messages?offset=0&limit=1").json();
        assert_eq!(page["messages"].as_array().map(Vec::len), Some(1), "{page}");
        drop(frozen);
    });

    all_publish(&mut publishers, "behind");
    peak.assert_within(&budget(), "a disk that stood still");
    let acknowledged: Vec<_> = publishers.into_iter().flat_map(|publisher| publisher.acknowledged).collect();
    let within = acknowledged.len() - 2 * PUBLISHERS;
    assert!((1..=TAKEN_MAX).contains(&within), "{within} were taken while the disk stood still");
    assert_there(&node, &acknowledged);
}

/// F26.
#[test]
fn publishers_that_outrun_the_disk_stay_within_the_budget() {
    let node = start_in(crate::harness::data_directory());
    let peak = Peak::begin(&node);
    let mut publishers: Vec<_> = (0..PUBLISHERS).map(|number| Publisher::new(&node, number)).collect();
    for name in ["one", "two", "three", "four"] {
        all_publish(&mut publishers, name);
    }
    println!(
        "{} publishes were put off",
        node.metric("pubsub_shard_publishes_refused_total").iter().map(|(_, count)| count).sum::<f64>()
    );
    peak.assert_within(&budget(), "64 MiB as fast as the disk takes them");
    let acknowledged: Vec<_> = publishers.into_iter().flat_map(|publisher| publisher.acknowledged).collect();
    assert_eq!(acknowledged.len(), 4 * PUBLISHERS);
    assert_there(&node, &acknowledged);
}

/// Each publishes one message, all at the same time, until it is taken.
fn all_publish(publishers: &mut [Publisher], name: &str) {
    thread::scope(|scope| {
        for publisher in publishers {
            scope.spawn(|| publisher.publish_until_taken(name));
        }
    });
}

fn start_in(home: tempfile::TempDir) -> TestNode {
    let mut settings: Vec<_> =
        settings().into_iter().filter(|(key, _)| *key != "storage.unflushed_bytes_max").collect();
    let unflushed_bytes = UNFLUSHED_BYTES.to_string();
    settings.push(("storage.unflushed_bytes_max", &unflushed_bytes));
    settings.push(("storage.segment_bytes", "16777216"));
    // Here it is the budget that puts publishers off, however long the disk stands still.
    settings.push(("storage.io_stuck_ms", "3600000"));
    let node = TestNode::start_in(home, &settings);
    let topic = format!(r#"{{"partitions":{PARTITIONS}}}"#);
    assert_eq!(Connection::open(node.address()).request("PUT", "/v1/topics/orders", &[], topic.as_bytes()).status, 201);
    node
}

fn budget() -> Budget {
    Budget {
        bodies_bytes: 32 * MIB,
        cache_bytes: 16 * MIB,
        unflushed_bytes: PARTITIONS * UNFLUSHED_BYTES,
        ..Budget::default()
    }
}

/// One connection with a partition of its own choice.
struct Publisher {
    connection: Connection,
    number: usize,
    acknowledged: Vec<Acknowledged>,
}

impl Publisher {
    fn new(node: &TestNode, number: usize) -> Self {
        Self { connection: Connection::open(node.address()), number, acknowledged: Vec::new() }
    }

    /// Whether it was taken; if not, it was put off in good order.
    fn publish(&mut self, name: &str) -> bool {
        let begin = format!("{name} {} ", self.number);
        let mut body = begin.clone().into_bytes();
        body.resize(BODY_BYTES, b'.');
        let path = format!("/v1/topics/orders/publish?partition={}", self.number % PARTITIONS);
        let answer = self.connection.request("POST", &path, &[], &body);
        if answer.status == 200 {
            let result = answer.json();
            self.acknowledged.push((result["partition"].as_u64().unwrap(), result["offset"].as_u64().unwrap(), begin));
            return true;
        }
        assert_put_off(&answer);
        false
    }

    fn publish_until_taken(&mut self, name: &str) {
        while !self.publish(name) {}
    }

    fn publish_while_frozen(&mut self, refusals: &Sender<usize>) {
        if !self.publish("within") {
            refusals.send(self.number).unwrap();
        }
    }
}

fn assert_put_off(answer: &Answer) {
    let problem = answer.json();
    assert_eq!((answer.status, &problem["code"]), (503, &"overloaded".into()), "{problem}");
    assert_eq!((&problem["retryable"], &problem["outcome"]), (&true.into(), &"not_applied".into()), "{problem}");
    assert!(answer.header("retry-after").is_some(), "{}", answer.head);
}

fn assert_there(node: &TestNode, acknowledged: &[Acknowledged]) {
    for (partition, offset, begin) in acknowledged {
        let path = format!("/v1/topics/orders/partitions/{partition}/messages?offset={offset}&limit=1");
        let answer = Connection::open(node.address()).request("GET", &path, &[("Accept", "application/json")], b"");
        let message = &answer.json()["messages"][0];
        assert_eq!(message["offset"].as_u64(), Some(*offset), "{begin} is lost");
        let data = message["data"].as_str().unwrap();
        assert!(data.starts_with(&beginning_in_base64(begin)), "{begin} is another message");
    }
}

/// As much of the base64 of a text as its own bytes decide.
fn beginning_in_base64(text: &str) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut base64 = String::new();
    for three in text.as_bytes().chunks_exact(3) {
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        base64.extend([18, 12, 6, 0].map(|shift| char::from(alphabet[usize::try_from(bits >> shift & 63).unwrap()])));
    }
    base64
}
