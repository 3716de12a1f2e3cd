//! Reads a topic without a subscription, all partitions at once: each in order, from a position on, as messages come.

mod start;

use std::{
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use gateway_api::{Code, CursorToken};
use glommio::timer::Timer;
use raft::metadata::Topic;
use shard::{PartitionUnavailable, ReadError, ReadFrom, ReadReply, ReadRequest};
use shard_core::model::{Offset, PartitionIndex, TopicPartition};

pub(crate) use self::start::{ReadStart, find_positions};

use crate::{
    context::Context,
    error::{self, Failure},
    limits,
    message_json::Source,
};

type Local<T> = Pin<Box<dyn Future<Output = T>>>;

/// A topic as one client reads it.
pub(crate) struct TopicReader {
    context: Rc<Context>,
    topic: Arc<Topic>,
    /// The next offset of each partition.
    positions: Vec<Offset>,
    /// Partitions that are not being read.
    idle: Vec<usize>,
    reads: FuturesUnordered<Local<(usize, Result<ReadReply, ReadError>)>>,
}

/// What was read of one partition.
#[derive(Debug)]
pub(crate) struct PartitionRead {
    /// The place of the partition among all of the topic.
    slot: usize,
    /// The batches.
    pub(crate) reply: ReadReply,
}

impl TopicReader {
    /// A reader at these positions, one for each partition.
    pub(crate) fn new(context: Rc<Context>, topic: Arc<Topic>, positions: Vec<Offset>) -> Self {
        let idle = (0..positions.len()).collect();
        Self { context, topic, positions, idle, reads: FuturesUnordered::new() }
    }

    /// The name of the topic.
    pub(crate) fn name(&self) -> &str {
        self.topic.name.as_str()
    }

    /// What some partition has. [`Self::go_on`] says how much of it was taken; what was not is read again.
    ///
    /// # Errors
    /// A partition that can't be read on, or the topic is gone.
    pub(crate) fn poll(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<PartitionRead, Failure>> {
        while let Some(slot) = self.idle.pop() {
            self.read(slot);
        }
        let Some((slot, read)) = ready!(self.reads.poll_next_unpin(context)) else { return Poll::Pending };
        self.idle.push(slot);
        Poll::Ready(self.refresh().and_then(|()| match read {
            Ok(reply) => Ok(PartitionRead { slot, reply }),
            Err(error) => Err(error::of_read(&error)),
        }))
    }

    /// Where the messages of a read are from.
    pub(crate) fn source(&self, read: &PartitionRead) -> Source<'_> {
        Source::new(self.name(), partition_index(read.slot))
    }

    /// The partition of a read.
    pub(crate) fn partition(&self, read: &PartitionRead) -> TopicPartition {
        TopicPartition::new(self.topic.id, partition_index(read.slot))
    }

    /// The next read of the partition begins at `next`.
    pub(crate) fn go_on(&mut self, read: &PartitionRead, next: Offset) {
        if let Some(position) = self.positions.get_mut(read.slot) {
            *position = next;
        }
    }

    /// Reads nothing until it is polled again.
    pub(crate) fn rest(&mut self) {
        if self.idle.len() < self.positions.len() {
            self.reads.clear();
            self.idle = (0..self.positions.len()).collect();
        }
    }

    /// Where a client may go on: behind all that was taken.
    pub(crate) fn token(&self) -> String {
        let offsets = (0..).zip(&self.positions).map(|(index, offset)| (index, offset.get())).collect();
        CursorToken::new(self.topic.id.get(), offsets).map(|token| token.encode()).unwrap_or_default()
    }

    /// Whether the topic is still there; new partitions are read from their beginning.
    fn refresh(&mut self) -> Result<(), Failure> {
        let state = self.context.metadata.state();
        let Some(topic) = state.topic_by_id(self.topic.id) else {
            return Err(error::of_code(Code::TopicNotFound, format!("topic {} is gone", self.name())));
        };
        while self.positions.len() < topic.partitions.len() {
            self.idle.push(self.positions.len());
            self.positions.push(Offset::ZERO);
        }
        Ok(())
    }

    fn read(&mut self, slot: usize) {
        let Some(from) = self.positions.get(slot) else { return };
        let read = ReadRequest {
            from: ReadFrom::Offset(*from),
            bytes_max: limits::TOPIC_READ_BYTES,
            wait: limits::TOPIC_REFRESH_INTERVAL,
        };
        let partition = TopicPartition::new(self.topic.id, partition_index(slot));
        let context = Rc::clone(&self.context);
        self.reads.push(Box::pin(async move { (slot, read_patiently(&context, partition, read).await) }));
    }
}

/// Reads, and tries again what will be over soon.
async fn read_patiently(
    context: &Context,
    partition: TopicPartition,
    read: ReadRequest,
) -> Result<ReadReply, ReadError> {
    let mut vanished = 0;
    loop {
        let answered = context.shards.read(partition, read).await;
        match answered {
            Err(ReadError::Unavailable(PartitionUnavailable::Overloaded)) => {}
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

fn partition_index(slot: usize) -> PartitionIndex {
    PartitionIndex::new(u32::try_from(slot).unwrap_or(u32::MAX))
}
