//! Reads of a topic's partitions: as much as a client is sent at a time where there is something already, and next to nothing
//! where it has yet to come, so that many may wait without holding much.

use std::time::Duration;

use glommio::timer::Timer;
use shard::{PartitionUnavailable, ReadError, ReadFrom, ReadReply, ReadRequest};
use shard_core::model::TopicPartition;

use super::Position;

use crate::{context::Context, limits, read_turns::ReadTurn};

/// Reads what there is, when it is this reader's turn.
pub(super) async fn read_now(
    context: &Context,
    partition: TopicPartition,
    from: Position,
) -> Result<(ReadReply, ReadTurn), ReadError> {
    let bytes_max = context.core.outputs().portion(limits::TOPIC_READ_BYTES);
    let turn = context.core.read_turns().take(bytes_max).await;
    let read = ReadRequest { from: ReadFrom::Offset(from.next), bytes_max, wait: Duration::ZERO };
    read_patiently(context, (partition, from), read).await.map(|reply| (reply, turn))
}

/// Waits until there is something, and reads the first batch of it.
pub(super) async fn await_first(
    context: &Context,
    partition: TopicPartition,
    from: Position,
) -> Result<ReadReply, ReadError> {
    let wait = limits::TOPIC_REFRESH_INTERVAL;
    let read = ReadRequest { from: ReadFrom::Offset(from.next), bytes_max: 1, wait };
    read_patiently(context, (partition, from), read).await
}

/// Reads, and tries again what will be over soon.
async fn read_patiently(
    context: &Context,
    (partition, from): (TopicPartition, Position),
    mut read: ReadRequest,
) -> Result<ReadReply, ReadError> {
    let mut vanished = 0;
    loop {
        let answered = context.shards.read(partition, read).await;
        match answered {
            Err(ReadError::Unavailable(PartitionUnavailable::Overloaded)) => {}
            // A store lets go of messages a moment before its shard tells where the partition begins since.
            Err(ReadError::Expired { start, .. }) if from.at_beginning => {
                read.from = ReadFrom::Offset(start);
                continue;
            }
            // The shards take a deletion a moment before it is published.
            Err(ReadError::Unavailable(PartitionUnavailable::NotHere(_)))
                if vanished < limits::TOPIC_VANISHED_LOOKS
                    && context.metadata.state().topic_by_id(partition.topic).is_some() =>
            {
                vanished += 1;
            }
            Ok(_) | Err(_) => return answered,
        }
        Timer::new(limits::TOPIC_RETRY_PAUSE).await;
    }
}
