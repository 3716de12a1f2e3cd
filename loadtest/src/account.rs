//! One worker's account of its connections: what is measured, what is warm-up, what was delivered.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use crate::counters::Counters;
use crate::deliveries::Delivery;
use crate::fan_out::ReaderCheck;
use crate::recorder::{Measure, Recorder};
use crate::schedule::Arrival;
use crate::series::Intervals;
use crate::stamp::Stamp;
use crate::subscriptions::SubscriptionChecks;
use crate::targets::{Outcome, StreamIdentity};
use crate::workload::{Kind, RequestSizes, Workload};

/// Shared by all connections of a worker thread.
#[derive(Debug)]
pub struct Account {
    warm_up: Duration,
    sizes: RequestSizes,
    /// Deliveries that a message is to have, over all subscriptions or readers.
    deliveries_of_a_message: u64,
    /// Deliveries that the messages of a request would have, where deliveries are measured.
    deliveries_of_a_request: u64,
    /// In a fan-out's closed loop, so many deliveries may be on the way.
    deliveries_on_the_way_max: Option<u64>,
    recorder: RefCell<Recorder>,
    deliveries: RefCell<SubscriptionChecks>,
    counters: Arc<Counters>,
}

/// A publish request that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its number on its connection.
    pub ticket: u64,
    /// When it was due.
    pub arrival: Arrival,
    /// When it was sent.
    pub sent: Duration,
}

/// A message as a consumer got it.
#[derive(Clone, Copy, Debug)]
pub struct Delivered {
    /// Its stamp, if the payload has one.
    pub stamp: Option<Stamp>,
    /// Its partition.
    pub partition: u32,
    /// Its offset.
    pub offset: u64,
    /// Size of its payload.
    pub payload_bytes: u64,
}

impl Account {
    /// An empty account of a run. What is due in its warm-up is done but not measured.
    #[must_use]
    pub fn new(run: u32, workload: &Workload, counters: Arc<Counters>) -> Self {
        Self {
            warm_up: workload.warm_up,
            sizes: workload.publish.request_sizes(),
            deliveries_of_a_message: workload.deliveries_of_a_message(),
            deliveries_of_a_request: match workload.kind {
                Kind::EndToEnd | Kind::FanOut => {
                    workload.deliveries_of_a_message().saturating_mul(workload.publish.batch() as u64)
                }
                Kind::Publish | Kind::Consume | Kind::Read => 0,
            },
            deliveries_on_the_way_max: deliveries_on_the_way_max(workload),
            recorder: RefCell::new(Recorder::new(Intervals::of_run(workload.warm_up, workload.duration))),
            deliveries: RefCell::new(SubscriptionChecks::new(run)),
            counters,
        }
    }

    /// A publish request was answered at `now`.
    pub fn published(&self, identity: StreamIdentity, sent: &Sent, outcome: &Outcome, now: Duration) {
        let failed = match outcome {
            Outcome::Stored => 0,
            Outcome::PartlyStored(failed) => u64::try_from(failed.len()).unwrap_or(u64::MAX).min(identity.batch),
            Outcome::Refused(_) => identity.batch,
        };
        let stored = identity.batch - failed;
        self.counters.add_acknowledged(stored);
        self.counters.add_failed(failed);
        self.acknowledge(identity, sent.ticket, outcome);
        if sent.arrival.intended < self.warm_up {
            return;
        }
        let mut recorder = self.recorder.borrow_mut();
        recorder.sample(Measure::SendDelay, now, sent.sent.saturating_sub(sent.arrival.intended));
        match outcome {
            Outcome::Stored => {}
            Outcome::PartlyStored(failed) => failed.iter().for_each(|(_, code)| recorder.error(code, now, 1)),
            Outcome::Refused(code) => recorder.error(code, now, identity.batch),
        }
        if stored > 0 {
            recorder.sample(Measure::Publish, now, now.saturating_sub(sent.arrival.intended));
            let bytes = self.sizes.payload_bytes(identity.stream, sent.ticket);
            // Of a request that was stored in part, the part of its bytes.
            recorder.published(now, stored, bytes.saturating_mul(stored).checked_div(identity.batch).unwrap_or(0));
        }
    }

    /// Requests were on a connection that broke: nobody knows whether their messages were stored.
    pub fn broken(&self, code: &str, now: Duration, messages: u64) {
        self.counters.add_failed(messages);
        let mut recorder = self.recorder.borrow_mut();
        recorder.connection_lost();
        recorder.error(code, now, messages);
    }

    /// An arrival was due before the end and nobody could send it: whoever waits for its messages waits as long at least.
    pub fn unsent(&self, arrival: Arrival, now: Duration) {
        if arrival.intended < self.warm_up {
            return;
        }
        let waited = now.saturating_sub(arrival.intended);
        let mut recorder = self.recorder.borrow_mut();
        recorder.unsent(now, waited);
        if self.deliveries_of_a_request > 0 {
            recorder.samples(Measure::EndToEnd, now, waited, self.deliveries_of_a_request);
        }
    }

