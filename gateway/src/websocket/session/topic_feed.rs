//! Delivers a topic's messages over a connection without a subscription: from a position on, each partition in order.

use std::{
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
};

use futures_util::{StreamExt, TryStreamExt, stream, stream::FuturesUnordered};
use gateway_api::{Code, CursorToken, frame::SubscribeFrom};
use glommio::timer::Timer;
use raft::metadata::Topic;
use shard::{PartitionStatus, PartitionUnavailable, ReadError, ReadFrom, ReadReply, ReadRequest};
use shard_core::{
    delivery::Filter,
    model::{Offset, PartitionIndex, TopicPartition},
};

use super::{
    Local,
    feeds::{FeedEvent, FeedOutcome},
    frames,
};
use crate::{
    context::Context,
    error::{self, Failure},
    limits,
    message_json::Source,
    operations::{ReadBounds, append_read, deadline, partitions},
};

/// A topic as one connection reads it.
pub(super) struct TopicFeed {
    context: Rc<Context>,
    topic: Arc<Topic>,
    /// Of the subscribe, until that is answered.
    reference: Option<u64>,
    starting: Option<Local<Result<Vec<Offset>, Failure>>>,
    credit: u32,
    /// Which messages are sent; all if none.
    filter: Option<Filter>,
    /// How many messages were passed over since a token was sent.
    passed_over: u64,
    /// The next offset of each partition.
    positions: Vec<Offset>,
    /// Partitions that are not being read.
    idle: Vec<usize>,
    reads: FuturesUnordered<Local<(usize, Result<ReadReply, ReadError>)>>,
}

impl TopicFeed {
    /// Finds out where each partition is to be read from.
    ///
    /// # Errors
    /// A cursor of another topic.
    pub(super) fn start(
        context: Rc<Context>,
        topic: Arc<Topic>,
        from: &SubscribeFrom,
        reference: Option<u64>,
    ) -> Result<Self, Failure> {
        if let SubscribeFrom::Cursor(token) = from
            && token.topic_id() != topic.id.get()
        {
            return Err(error::of_code(Code::InvalidCursor, "the cursor belongs to another topic"));
        }
        let starting = find_positions(Rc::clone(&context), partitions(&topic), from.clone());
        Ok(Self {
            context,
            topic,
            reference,
            starting: Some(Box::pin(starting)),
            credit: 0,
            filter: None,
            passed_over: 0,
            positions: Vec::new(),
            idle: Vec::new(),
            reads: FuturesUnordered::new(),
        })
    }

    /// The same with credit to begin with, and for the messages that a filter lets through.
    pub(super) fn with(mut self, credit: u32, filter: Option<Filter>) -> Self {
        self.credit = credit;
        self.filter = filter;
        self
    }

    pub(super) fn name(&self) -> &str {
        self.topic.name.as_str()
    }

    pub(super) const fn credit_mut(&mut self) -> &mut u32 {
        &mut self.credit
    }

