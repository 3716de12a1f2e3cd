//! Messages out of a batch to JSON, as a read or a pull answers with them.

use gateway::{
    ack_id::AckId,
    message_json::{self, Delivery, Source},
};
use shard::{LeaseId, PartitionSubscription};
use shard_core::{
    format::record_batch::Codec,
    model::{PartitionIndex, SubscriptionId, TopicId, TopicPartition},
};

use crate::{
    batches,
    harness::{Case, Operations},
};

pub(crate) const CASES: &[Case] = &[
    Case::new("deliver: JSON of 100, read", 100, |operations| write(operations, false)),
    Case::new("deliver: JSON of 100, pulled", 100, |operations| write(operations, true)),
];

fn write(operations: Operations, leased: bool) {
    let batch = batches::stored(100, Codec::None);
    let partition = PartitionIndex::new(0);
    let cursor = PartitionSubscription {
        partition: TopicPartition::new(TopicId::new(1), partition),
        subscription: SubscriptionId::new(2),
    };
    operations.measure(
        |_| (),
        |()| {
            let mut json = Vec::with_capacity(batch.bytes().len() * 2);
            let visited = batch.for_each_record(|record| {
                let ack_id = AckId { cursor, offset: record.offset, lease: LeaseId { sequence: 3, tag: 4 } };
                let delivery = leased.then_some(Delivery { ack_id, attempt: 1 });
                message_json::append(&mut json, Source::new("orders", partition), &record, delivery.as_ref());
            });
            visited.expect("it was encoded here");
            json
        },
    );
}
