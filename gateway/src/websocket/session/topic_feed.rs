//! Delivers a topic's messages over a connection without a subscription: from a position on, each partition in order.

use std::{
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
};

use gateway_api::{Code, frame::SubscribeFrom};
use raft::metadata::Topic;
use shard_core::delivery::Filter;

use super::{
    Local,
    feeds::{FeedEvent, FeedOutcome},
    frames,
};
use crate::{
    context::Context,
    error::{self, Failure},
    limits,
    operations::{ReadBounds, append_read},
    topic_reader::{PartitionRead, ReadStart, TopicReader, find_positions},
};

/// A topic as one connection reads it.
pub(super) struct TopicFeed {
    topic: Arc<Topic>,
    /// Of the subscribe, until that is answered.
    reference: Option<u64>,
    credit: u32,
    /// Which messages are sent; all if none.
    filter: Option<Filter>,
    /// How many messages were passed over since a token was sent.
    passed_over: u64,
    stage: Stage,
}

enum Stage {
    /// It is being found out where each partition is to be read from.
    Starting(Local<Result<TopicReader, Failure>>),
    Reading(TopicReader),
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
        let start = ReadStart::from(from.clone());
        start.check(&topic)?;
        let read = Arc::clone(&topic);
        let starting = Box::pin(async move {
            let positions = find_positions(&context, &read, &start).await?;
            Ok(TopicReader::new(context, read, positions))
        });
        Ok(Self { topic, reference, credit: 0, filter: None, passed_over: 0, stage: Stage::Starting(starting) })
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
        let reader = match &mut self.stage {
            Stage::Starting(starting) => {
                let found = ready!(starting.as_mut().poll(context));
                return Poll::Ready(self.on_started(found));
            }
            Stage::Reading(reader) => reader,
        };
        if self.credit == 0 {
            reader.rest();
            return Poll::Pending;
        }
        loop {
            let Stage::Reading(reader) = &mut self.stage else { return Poll::Pending };
            let read = ready!(reader.poll(context));
            match read.and_then(|read| self.encode(&read)) {
                Ok(Some(event)) => return Poll::Ready(FeedOutcome::Event(event)),
                Ok(None) => {}
                Err(failure) => return Poll::Ready(FeedOutcome::Ended(None, failure)),
            }
            if self.filter.is_some() {
                // What was read held nothing for the client: others have their turn before the next is looked through.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn on_started(&mut self, found: Result<TopicReader, Failure>) -> FeedOutcome {
        let reference = self.reference.take();
        match found {
            Ok(reader) => {
                self.stage = Stage::Reading(reader);
                FeedOutcome::Event(FeedEvent::Frame(frames::subscribed(reference)))
            }
            Err(failure) => FeedOutcome::Ended(reference, failure),
        }
    }

    /// A frame of what was read, as far as credit goes; `None` if there is nothing to say.
    fn encode(&mut self, read: &PartitionRead) -> Result<Option<FeedEvent>, Failure> {
        let Stage::Reading(reader) = &mut self.stage else { return Ok(None) };
        let messages = self.credit.min(limits::WEBSOCKET_FRAME_MESSAGES_MAX);
        let bounds = ReadBounds {
            messages: usize::try_from(messages).unwrap_or_default(),
            bytes: limits::WEBSOCKET_FRAME_BYTES,
            filter: self.filter.as_ref(),
        };
        let mut frame = frames::open_messages("topic", self.topic.name.as_str());
        let (reply, source) = (&read.reply, reader.source(read));
        let end = append_read(&mut frame, source, (&reply.batches, reply.from), bounds).map_err(|error| {
            error::of_code(Code::DataCorrupt, format!("a batch from offset {} on can't be read: {error}", reply.from))
        })?;
        reader.go_on(read, end.next);
        self.passed_over += end.passed_over;
        // Who waits long for a message gets a token now and then, so as not to have it all looked through again.
        if end.count == 0 && self.passed_over < limits::TOPIC_PASSED_OVER_MAX {
            return Ok(None);
        }
        self.passed_over = 0;
        let count = u32::try_from(end.count).unwrap_or(u32::MAX);
        self.credit = self.credit.saturating_sub(count);
        frames::close_messages(&mut frame, Some(&reader.token()));
        Ok(Some(FeedEvent::Messages { frame, count }))
    }
}
