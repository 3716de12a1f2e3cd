//! A batch that the publisher encoded itself: stored byte for byte as it came, once all of it was found right.

use bytes::Bytes;
use gateway_api::Code;
use shard_core::{
    format::record_batch::{BatchError, RecordBatch, UnassignedBatch},
    model::PartitionIndex,
};

use super::{PlannedBatch, PublishPlan, PublishRefused, PublishTarget, rules::Fault};

/// Takes the body of a publish that is one batch, for the partition it states or the one in turn.
///
/// # Errors
/// Says what is wrong with the batch; any bytes are safe to give.
pub fn plan_encoded(
    body: &[u8],
    target: &PublishTarget<'_>,
    partition: Option<u32>,
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
    let batch = UnassignedBatch::from_publisher(body.to_vec(), target.message_bytes_max).map_err(refused)?;
    let mut plan = PublishPlan::of_batch(PlannedBatch { partition, batch });
    let readable = RecordBatch::parse(Bytes::copy_from_slice(body)).map_err(refused)?;
    readable.for_each_record(|record| plan.note(record.head.id)).map_err(refused)?;
    Ok(plan)
}