    /// A request had no answer when the run stopped waiting.
    pub fn unanswered(&self, sent: &Sent, now: Duration) {
        if sent.arrival.intended >= self.warm_up {
            self.recorder.borrow_mut().unanswered(now, now.saturating_sub(sent.arrival.intended));
        }
    }

    /// A consumer of this subscription got these messages at `now`.
    pub fn delivered(&self, subscription: u32, messages: &[Delivered], now: Duration) {
        let mut deliveries = self.deliveries.borrow_mut();
        let mut recorder = self.recorder.borrow_mut();
        let (mut first, mut measured, mut bytes) = (0, 0, 0);
        for message in messages {
            match deliveries.deliver(subscription, message.stamp, message.partition, message.offset) {
                Delivery::First => first += 1,
                Delivery::Duplicate => continue,
                Delivery::Foreign => {}
            }
            if now >= self.warm_up {
                measured += 1;
                bytes += message.payload_bytes;
            }
        }
        self.counters.add_delivered(first);
        if measured > 0 {
            recorder.delivered(now, measured, bytes);
        }
    }

    /// One of many readers got these messages at `now`.
    pub fn fanned_out(&self, reader: &mut ReaderCheck, messages: &[Delivered], now: Duration) {
        let mut recorder = self.recorder.borrow_mut();
        let (mut first, mut measured, mut bytes) = (0, 0, 0);
        for message in messages {
            if reader.deliver(message.stamp, message.partition, message.offset) != Delivery::First {
                continue;
            }
            first += 1;
            let intended = message.stamp.map(|stamp| stamp.intended()).filter(|intended| *intended >= self.warm_up);
            if let Some(intended) = intended {
                recorder.sample(Measure::EndToEnd, now, now.saturating_sub(intended));
                measured += 1;
                bytes += message.payload_bytes;
            }
        }
        self.counters.add_delivered(first);
        if measured > 0 {
            recorder.delivered(now, measured, bytes);
        }
    }

    /// Messages were read, without a check of each.
    pub fn read(&self, messages: u64, payload_bytes: u64, now: Duration) {
        self.counters.add_delivered(messages);
        if now >= self.warm_up {
            self.recorder.borrow_mut().delivered(now, messages, payload_bytes);
        }
    }

    /// Whether a connection that waits for so many answers may send another request: in a fan-out's closed loop, as many
    /// messages are on the way to readers as there may be requests in flight. With several connections there can be more,
    /// since each knows of the others' only what was answered.
    #[must_use]
    pub fn has_room(&self, outstanding: usize) -> bool {
        let Some(max) = self.deliveries_on_the_way_max else { return true };
        let each = self.deliveries_of_a_request;
        let owed = self.counters.acknowledged().saturating_mul(self.deliveries_of_a_message);
        let answered = owed.saturating_sub(self.counters.delivered());
        answered.saturating_add(each.saturating_mul(outstanding as u64 + 1)) <= max
    }

    /// The time from each message's intended send time until `now`.
    pub fn end_to_end(&self, messages: &[Delivered], now: Duration) {
        let mut recorder = self.recorder.borrow_mut();
        let intended = messages.iter().filter_map(|message| message.stamp).map(|stamp| stamp.intended());
        for intended in intended.filter(|intended| *intended >= self.warm_up) {
            recorder.sample(Measure::EndToEnd, now, now.saturating_sub(intended));
        }
    }

    /// Something took from `from` until `now`.
    pub fn timed(&self, measure: Measure, from: Duration, now: Duration) {
        if from >= self.warm_up {
            self.recorder.borrow_mut().sample(measure, now, now.saturating_sub(from));
        }
    }

    /// A consumer's request was refused.
    pub fn refused(&self, code: &str, now: Duration) {
        self.counters.add_failed(1);
        self.recorder.borrow_mut().error(code, now, 1);
    }

    /// What the run has counted so far, over all workers.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What was recorded.
    #[must_use]
    pub fn into_parts(self) -> (Recorder, SubscriptionChecks) {
        (self.recorder.into_inner(), self.deliveries.into_inner())
    }

    fn acknowledge(&self, identity: StreamIdentity, ticket: u64, outcome: &Outcome) {
        let first = identity.first_sequence(ticket);
        let mut deliveries = self.deliveries.borrow_mut();
        match outcome {
            Outcome::Stored => deliveries.acknowledge(identity.stream, first..first + identity.batch),
            Outcome::PartlyStored(failed) => {
                for index in 0..identity.batch {
                    if !failed.iter().any(|(failed, _)| *failed == index) {
                        deliveries.acknowledge(identity.stream, first + index..first + index + 1);
                    }
                }
            }
            Outcome::Refused(_) => {}
        }
    }
}