    /// The answer to the subscribe, then frames of messages; pending without credit.
    pub(super) fn poll(&mut self, context: &mut TaskContext<'_>) -> Poll<FeedOutcome> {
        if let Some(starting) = &mut self.starting {
            let found = ready!(starting.as_mut().poll(context));
            self.starting = None;
            return Poll::Ready(self.on_started(found));
        }
        loop {
            if self.credit == 0 {
                self.rest();
                return Poll::Pending;
            }
            while let Some(slot) = self.idle.pop() {
                self.read(slot);
            }
            let Some((slot, read)) = ready!(self.reads.poll_next_unpin(context)) else { return Poll::Pending };
            self.idle.push(slot);
            if let Some(outcome) = self.on_read(slot, read) {
                return Poll::Ready(outcome);
            }
            if self.filter.is_some() {
                // What was read held nothing for the client: others have their turn before the next is looked through.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// Without credit nothing is read.
    fn rest(&mut self) {
        if self.idle.len() < self.positions.len() {
            self.reads.clear();
            self.idle = (0..self.positions.len()).collect();
        }
    }

    fn on_started(&mut self, found: Result<Vec<Offset>, Failure>) -> FeedOutcome {
        let reference = self.reference.take();
        match found {
            Ok(positions) => {
                self.idle = (0..positions.len()).collect();
                self.positions = positions;
                FeedOutcome::Event(FeedEvent::Frame(frames::subscribed(reference)))
            }
            Err(failure) => FeedOutcome::Ended(reference, failure),
        }
    }

    fn read(&mut self, slot: usize) {
        let Some(from) = self.positions.get(slot) else { return };
        let read = ReadRequest {
            from: ReadFrom::Offset(*from),
            bytes_max: limits::WEBSOCKET_READ_BATCH_BYTES,
            wait: limits::WEBSOCKET_REFRESH_INTERVAL,
        };
        let (context, partition) = (Rc::clone(&self.context), self.partition(slot));
        self.reads.push(Box::pin(async move {
            loop {
                match context.shards.read(partition, read).await {
                    Err(ReadError::Unavailable(PartitionUnavailable::Overloaded)) => {
                        Timer::new(limits::WEBSOCKET_RETRY_PAUSE).await;
                    }
                    answered => return (slot, answered),
                }
            }
        }));
    }

    fn on_read(&mut self, slot: usize, read: Result<ReadReply, ReadError>) -> Option<FeedOutcome> {
        let sent = match read {
            Ok(reply) => self.encode(slot, &reply),
            Err(error) => Err(error::of_read(&error)),
        };
        match sent.and_then(|sent| self.refresh().map(|()| sent)) {
            Ok(sent) => sent.map(FeedOutcome::Event),
            Err(failure) => Some(FeedOutcome::Ended(None, failure)),
        }
    }

    /// A frame of what was read, as far as credit goes; `None` if there is nothing to say.
    fn encode(&mut self, slot: usize, reply: &ReadReply) -> Result<Option<FeedEvent>, Failure> {
        let source = Source { topic: self.topic.name.as_str(), partition: self.partition(slot).partition };
        let messages = self.credit.min(limits::WEBSOCKET_FRAME_MESSAGES_MAX);
        let bounds = ReadBounds {
            messages: usize::try_from(messages).unwrap_or_default(),
            json_bytes: limits::WEBSOCKET_FRAME_BYTES,
            filter: self.filter.as_ref(),
        };
        let mut frame = frames::open_messages("topic", self.topic.name.as_str());
        let end = append_read(&mut frame, source, (&reply.batches, reply.from), bounds).map_err(|error| {
            error::of_code(Code::DataCorrupt, format!("a batch from offset {} on can't be read: {error}", reply.from))
        })?;
        if let Some(position) = self.positions.get_mut(slot) {
            *position = end.next;
        }
        self.passed_over += end.passed_over;
        // Who waits long for a message gets a token now and then, so as not to have it all looked through again.
        if end.count == 0 && self.passed_over < limits::WEBSOCKET_PASSED_OVER_MAX {
            return Ok(None);
        }
        self.passed_over = 0;
        let count = u32::try_from(end.count).unwrap_or(u32::MAX);
        self.credit = self.credit.saturating_sub(count);
        frames::close_messages(&mut frame, Some(&self.token()));
        Ok(Some(FeedEvent::Messages { frame, count }))
    }

    /// Where the client may go on: behind all that it was sent.
    fn token(&self) -> String {
        let offsets = (0..).zip(&self.positions).map(|(index, offset)| (index, offset.get())).collect();
        CursorToken::new(self.topic.id.get(), offsets).map(|token| token.encode()).unwrap_or_default()
    }

    /// Looks whether the topic is still there, and reads new partitions from their beginning.
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

    fn partition(&self, slot: usize) -> TopicPartition {
        let index = u32::try_from(slot).unwrap_or(u32::MAX);
        TopicPartition::new(self.topic.id, PartitionIndex::new(index))
    }
}

/// Where each partition is to be read from. A partition that a cursor doesn't name is read from its beginning.
async fn find_positions(
    context: Rc<Context>,
    partitions: Vec<TopicPartition>,
    from: SubscribeFrom,
) -> Result<Vec<Offset>, Failure> {
    let (context, from) = (&context, &from);
    let ask = stream::iter(partitions)
        .map(|partition| async move {
            let index = partition.partition.get();
            if let SubscribeFrom::Cursor(token) = from
                && let Some(offset) = token.offset(index)
            {
                return Ok(Offset::new(offset));
            }
            let status = context.shards.status(partition).await.map_err(|error| error::of_unavailable(&error))?;
            let PartitionStatus { start_offset, high_watermark, .. } = status;
            Ok(if *from == SubscribeFrom::Latest { high_watermark } else { start_offset })
        })
        .buffered(limits::STATUS_REQUESTS_MAX)
        .try_collect();
    let found = deadline::within(limits::OPERATION_TIMEOUT, ask).await;
    found.unwrap_or_else(|| Err(error::of_code(Code::StoreUnavailable, "the partitions gave no answer in time")))
}
