//! Histories made by hand: a good one, to be spoiled in one way at a time.

use std::collections::BTreeMap;

use super::Invariant;
use crate::history::{
    Ack, AckKind, Consumption, Cursor, Delivery, Fault, History, Installed, Layout, Membership, Minimum, Operation,
    Outcome, Placed, Publish, Read, Record, Run, Subscription, What,
};

/// How long each operation takes, and the next one waits.
const STEP_US: u64 = 1_000;
/// The only subscription whose messages any consumer gets.
pub(crate) const SHARED: &str = "shared";
/// The only one whose partitions are assigned.
pub(crate) const GROUP: &str = "group";

/// A history that is being made, and the time of its next operation.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub history: History,
    pub now: u64,
    logs: BTreeMap<u32, Vec<Record>>,
}

/// Two partitions, a fault in the middle, everything published, consumed, and read at the end.
pub(crate) fn good() -> Story {
    let mut story = Story::new();
    story.told("ann", 1, &[0, 1]);
    story.layout(0, 1, 1, 0);
    story.publish("a", Some("k"), 0);
    story.consume(SHARED, "eve", 0, 0);
    story.consume(GROUP, "ann", 0, 0);
    story.publish("b", None, 1);
    story.fault("kill node 1");
    story.layout(0, 2, 2, 1);
    story.told("ann", 2, &[0]);
    story.told("bob", 2, &[1]);
    story.publish("c", Some("k"), 0);
    story.publish("d", None, 1);
    for (partition, offset) in [(0, 1), (1, 0), (1, 1)] {
        story.consume(SHARED, "eve", partition, offset);
        story.consume(GROUP, if partition == 0 { "ann" } else { "bob" }, partition, offset);
    }
    story.cursor(SHARED, 0, 2);
    story.finish();
    story
}

/// That an invariant finds nothing in a history.
pub(crate) fn accepts(invariant: Invariant, story: &Story) {
    assert_eq!(invariant(&story.history), Vec::<String>::new());
}

/// That it finds exactly one thing, which it says in these words.
pub(crate) fn rejects(invariant: Invariant, story: &Story, words: &str) {
    let found = invariant(&story.history);
    assert!(found.len() == 1 && found[0].contains(words), "{found:?} and not `{words}`");
}

impl Story {
    /// One in which nothing has happened yet.
    pub(crate) fn new() -> Self {
        let subscription = |name: &str, consumption, is_ordered| {
            let name = name.to_owned();
            Subscription { name, consumption, is_ordered }
        };
        let run = Run {
            seed: 1,
            partitions: 2,
            subscriptions: vec![
                subscription(SHARED, Consumption::Shared, true),
                subscription(GROUP, Consumption::Assigned, false),
            ],
            window: 1,
            ack_deadline_ms: 1_000,
            heal_within_ms: 1_000,
            minimum: Minimum { acked: 4, faults: 1, owner_changes: 1, insync_changes: 0, redeliveries: 0 },
        };
        Self { history: History { run, operations: Vec::new() }, now: 0, logs: BTreeMap::new() }
    }

    /// The next thing that happens.
    pub(crate) fn then(&mut self, what: What) -> &mut Operation {
        let (start, end) = (self.now, self.now + STEP_US);
        self.now += 2 * STEP_US;
        self.history.operations.push(Operation { start, end, client: 1, node: 1, what });
        self.history.operations.last_mut().unwrap()
    }

    /// A message that is stored and acknowledged.
    pub(crate) fn publish(&mut self, payload: &str, key: Option<&str>, partition: u32) -> &mut Operation {
        let offset = self.store(payload, key, partition);
        self.publish_with(payload, key, Outcome::Ok(Placed { partition, offset, is_duplicate: false }))
    }

    /// An attempt to publish; nothing is stored.
    pub(crate) fn publish_with(
        &mut self,
        payload: &str,
        key: Option<&str>,
        outcome: Outcome<Placed>,
    ) -> &mut Operation {
        let (payload, key) = (payload.to_owned(), key.map(str::to_owned));
        self.then(What::Publish(Publish { payload, key, is_idempotent: false, producer: None, outcome }))
    }

    /// A message that is in the log, whatever its publisher knows.
    pub(crate) fn store(&mut self, payload: &str, key: Option<&str>, partition: u32) -> u64 {
        let log = self.logs.entry(partition).or_default();
        let offset = log.len() as u64;
        log.push(Record { offset, key: key.map(str::to_owned), payload: payload.to_owned() });
        offset
    }

