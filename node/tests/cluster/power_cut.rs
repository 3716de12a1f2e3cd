//! The power is cut under load: what was acknowledged as being on disk is there byte for byte, and nothing was invented.
//!
//! kill -9 loses nothing that the kernel was given, so it shows nothing about flushes; here the disk forgets what it was not
//! told to flush.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use futures_util::future::{join, join_all};
use gateway_api::{
    client::{Client, ReadFrom},
    consume::{AckRequest, PullRequest},
    publish::{Durability, PublishMessage, PublishRequest, PublishResult, Published},
    topics::{Flush, TopicSettings},
};
use tokio::sync::watch;

use crate::{
    harness::TestNode,
    publish_consume::{from_earliest, partitions},
    volatile_disk::{EXT4, Filesystem, VolatileDisk, XFS},
};

/// How often the power is cut unless `PUBSUB_TEST_POWER_CUTS` says otherwise.
const CUTS_DEFAULT: u64 = 5;
const PARTITIONS: u32 = 3;
/// Half of them to each topic.
const PUBLISHERS: u64 = 8;
/// A topic that flushes before it acknowledges, and one that does not.
const TOPICS: [&str; 2] = ["flushed", "relaxed"];
const SETTINGS: [(&str, &str); 3] =
    [("storage.reserve_bytes", "8388608"), ("storage.segment_bytes", "1048576"), ("storage.flush_interval_ms", "20")];

