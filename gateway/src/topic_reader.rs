//! Reads a topic without a subscription, all partitions at once: each in order, from a position on, as messages come.

mod reads;
mod start;

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use gateway_api::{Code, CursorToken};
use raft::metadata::Topic;
use shard::{ReadError, ReadReply};
use shard_core::model::{Offset, PartitionIndex, TopicPartition};

pub(crate) use self::start::ReadStart;

use self::reads::{await_first, read_now};

use crate::{
    context::Context,
    error::{self, Failure},
    limits,
    message_json::Source,
    read_turns::ReadTurn,
};

/// There may be something in a partition that was not looked at.
const UNKNOWN_END: Offset = Offset::new(u64::MAX);

/// What a read came to, and the turn that it took.
type ReadInTurn = Result<(ReadReply, ReadTurn), ReadError>;
type Local<T> = Pin<Box<dyn Future<Output = T>>>;

/// A topic as one client reads it.
pub(crate) struct TopicReader {
    context: Rc<Context>,
    topic: Arc<Topic>,
    /// Where each partition is read on.
    positions: Vec<Position>,
    /// Partitions on which nothing is under way.
    idle: VecDeque<usize>,
    /// Reads of partitions that go on; few at a time.
    reads: FuturesUnordered<Local<(usize, ReadInTurn)>>,
    reading: Vec<usize>,
    /// Waits for more of those that were read to their end.
    waits: FuturesUnordered<Local<(usize, Result<ReadReply, ReadError>)>>,
}

#[derive(Clone, Copy, Debug)]
struct Position {
    next: Offset,
    /// Nothing was taken yet of what begins wherever the partition does: retention may move that meanwhile.
    at_beginning: bool,
    /// How far the partition is known to go.
    end: Offset,
}

/// What was read of one partition.
#[derive(Debug)]
pub(crate) struct PartitionRead {
    /// The place of the partition among all of the topic.
    slot: usize,
    /// The batches.
    pub(crate) reply: ReadReply,
    /// It is over when what was read is dropped.
    #[expect(dead_code, reason = "it is there to be dropped")]
    turn: Option<ReadTurn>,
}

impl TopicReader {
    /// A reader that begins there.
    ///
    /// # Errors
    /// A position that is no longer, or never was, and a partition that can't be read.
    pub(crate) async fn open(context: Rc<Context>, topic: Arc<Topic>, start: &ReadStart) -> Result<Self, Failure> {
        let at_beginning = *start == ReadStart::Earliest;
        let found = start::find_positions(&context, &topic, start).await?;
        let positions: Vec<_> =
            found.into_iter().map(|next| Position { next, at_beginning, end: UNKNOWN_END }).collect();
        let idle = (0..positions.len()).collect();
        Ok(Self {
            context,
            topic,
            positions,
            idle,
            reads: FuturesUnordered::new(),
            reading: Vec::new(),
            waits: FuturesUnordered::new(),
        })
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
        loop {
            self.begin();
            if let Poll::Ready(Some((slot, read))) = self.reads.poll_next_unpin(context) {
                self.reading.retain(|reading| *reading != slot);
                if let Some(read) = self.on_read(slot, read.map(|(reply, turn)| (reply, Some(turn)))) {
                    return Poll::Ready(read);
                }
                continue;
            }
            let Poll::Ready(Some((slot, first))) = self.waits.poll_next_unpin(context) else { return Poll::Pending };
            match first {
                // It is read as much at a time as others are.
                Ok(first) if first.goes_on() => self.put_back(slot, first.high_watermark),
                first => {
                    if let Some(read) = self.on_read(slot, first.map(|reply| (reply, None))) {
                        return Poll::Ready(read);
                    }
                }
            }
        }
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
            *position = Position { next, at_beginning: false, end: position.end };
        }
    }

    /// Reads nothing until it is polled again.
    pub(crate) fn rest(&mut self) {
        if self.idle.len() < self.positions.len() {
            self.reading.clear();
            self.reads.clear();
            self.waits.clear();
            self.idle = (0..self.positions.len()).collect();
        }
    }

    /// Gives up its turns: it is not polled for a while.
    pub(crate) fn let_go(&mut self) {
        if !self.reading.is_empty() {
            self.reads.clear();
            self.idle.extend(self.reading.drain(..));
        }
    }

    /// Where a client may go on: behind all that was taken.
    pub(crate) fn token(&self) -> String {
        let offsets = (0..).zip(&self.positions).map(|(index, position)| (index, position.next.get())).collect();
        CursorToken::new(self.topic.id.get(), offsets).map(|token| token.encode()).unwrap_or_default()
    }

    /// Whether the topic is still there; new partitions are read from their beginning.
    fn refresh(&mut self) -> Result<(), Failure> {
        let state = self.context.metadata.state();
        let Some(topic) = state.topic_by_id(self.topic.id) else {
            return Err(error::of_code(Code::TopicNotFound, format!("topic {} is gone", self.name())));
        };
        while self.positions.len() < topic.partitions.len() {
            self.idle.push_back(self.positions.len());
            self.positions.push(Position { next: Offset::ZERO, at_beginning: true, end: UNKNOWN_END });
        }
        Ok(())
    }

    /// Begins to read what goes on, and to wait for more of the rest.
    fn begin(&mut self) {
        for _ in 0..self.idle.len() {
            let Some(slot) = self.idle.pop_front() else { return };
            let Some(from) = self.positions.get(slot).copied() else { continue };
            let context = Rc::clone(&self.context);
            let partition = TopicPartition::new(self.topic.id, partition_index(slot));
            if from.next >= from.end {
                self.waits.push(Box::pin(async move { (slot, await_first(&context, partition, from).await) }));
            } else if self.reading.len() < limits::TOPIC_READS_MAX {
                self.reading.push(slot);
                self.reads.push(Box::pin(async move { (slot, read_now(&context, partition, from).await) }));
            } else {
                self.idle.push_back(slot);
            }
        }
    }

    /// Takes note of what was read of a partition; gives it if there is something for the client.
    fn on_read(
        &mut self,
        slot: usize,
        read: Result<(ReadReply, Option<ReadTurn>), ReadError>,
    ) -> Option<Result<PartitionRead, Failure>> {
        let read = self.refresh().and_then(|()| read.map_err(|error| error::of_read(&error)));
        match read {
            Err(failure) => {
                self.put_back(slot, UNKNOWN_END);
                Some(Err(failure))
            }
            Ok((reply, _)) if reply.batches.is_empty() => {
                // A partition whose beginning has moved is waited for where it begins now.
                if let Some(position) = self.positions.get_mut(slot) {
                    position.next = reply.from;
                }
                self.put_back(slot, reply.from);
                None
            }
            Ok((reply, turn)) => {
                self.put_back(slot, reply.high_watermark);
                Some(Ok(PartitionRead { slot, reply, turn }))
            }
        }
    }

    fn put_back(&mut self, slot: usize, end: Offset) {
        self.idle.push_back(slot);
        if let Some(position) = self.positions.get_mut(slot) {
            position.end = end;
        }
    }
}

fn partition_index(slot: usize) -> PartitionIndex {
    PartitionIndex::new(u32::try_from(slot).unwrap_or(u32::MAX))
}
