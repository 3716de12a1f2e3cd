//! kill -9 in the middle of a flood of publishes: every acknowledged message is there, once, in order per key.

use std::{
    collections::BTreeMap,
    env,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

use futures_util::future::join_all;
use gateway_api::{
    client::{Client, ClientError, ReadFrom},
    publish::{PublishMessage, PublishRequest, PublishResult},
};
use tokio::sync::watch;

use crate::{
    harness::{DEADLINE, TestNode},
    publish_consume::partitions,
};

const PARTITIONS: u32 = 8;
const PUBLISHERS: usize = 8;
const BATCH: u64 = 500;
const MESSAGE_BYTES: usize = 256;
/// How many messages are published unless `PUBSUB_TEST_CRASH_MESSAGES` says otherwise.
const MESSAGES_DEFAULT: u64 = 1_000_000;

/// What one publisher knows of the messages of its key: they are numbered from 0.
pub(crate) struct Publisher {
    key: String,
    next: u64,
    /// Place and number of each acknowledged message.
    acknowledged: Vec<(u32, u64, u64)>,
}

/// What one partition holds of one key.
type Found = Vec<(u32, u64, u64)>;

/// F1.
#[tokio::test]
async fn after_a_kill_every_acknowledged_message_is_there_once_and_in_order() {
    let messages: u64 = env::var("PUBSUB_TEST_CRASH_MESSAGES").map_or(MESSAGES_DEFAULT, |text| text.parse().unwrap());
    let mut node = TestNode::start();
    node.client().create_topic("orders", &partitions(PARTITIONS)).await.unwrap();
    let mut publishers: Vec<_> = (0..PUBLISHERS).map(|number| Publisher::new(format!("key-{number}"))).collect();
    let each = messages / u64::try_from(PUBLISHERS).unwrap();

    // The publishers themselves say when half has been acknowledged; the kill then falls into whatever they are at.
    let (half, mut reached) = watch::channel(false);
    let total = AtomicU64::new(0);
    let client = node.client();
    let flood = join_all(publishers.iter_mut().map(|publisher| {
        let (client, total, half) = (&client, &total, &half);
        async move {
            while publisher.next < each && publisher.publish(client).await {
                if total.fetch_add(BATCH, Relaxed) + BATCH >= messages / 2 {
                    half.send_replace(true);
                }
            }
        }
    }));
    let killed = async {
        reached.wait_for(|reached| *reached).await.unwrap();
        node.kill();
    };
    tokio::join!(flood, killed);
    let acknowledged: usize = publishers.iter().map(|publisher| publisher.acknowledged.len()).sum();
    assert!(publishers.iter().any(|publisher| publisher.next < each), "the kill came too late");

    node.restart();
    println!("{acknowledged} messages were acknowledged before the kill; recovery took {} ms", node.recovery_ms());
    let client = node.client();
    join_all(publishers.iter_mut().map(async |publisher| {
        while publisher.next < each {
            assert!(publisher.publish(&client).await, "a publish failed after the restart");
        }
    }))
    .await;

    let found = join_all((0..PARTITIONS).map(|partition| read_all(&client, partition))).await.concat();
    for (number, publisher) in publishers.iter().enumerate() {
        let of_key: Found = found.iter().filter(|(key, ..)| *key == number).map(|(_, place)| *place).collect();
        publisher.check(&of_key);
    }
    println!("{} messages are there", found.len());
}

impl Publisher {
    pub(crate) fn new(key: String) -> Self {
        Self { key, next: 0, acknowledged: Vec::new() }
    }

    /// Publishes the next batch; whether it was acknowledged. Its numbers are never used again either way.
    pub(crate) async fn publish(&mut self, client: &Client) -> bool {
        let numbers = self.next..self.next + BATCH;
        self.next = numbers.end;
        let payload = |number| format!("{} {number:<width$}", self.key, width = MESSAGE_BYTES - self.key.len() - 1);
        let payloads: Vec<_> = numbers.clone().map(payload).collect();
        let message = |text| PublishMessage { key: Some(self.key.as_str().into()), ..PublishMessage::text(text) };
        let request = PublishRequest { messages: payloads.iter().map(|text| message(text.as_str())).collect() };
        let Ok(answer) = client.publish("orders", &request).await else { return false };
        for (number, result) in numbers.zip(answer.results) {
            match result {
                PublishResult::Published(published) => {
                    self.acknowledged.push((published.partition, published.offset, number));
                }
                PublishResult::Failed { error } => panic!("{error:?}"),
            }
        }
        true
    }

    /// How many messages were acknowledged.
    pub(crate) const fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// What was acknowledged is where the answer said; no number is there twice; numbers rise with offsets; a request is
    /// there whole or not at all.
    pub(crate) fn check(&self, found: &Found) {
        let rises =
            found.windows(2).all(|pair| pair[0].0 == pair[1].0 && pair[0].1 < pair[1].1 && pair[0].2 < pair[1].2);
        assert!(rises, "the messages of {} are not in order, or one is there twice", self.key);
        let mut of_request = BTreeMap::<u64, u64>::new();
        for (_, _, number) in found {
            *of_request.entry(number / BATCH).or_default() += 1;
        }
        assert!(of_request.values().all(|&count| count == BATCH), "{}: {of_request:?}", self.key);
        let mut rest = found.iter();
        for acknowledged in &self.acknowledged {
            assert!(rest.any(|place| place == acknowledged), "{}: {acknowledged:?} is lost", self.key);
        }
    }
}

/// Every message of a partition: the number of its key, and where and which it is.
pub(crate) async fn read_all(client: &Client, partition: u32) -> Vec<(usize, (u32, u64, u64))> {
    let deadline = Instant::now() + DEADLINE;
    let mut found = Vec::new();
    let mut offset = 0;
    loop {
        let page = loop {
            match client.read(("orders", partition), &ReadFrom::Offset(offset), 1_000, 0).await {
                Ok(page) => break page,
                // A store that has come back may be opened once more.
                Err(ClientError::Problem(problem)) if problem.retryable => {
                    assert!(Instant::now() < deadline, "{problem}");
                }
                Err(error) => panic!("{error}"),
            }
        };
        if page.messages.is_empty() {
            return found;
        }
        for message in page.messages {
            assert_eq!(message.offset, offset, "offsets are dense");
            assert_eq!(message.data.0.len(), MESSAGE_BYTES);
            let text = String::from_utf8(message.data.0).unwrap();
            let (key, number) = text.trim_end().split_once(' ').unwrap();
            let key = key.strip_prefix("key-").unwrap().parse().unwrap();
            found.push((key, (partition, offset, number.parse().unwrap())));
            offset += 1;
        }
    }
}
