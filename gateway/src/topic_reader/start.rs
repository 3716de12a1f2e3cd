//! Where reading a topic begins: a position for each of its partitions.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use gateway_api::{Code, CursorToken, frame::SubscribeFrom};
use raft::metadata::Topic;
use shard::{PartitionStatus, PartitionUnavailable, ReadError, ReadFrom, ReadRequest};
use shard_core::model::{Offset, Timestamp, TopicPartition};

use crate::{
    context::Context,
    error::{self, Failure},
    limits,
    operations::{deadline, partitions},
};

/// Where a client wants to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReadStart {
    /// Only what is published from now on.
    Latest,
    /// The oldest message that is still kept.
    Earliest,
    /// The first message of each partition that was taken at this time or later.
    Time(Timestamp),
    /// Where a token says; partitions that it doesn't name from their beginning.
    Cursor(CursorToken),
}

impl From<SubscribeFrom> for ReadStart {
    fn from(from: SubscribeFrom) -> Self {
        match from {
            SubscribeFrom::Latest => Self::Latest,
            SubscribeFrom::Earliest => Self::Earliest,
            SubscribeFrom::Cursor(token) => Self::Cursor(token),
        }
    }
}

impl ReadStart {
    /// Refuses a token of another topic.
    ///
    /// # Errors
    /// It is one.
    pub(crate) fn check(&self, topic: &Topic) -> Result<(), Failure> {
        match self {
            Self::Cursor(token) if token.topic_id() != topic.id.get() => {
                Err(error::of_code(Code::InvalidCursor, "the cursor belongs to another topic"))
            }
            Self::Cursor(_) | Self::Latest | Self::Earliest | Self::Time(_) => Ok(()),
        }
    }
}

/// Finds out where each partition is to be read from.
///
/// # Errors
/// A position that is no longer, or never was, and a partition that can't be read.
pub(crate) async fn find_positions(
    context: &Context,
    topic: &Topic,
    start: &ReadStart,
) -> Result<Vec<Offset>, Failure> {
    let ask = stream::iter(partitions(topic))
        .map(|partition| find_position(context, partition, start))
        .buffered(limits::STATUS_REQUESTS_MAX)
        .try_collect();
    let found = deadline::within(limits::OPERATION_TIMEOUT, ask).await;
    found.unwrap_or_else(|| Err(error::of_code(Code::StoreUnavailable, "the partitions gave no answer in time")))
}

async fn find_position(context: &Context, partition: TopicPartition, start: &ReadStart) -> Result<Offset, Failure> {
    if let ReadStart::Time(at) = start {
        let read = ReadRequest { from: ReadFrom::Timestamp(*at), bytes_max: 1, wait: Duration::ZERO };
        let reply = context.shards.read(partition, read).await;
        return reply.map(|reply| reply.from).map_err(|error| error::of_read(&error));
    }
    let status = context.shards.status(partition).await.map_err(|error| error::of_unavailable(&error))?;
    position_of(partition, &status, start)
}

fn position_of(partition: TopicPartition, status: &PartitionStatus, start: &ReadStart) -> Result<Offset, Failure> {
    if let Some(reason) = &status.closed {
        let closed = PartitionUnavailable::Closed { partition, reason: reason.clone() };
        return Err(error::of_unavailable(&closed));
    }
    let named = match start {
        ReadStart::Latest => return Ok(status.high_watermark),
        ReadStart::Cursor(token) => token.offset(partition.partition.get()),
        ReadStart::Earliest | ReadStart::Time(_) => None,
    };
    let Some(offset) = named.map(Offset::new) else { return Ok(status.start_offset) };
    if offset < status.start_offset {
        return Err(error::of_read(&ReadError::Expired { offset, start: status.start_offset }));
    }
    if offset > status.end_offset {
        return Err(error::of_read(&ReadError::PastEnd { offset, end: status.end_offset }));
    }
    Ok(offset)
}

#[cfg(test)]
mod tests {
    use shard_core::model::{LeaderEpoch, PartitionIndex, TopicId};

    use super::*;

    const PARTITION: TopicPartition = TopicPartition::new(TopicId::new(7), PartitionIndex::new(1));

    fn status() -> PartitionStatus {
        PartitionStatus {
            shard: 0,
            leader_epoch: LeaderEpoch::new(1),
            start_offset: Offset::new(10),
            high_watermark: Offset::new(20),
            end_offset: Offset::new(22),
            bytes: 0,
            followers: Vec::new(),
            closed: None,
        }
    }

    fn at(start: &ReadStart) -> Result<u64, Code> {
        position_of(PARTITION, &status(), start).map(Offset::get).map_err(|failure| failure.code)
    }

    fn cursor(offsets: &[(u32, u64)]) -> ReadStart {
        ReadStart::Cursor(CursorToken::new(7, offsets.to_vec()).unwrap())
    }

    #[test]
    fn a_position_is_where_the_client_says_as_far_as_it_is_kept() {
        assert_eq!(at(&ReadStart::Latest), Ok(20));
        assert_eq!(at(&ReadStart::Earliest), Ok(10));
        assert_eq!(at(&cursor(&[(1, 12)])), Ok(12));
        assert_eq!(at(&cursor(&[(0, 12)])), Ok(10), "a partition that the token doesn't name is new");
        assert_eq!(at(&cursor(&[(1, 9)])), Err(Code::OffsetExpired));
        assert_eq!(at(&cursor(&[(1, 23)])), Err(Code::OffsetOutOfRange));
    }

    #[test]
    fn a_closed_partition_has_no_position() {
        let closed = PartitionStatus { closed: Some("damage".to_owned()), ..status() };
        let refused = position_of(PARTITION, &closed, &ReadStart::Latest).unwrap_err();
        assert_eq!(refused.code, Code::PartitionClosed);
    }
}
