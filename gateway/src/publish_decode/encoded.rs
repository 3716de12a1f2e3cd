//! A batch that the publisher encoded itself: stored byte for byte as it came, once all of it was found right.

use gateway_api::Code;
use shard_core::{
    format::record_batch::{BatchError, UnassignedBatch},
    model::PartitionIndex,
};

use super::{PlannedBatch, PublishPlan, PublishRefused, PublishTarget, rules::Fault};

/// Takes the body of a publish that is one batch, for the partition it states or the one in turn; `remembers` says whether the
/// topic remembers producers.
///
/// # Errors
/// Says what is wrong with the batch; any bytes are safe to give.
pub fn plan_encoded(
    body: &[u8],
    target: &PublishTarget<'_>,
    (partition, remembers): (Option<u32>, bool),
) -> Result<PublishPlan, PublishRefused> {
    let partition = match partition.map(|partition| target.partitioner().explicit(partition)) {
        Some(Some(partition)) => partition,
        Some(None) => {
            let detail = format!("the topic has partitions 0 to {}", target.partitions - 1);
            return Err(Fault::new("partition", Code::InvalidArgument, detail).at(None).into());
        }
        None => PartitionIndex::new(target.turn % target.partitions),
    };
    let refused = |error: BatchError| {
        let is_too_large = matches!(error, BatchError::MessageTooLarge { .. });
        let code = if is_too_large { Code::MessageTooLarge } else { Code::InvalidArgument };
        PublishRefused::from(Fault::new("batch", code, error.to_string()).at(None))
    };
    let mut plan = PublishPlan::default();
    let batch = UnassignedBatch::from_publisher(body.to_vec(), target.message_bytes_max, |id| plan.note(id));
    let batch = batch.map_err(refused)?;
    if batch.producer().is_some() && !remembers {
        let detail = "the topic's `dedup_window_ms` is 0: it would not be remembered that the batch was sent";
        return Err(Fault::new("batch", Code::InvalidArgument, detail).at(None).into());
    }
    plan.batches.push(PlannedBatch { partition, batch });
    Ok(plan)
}