/// Topic, partition and offset.
type Place = (&'static str, u32, u64);
/// A message: its publisher's number, and its own among that publisher's.
type Name = (u64, u64);

/// What must be true after a cut.
#[derive(Default)]
struct Known {
    /// Messages that must be where they are.
    kept: BTreeMap<Place, Name>,
    /// How many messages each publisher has sent, and to which topic.
    sent: BTreeMap<u64, (&'static str, u64)>,
    /// How far the acks of each partition must have come at least, and can have come at most.
    acked: BTreeMap<u32, (u64, u64)>,
}

/// Sends each message once.
struct Publisher {
    number: u64,
    topic: &'static str,
    sent: u64,
    random: Random,
    flushed: BTreeMap<Place, Name>,
}

/// F2, F6, F9, F14.
#[tokio::test]
async fn what_was_acknowledged_outlives_a_power_cut() {
    cut_repeatedly(EXT4).await;
}

/// F2, F14.
#[tokio::test]
async fn what_was_acknowledged_outlives_a_power_cut_on_xfs() {
    cut_repeatedly(XFS).await;
}

#[expect(clippy::print_stdout, reason = "how much each cut had to show is of interest with its failure")]
async fn cut_repeatedly(filesystem: Filesystem) {
    let mut disk = match VolatileDisk::mount(filesystem) {
        Ok(disk) => disk,
        Err(reason) => {
            eprintln!("SKIPPED: a disk whose power can be cut needs root, python3 and loop devices: {reason}");
            return;
        }
    };
    let cuts: u64 = env::var("PUBSUB_TEST_POWER_CUTS").map_or(CUTS_DEFAULT, |text| text.parse().unwrap());
    let mut known = Known::default();
    let mut node = TestNode::start_at(disk.path(), &SETTINGS);
    create_topics(&node.client()).await;
    for seed in 1..=cuts {
        let flushed = known.kept.len();
        (disk, node) = load_and_cut(disk, node, &mut known, seed).await;
        let acknowledged = known.kept.len() - flushed;
        let found = check(&node.client(), &mut known).await;
        println!("cut {seed}: {acknowledged} messages acknowledged as flushed, {found} found in all");
        assert!(acknowledged > 0, "nothing was acknowledged before the cut");
    }
}

async fn create_topics(client: &Client) {
    let [flushed, relaxed] = TOPICS;
    client.create_topic(flushed, &partitions(PARTITIONS)).await.unwrap();
    let settings = TopicSettings { flush: Some(Flush::Interval), ..partitions(PARTITIONS) };
    client.create_topic(relaxed, &settings).await.unwrap();
    client.create_subscription("billing", &from_earliest(flushed)).await.unwrap();
}

/// Publishes and acks until the power is cut, after as many messages as the seed says; then starts anew.
async fn load_and_cut(
    disk: VolatileDisk,
    mut node: TestNode,
    known: &mut Known,
    seed: u64,
) -> (VolatileDisk, TestNode) {
    let mut random = Random(seed);
    let after = random.below(2_000);
    let topics = TOPICS.into_iter().cycle();
    let numbers = seed * PUBLISHERS..(seed + 1) * PUBLISHERS;
    let mut publishers: Vec<_> = numbers.zip(topics).map(Publisher::new).collect();
    let client = node.client();
    let (enough, mut reached) = watch::channel(false);
    let total = AtomicU64::new(0);
    let flood = join_all(publishers.iter_mut().map(|publisher| {
        let (client, total, enough) = (&client, &total, &enough);
        async move {
            while let Some(flushed) = publisher.publish(client).await {
                if total.fetch_add(flushed, Relaxed) + flushed > after {
                    enough.send_replace(true);
                }
            }
        }
    }));
    let cut = async {
        reached.wait_for(|reached| *reached).await.unwrap();
        // Not on this thread, on which the load goes on meanwhile.
        let cut = tokio::task::spawn_blocking(move || {
            disk.cut();
            disk
        });
        let disk = cut.await.unwrap();
        node.kill();
        disk.into_cut()
    };
    let ((_, ()), disk) = join(join(flood, consume(&client, &mut known.acked)), cut).await;
    for publisher in publishers {
        known.sent.insert(publisher.number, (publisher.topic, publisher.sent));
        known.kept.extend(publisher.flushed);
    }
    let disk = disk.mount();
    let node = TestNode::start_at(disk.path(), &SETTINGS);
    (disk, node)
}

/// Pulls and acks until the node is gone.
async fn consume(client: &Client, cursors: &mut BTreeMap<u32, (u64, u64)>) {
    loop {
        let request = PullRequest { max_messages: 100, wait_ms: 1_000, ..PullRequest::default() };
        let Ok(pulled) = client.pull("billing", &request).await else { return };
        for message in &pulled.messages {
            let asked = &mut cursors.entry(message.partition).or_default().1;
            assert_eq!(message.offset, *asked, "partition {}: delivery skips or repeats a message", message.partition);
            *asked += 1;
        }
        let ack_ids = pulled.messages.into_iter().filter_map(|message| Some(message.ack_id?.into())).collect();
        let Ok(answer) = client.ack("billing", &AckRequest { ack_ids, ..AckRequest::default() }).await else { return };
        if !answer.failed.is_empty() {
            return;
        }
        for (answered, asked) in cursors.values_mut() {
            *answered = *asked;
        }
    }
}

/// Compares what is there with what is known; what was found must stay from here on. Returns how many messages there are.
async fn check(client: &Client, known: &mut Known) -> usize {
    let mut found = BTreeMap::new();
    for topic in TOPICS {
        for partition in 0..PARTITIONS {
            read_all(client, (topic, partition), known, &mut found).await;
        }
    }
    for (place, name) in &known.kept {
        assert_eq!(found.get(place), Some(name), "the message at {place:?} is lost or another one");
    }
    let names: BTreeSet<_> = found.values().collect();
    assert_eq!(names.len(), found.len(), "a message is there twice");
    known.kept = found;
    let subscription = client.subscription("billing").await.unwrap().value;
    for cursor in subscription.cursors {
        let (answered, asked) = known.acked.entry(cursor.partition).or_default();
        assert!((*answered..=*asked).contains(&cursor.ack_floor), "{cursor:?}, acked were {answered} to {asked}");
        (*answered, *asked) = (cursor.ack_floor, cursor.ack_floor);
    }
    known.kept.len()
}

async fn read_all(
    client: &Client,
    (topic, partition): (&'static str, u32),
    known: &Known,
    found: &mut BTreeMap<Place, Name>,
) {
    let mut offset = 0;
    loop {
        let page = client.read((topic, partition), &ReadFrom::Offset(offset), 1_000, 0).await.unwrap();
        if page.messages.is_empty() {
            return;
        }
        for message in page.messages {
            assert_eq!(message.offset, offset, "offsets are dense");
            let text = String::from_utf8(message.data.0).unwrap();
            let name = name_of(&text);
            let sent = known.sent.get(&name.0);
            assert!(sent.is_some_and(|(to, count)| *to == topic && name.1 < *count), "{name:?} was never sent there");
            assert!(text == payload(name), "{name:?} is not what was sent");
            found.insert((topic, partition, offset), name);
            offset += 1;
        }
    }
}

impl Publisher {
    fn new((number, topic): (u64, &'static str)) -> Self {
        Self { number, topic, sent: 0, random: Random(number), flushed: BTreeMap::new() }
    }

    /// Publishes a batch of any size to any partition; how many messages were acknowledged as flushed, or `None` when the
    /// node takes no more.
    async fn publish(&mut self, client: &Client) -> Option<u64> {
        let (first, count) = (self.sent, 1 + self.random.below(20));
        self.sent += count;
        let names: Vec<_> = (first..self.sent).map(|message| (self.number, message)).collect();
        let payloads: Vec<_> = names.iter().map(|name| payload(*name)).collect();
        let partition = u32::try_from(self.random.below(u64::from(PARTITIONS))).ok();
        let message = |text| PublishMessage { partition, ..PublishMessage::text(text) };
        let request = PublishRequest { messages: payloads.iter().map(|text| message(text.as_str())).collect() };
        let answer = client.publish(self.topic, &request).await.ok()?;
        let mut flushed = 0;
        for (name, result) in names.into_iter().zip(answer.results) {
            let PublishResult::Published(Published { partition, offset, durability, .. }) = result else { return None };
            if matches!(durability, Durability::Quorum | Durability::Leader) {
                self.flushed.insert((self.topic, partition, offset), name);
                flushed += 1;
            }
        }
        Some(flushed)
    }
}

/// The same text whenever it is asked for; its length is anything up to 3,000.
fn payload((publisher, message): Name) -> String {
    let mut random = Random(publisher << 32 | message);
    let filler = (0..random.below(3_000)).map(|_| char::from(b'a' + u8::try_from(random.below(26)).unwrap()));
    let filler: String = filler.collect();
    format!("{publisher} {message} {filler}")
}

fn name_of(payload: &str) -> Name {
    let mut words = payload.split(' ').map_while(|word| word.parse().ok());
    (words.next().unwrap(), words.next().unwrap())
}

/// Numbers that follow from a seed (`SplitMix64`).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