    /// A message is delivered.
    pub(crate) fn deliver(&mut self, subscription: &str, consumer: &str, partition: u32, offset: u64) -> &mut Delivery {
        let record = self.logs[&partition][usize::try_from(offset).unwrap()].clone();
        let (subscription, consumer) = (subscription.to_owned(), consumer.to_owned());
        let generation = self.generation(&subscription, &consumer);
        let delivery = Delivery { subscription, consumer, generation, partition, attempt: 1, record };
        let What::Deliver(delivery) = &mut self.then(What::Deliver(delivery)).what else { unreachable!() };
        delivery
    }

    /// A message is acked.
    pub(crate) fn ack(&mut self, subscription: &str, consumer: &str, partition: u32, offset: u64) -> &mut Ack {
        let (subscription, consumer) = (subscription.to_owned(), consumer.to_owned());
        let generation = self.generation(&subscription, &consumer);
        let (kind, outcome) = (AckKind::Done, Outcome::Ok(()));
        let ack = Ack { kind, subscription, consumer, generation, partition, offset, attempt: 1, outcome };
        let What::Ack(ack) = &mut self.then(What::Ack(ack)).what else { unreachable!() };
        ack
    }

    /// Both.
    pub(crate) fn consume(&mut self, subscription: &str, consumer: &str, partition: u32, offset: u64) {
        self.deliver(subscription, consumer, partition, offset);
        self.ack(subscription, consumer, partition, offset);
    }

    /// A consumer of the group is told what it has.
    pub(crate) fn told(&mut self, consumer: &str, generation: u64, partitions: &[u32]) {
        let (subscription, consumer, partitions) = (GROUP.to_owned(), consumer.to_owned(), partitions.to_vec());
        self.then(What::Membership(Membership { subscription, consumer, generation, partitions }));
    }

    /// Somebody is told who owns a partition.
    pub(crate) fn layout(&mut self, partition: u32, owner: u64, epoch: u64, high_watermark: u64) {
        let high_watermark = Some(high_watermark);
        self.then(What::Layout(Layout { partition, owner, epoch, high_watermark, isr: Vec::new() }));
    }

    /// Somebody is told how far a subscription is.
    pub(crate) fn cursor(&mut self, subscription: &str, partition: u32, ack_floor: u64) -> &mut Operation {
        let subscription = subscription.to_owned();
        self.then(What::Cursor(Cursor { subscription, partition, ack_floor }))
    }

    /// A fault comes and goes.
    pub(crate) fn fault(&mut self, name: &str) -> &mut Operation {
        let name = name.to_owned();
        self.then(What::Fault(Fault { name, installed: Installed::Yes, severed: Vec::new() }))
    }

    /// A partition is read from here on.
    pub(crate) fn read(&mut self, partition: u32, from: u64) -> &mut Read {
        let log = self.logs.get(&partition).map(Vec::as_slice).unwrap_or_default();
        let records = log[usize::try_from(from).unwrap()..].to_vec();
        let next = log.len() as u64;
        let read = Read { partition, from, is_final: false, records, next };
        let What::Read(read) = &mut self.then(What::Read(read)).what else { unreachable!() };
        read
    }

    /// All is done, and the logs are read.
    pub(crate) fn finish(&mut self) {
        for subscription in [SHARED, GROUP] {
            self.then(What::Drained { subscription: subscription.to_owned() });
        }
        for partition in 0..self.history.run.partitions {
            self.read(partition, 0).is_final = true;
        }
    }

    /// The reads of a story that has been told.
    pub(crate) fn reads(&mut self) -> impl Iterator<Item = &mut Read> {
        self.history
            .operations
            .iter_mut()
            .filter_map(|operation| if let What::Read(read) = &mut operation.what { Some(read) } else { None })
    }

    /// Takes out what is so.
    pub(crate) fn without(mut self, is_so: impl Fn(&What) -> bool) -> Self {
        self.history.operations.retain(|operation| !is_so(&operation.what));
        self
    }

    fn generation(&self, subscription: &str, consumer: &str) -> Option<u64> {
        if subscription != GROUP {
            return None;
        }
        let told = self.history.memberships().filter(|(_, told)| told.consumer == consumer).last();
        told.map(|(_, told)| told.generation)
    }
}
