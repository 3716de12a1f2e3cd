//! Deliveries: messages leased to a consumer, acked, and what of that goes to the journal.

use std::time::Duration;

use shard_core::{
    delivery::{
        AckOutcome, Backoff, ClusterKey, ConsumerId, DeliveryMode, DeliveryOrder, DeliveryPolicy, Dispatcher,
        DispatcherIdentity, LeaseRequest,
    },
    format::cursor_journal::encode_entry,
    limits::OUTSTANDING_MAX_DEFAULT,
    model::{Monotonic, Offset, OffsetRange, PartitionIndex, SubscriptionId, TopicId, TopicPartition},
};

use crate::harness::{Case, Operations};

const SUBSCRIPTION: SubscriptionId = SubscriptionId::new(1);
const BACKLOG: Offset = Offset::new(1_000_000);

pub(crate) const CASES: &[Case] = &[
    Case::new("dispatch: lease and ack 1", 1, |operations| lease_and_ack(operations, 1)),
    Case::new("dispatch: lease and ack 100", 100, |operations| lease_and_ack(operations, 100)),
];

fn lease_and_ack(operations: Operations, messages: u32) {
    let now = Monotonic::from_micros(1);
    let mut dispatcher = dispatcher();
    dispatcher.scan_plain(BACKLOG);
    let request = LeaseRequest {
        readable: OffsetRange::new(Offset::ZERO, BACKLOG),
        count: messages,
        consumer: ConsumerId::default(),
        deadline: None,
        claim: None,
    };
    let mut journal = Vec::with_capacity(1 << 20);
    operations.measure(
        |_| (),
        |()| {
            for message in dispatcher.lease(now, request) {
                assert_eq!(dispatcher.ack(message.offset, message.lease), AckOutcome::Applied);
            }
            for change in dispatcher.take_changes() {
                encode_entry(SUBSCRIPTION, &change, &mut journal);
            }
        },
    );
}

fn dispatcher() -> Dispatcher {
    let identity = DispatcherIdentity {
        subscription: SUBSCRIPTION,
        partition: TopicPartition::new(TopicId::new(1), PartitionIndex::new(0)),
        key: ClusterKey::new([1; 16]),
        first_sequence: 0,
        jitter_seed: 0,
    };
    let policy = DeliveryPolicy {
        ack_deadline: Duration::from_secs(30),
        backoff: Backoff { min: Duration::from_millis(100), max: Duration::from_mins(1) },
        outstanding_max: OUTSTANDING_MAX_DEFAULT,
        ordering: DeliveryOrder::None,
        mode: DeliveryMode::AtLeastOnce,
        dead_letters: None,
    };
    Dispatcher::open(identity, policy, Offset::ZERO)
}