fn deliveries_on_the_way_max(workload: &Workload) -> Option<u64> {
    let plan = &workload.publish;
    let is_held_back = workload.kind == Kind::FanOut && plan.rate.is_none();
    let messages = plan.connections.saturating_mul(plan.in_flight).saturating_mul(plan.batch());
    is_held_back.then(|| workload.deliveries_of_a_message().saturating_mul(messages as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Sizes;
    use crate::workload::tests::example;

    const IDENTITY: StreamIdentity = StreamIdentity { run: 1, stream: 2, batch: 10 };

    fn account() -> Account {
        let mut workload = example(Kind::Publish);
        (workload.warm_up, workload.publish.sizes) = (Duration::from_secs(1), Sizes::Fixed(100));
        Account::new(1, &workload, Arc::new(Counters::new(1)))
    }

    fn sent(ticket: u64, intended: Duration) -> Sent {
        Sent { ticket, arrival: Arrival { index: ticket, intended }, sent: intended + Duration::from_millis(1) }
    }

    #[test]
    fn warm_up_is_acknowledged_but_not_measured() {
        let account = account();
        account.published(IDENTITY, &sent(0, Duration::from_millis(999)), &Outcome::Stored, Duration::from_secs(2));
        account.published(IDENTITY, &sent(1, Duration::from_secs(1)), &Outcome::Stored, Duration::from_secs(2));
        assert_eq!(account.counters().acknowledged(), 20);
        let (recorder, deliveries) = account.into_parts();
        assert_eq!((recorder.counts().requests, recorder.counts().published), (1, 10));
        assert_eq!(recorder.counts().published_bytes, 1_000);
        assert_eq!(deliveries.publishers().verdict().acknowledged, 20);
    }

    #[test]
    fn a_partial_failure_acknowledges_the_rest() {
        let account = account();
        let outcome = Outcome::PartlyStored(vec![(3, "overloaded".to_owned())]);
        account.published(IDENTITY, &sent(0, Duration::from_secs(1)), &outcome, Duration::from_secs(2));
        let (recorder, deliveries) = account.into_parts();
        assert_eq!(recorder.counts().published, 9);
        assert_eq!(recorder.errors()["overloaded"], 1);
        assert_eq!(deliveries.publishers().verdict().acknowledged, 9);
    }

    #[test]
    fn each_reader_of_a_fan_out_is_a_sample() {
        let account = account();
        let delivered = |intended_micros| Delivered {
            stamp: Some(Stamp { run: 1, stream: 2, sequence: intended_micros, intended_micros }),
            partition: 0,
            offset: intended_micros,
            payload_bytes: 100,
        };
        for mut reader in [ReaderCheck::new(1), ReaderCheck::new(1)] {
            account.fanned_out(&mut reader, &[delivered(999_999), delivered(1_000_000)], Duration::from_secs(2));
            account.fanned_out(&mut reader, &[delivered(1_000_000)], Duration::from_secs(3));
        }
        assert_eq!(account.counters().delivered(), 4);
        let (recorder, _) = account.into_parts();
        let latency = &recorder.latencies()[&Measure::EndToEnd];
        assert_eq!((latency.count, recorder.counts().delivered), (2, 2));
        assert!(latency.max_us < 1_001_000.0, "a repeat is no sample: {latency:?}");
    }

    #[test]
    fn a_closed_loop_has_as_many_messages_on_the_way_to_readers_as_requests_in_flight() {
        let mut workload = example(Kind::FanOut);
        (workload.publish.connections, workload.publish.in_flight, workload.publish.batch) = (1, 2, 1);
        let account = Account::new(1, &workload, Arc::new(Counters::new(1)));
        assert!(account.has_room(0) && account.has_room(1) && !account.has_room(2), "none is answered");
        account.counters().add_acknowledged(2);
        assert!(!account.has_room(0), "three readers have none of two");
        account.counters().add_delivered(3);
        assert!(account.has_room(0) && !account.has_room(1), "they have one");
        account.counters().add_delivered(6);
        assert!(account.has_room(1) && !account.has_room(2), "they have a third, whose answer is not here yet");
        workload.publish.rate = std::num::NonZeroU64::new(10);
        let account = Account::new(1, &workload, Arc::new(Counters::new(1)));
        account.counters().add_acknowledged(100);
        assert!(account.has_room(1_000), "an open loop waits for nobody");
    }

    #[test]
    fn what_was_not_sent_is_waited_for_by_each_subscription() {
        let mut workload = example(Kind::EndToEnd);
        workload.consume.subscriptions = 2;
        for (kind, expected) in [(Kind::EndToEnd, Some(20)), (Kind::Publish, None)] {
            let account = Account::new(1, &Workload { kind, ..workload.clone() }, Arc::new(Counters::new(1)));
            account.unsent(Arrival { index: 0, intended: Duration::ZERO }, Duration::from_secs(1));
            let (recorder, _) = account.into_parts();
            let count = recorder.latencies().get(&Measure::EndToEnd).map(|latency| latency.count);
            assert_eq!(count, expected, "{kind:?}: ten messages, to two subscriptions");
        }
    }

    #[test]
    fn a_refusal_has_no_latency_among_the_successes() {
        let account = account();
        let outcome = Outcome::Refused("overloaded".to_owned());
        account.published(IDENTITY, &sent(0, Duration::from_secs(1)), &outcome, Duration::from_secs(2));
        let (recorder, _) = account.into_parts();
        assert!(!recorder.latencies().contains_key(&Measure::Publish));
        assert_eq!(recorder.errors()["overloaded"], 10);
    }
}
