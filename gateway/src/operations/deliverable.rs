//! Waiting until a subscription has something to deliver.

use shard::{PartitionSubscription, PartitionUnavailable};
use shard_core::model::{SubscriptionId, TopicPartition};

use crate::context::Context;

/// Ends when a pull on one of the partitions may give something. A closed partition holds up none of the others.
pub(crate) async fn await_deliverable(
    context: &Context,
    subscription: SubscriptionId,
    partitions: &[TopicPartition],
) -> Result<(), PartitionUnavailable> {
    let mut open = partitions.to_vec();
    loop {
        match context.shards.await_deliverable(subscription, &open).await {
            Err(PartitionUnavailable::Closed { partition, .. }) if open.len() > 1 && open.contains(&partition) => {
                open.retain(|candidate| *candidate != partition);
            }
            ended => return ended,
        }
    }
}

/// Lets others that wait be woken in the place of one that was woken, perhaps, and is not going to pull.
pub(crate) fn pass_on(context: &Context, cursors: &[PartitionSubscription]) {
    let nobody = context.core.next_consumer();
    for cursor in cursors {
        context.shards.release_consumer(*cursor, nobody);
    }
}
