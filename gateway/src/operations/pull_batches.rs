//! Messages leased on one partition, in the batches that hold them.

use shard::{PartitionSubscription, PullRequest, Pulled};

use super::{partition_failures::PartitionFailures, pull_page::PullBounds};
use crate::{
    context::Context,
    error::{self, Failure},
};

/// Asks one partition after the other until one has messages; `None` if none has.
///
/// # Errors
/// The first failure, if no partition gave a message.
pub(crate) async fn pull_batches(
    context: &Context,
    cursors: &[PartitionSubscription],
    bounds: PullBounds,
) -> Result<Option<(PartitionSubscription, Pulled)>, Failure> {
    let PullBounds { messages, bytes, consumer, claim, .. } = bounds;
    let request = PullRequest { messages_max: messages, bytes_max: bytes, ack_deadline: None, consumer, claim };
    let mut failures = PartitionFailures::default();
    for cursor in cursors {
        match context.shards.pull(*cursor, request).await {
            Ok(pulled) if !pulled.leased.is_empty() => return Ok(Some((*cursor, pulled))),
            Ok(_) => failures.note(Ok(())),
            Err(error) => failures.note(Err(error::of_subscription(&error))),
        }
    }
    failures.into_result().map(|()| None)
}
