//! Delivers a topic's messages over a connection without a subscription: from a position on, each partition in order.

use std::{
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
};

use gateway_api::frame::SubscribeFrom;
use raft::metadata::Topic;
use shard_core::delivery::Filter;

use super::{
    Local,
    credit::Credit,
    feeds::{FeedEvent, FeedOutcome},
    frames,
    outgoing::{Delivery, Outgoing},
    topic_frames::{self, TopicFrames},
};
use crate::{
    context::Context,
    error::Failure,
    limits,
    topic_reader::{PartitionRead, ReadStart, TopicReader, find_positions},
    websocket::handshake::Subprotocol,
};

/// A topic as one connection reads it.
pub(super) struct TopicFeed {
    context: Rc<Context>,
    topic: Arc<Topic>,
    /// Of the subscribe, until that is answered.
    reference: Option<u64>,
    credit: Credit,
    subprotocol: Subprotocol,
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
        let (read, reads) = (Arc::clone(&topic), Rc::clone(&context));
        let starting = Box::pin(async move {
            let positions = find_positions(&reads, &read, &start).await?;
            Ok(TopicReader::new(reads, read, positions))
        });
        let (credit, subprotocol, stage) = (Credit::default(), Subprotocol::default(), Stage::Starting(starting));
        Ok(Self { context, topic, reference, credit, subprotocol, filter: None, passed_over: 0, stage })
    }

    /// The same with credit to begin with, and for the messages that a filter lets through.
    pub(super) fn with(self, credit: Credit, filter: Option<Filter>) -> Self {
        Self { credit, filter, ..self }
    }

    /// The same in frames of this subprotocol.
    pub(super) fn in_frames_of(self, subprotocol: Subprotocol) -> Self {
        Self { subprotocol, ..self }
    }

    pub(super) fn name(&self) -> &str {
        self.topic.name.as_str()
    }

    pub(super) const fn credit_mut(&mut self) -> &mut Credit {
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
        if self.credit.available() == 0 {
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
        let delivery = match self.subprotocol {
            Subprotocol::Batch => topic_frames::batches(reader, read, self.credit.available()),
            Subprotocol::Json => {
                let frames = TopicFrames { core: &self.context.core, filter: self.filter.as_ref() };
                let messages = frames.encode(reader, read, self.credit.available())?;
                reader.go_on(read, messages.end.next);
                self.passed_over += messages.end.passed_over;
                let count = u32::try_from(messages.end.count).unwrap_or(u32::MAX);
                // Who waits long for a message gets a token now and then, so as not to have it all looked through again.
                let is_due = count > 0 || self.passed_over >= limits::TOPIC_PASSED_OVER_MAX;
                is_due.then(|| {
                    self.passed_over = 0;
                    let end = frames::close_messages(Some(&reader.token()));
                    Delivery { frame: Outgoing::Shared { messages, end }, count }
                })
            }
        };
        Ok(delivery.map(|delivery| {
            self.credit.spend(delivery.count);
            FeedEvent::Messages(delivery)
        }))
    }
}
