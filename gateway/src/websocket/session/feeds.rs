//! All that is delivered over one connection, by the name of subscription or topic.

use std::{
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use gateway_api::{Code, frame::SubscribeFrom};
use raft::metadata::{Subscription, Topic};
use shard_core::delivery::Filter;

use super::{Local, credit::Credit, durable_feed::DurableFeed, frames, outgoing::Delivery, topic_feed::TopicFeed};
use crate::{
    auth::policy::Verb,
    context::Context,
    error::{self, Failure},
    limits,
    websocket::handshake::Subprotocol,
};

/// The feeds of a connection. They take turns, so that a busy one doesn't silence the others.
pub(super) struct Feeds {
    context: Rc<Context>,
    subprotocol: Subprotocol,
    open: Vec<Feed>,
    turn: usize,
}

/// What a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FeedName<'a> {
    /// A subscription.
    Subscription(&'a str),
    /// A topic, without a subscription.
    Topic(&'a str),
}

/// Something to send.
#[derive(Debug)]
pub(super) enum FeedEvent {
    /// Messages.
    Messages(Delivery),
    /// Another frame.
    Frame(Vec<u8>),
}

/// What a feed has to say.
#[derive(Debug)]
pub(super) enum FeedOutcome {
    /// Something to send.
    Event(FeedEvent),
    /// It can't go on; the reference is that of the subscribe, if that was not answered yet.
    Ended(Option<u64>, Failure),
}

enum Feed {
    Durable(DurableFeed),
    Topic(TopicFeed),
}

impl Feeds {
    pub(super) const fn new(context: Rc<Context>, subprotocol: Subprotocol) -> Self {
        Self { context, subprotocol, open: Vec::new(), turn: 0 }
    }

    /// Begins to deliver a subscription's messages.
    pub(super) fn subscribe(&mut self, subscription: &Arc<Subscription>, credit: u32) -> Result<(), Failure> {
        let feed = self.durable(subscription, credit)?;
        self.open.push(Feed::Durable(feed));
        Ok(())
    }

    /// Joins a subscription's group and begins to deliver the messages of the partitions that it assigns; the subscribe is
    /// answered when the consumer is a member.
    pub(super) fn join(
        &mut self,
        subscription: &Arc<Subscription>,
        credit: u32,
        consumer_id: Option<String>,
        reference: Option<u64>,
    ) -> Result<(), Failure> {
        let feed = self.durable(subscription, credit)?;
        self.open.push(Feed::Durable(feed.joining(consumer_id, reference)));
        Ok(())
    }

    /// Begins to deliver a topic's messages from a position on; the subscribe is answered when that is known.
    pub(super) fn read(
        &mut self,
        topic: &Arc<Topic>,
        from: &SubscribeFrom,
        (credit, filter): (u32, Option<Filter>),
        reference: Option<u64>,
    ) -> Result<(), Failure> {
        self.check_new(FeedName::Topic(topic.name.as_str()))?;
        if filter.is_some() && self.subprotocol == Subprotocol::Batch {
            return Err(error::invalid("filter", "batches are sent as they are stored: a filter needs pubsub.v1.json"));
        }
        let credit = Credit::new(credit)?;
        let feed = TopicFeed::start(Rc::clone(&self.context), Arc::clone(topic), from, reference)?;
        self.open.push(Feed::Topic(feed.with(credit, filter).in_frames_of(self.subprotocol)));
        Ok(())
    }

    /// Lets a feed send so many messages more.
    pub(super) fn add_credit(&mut self, name: FeedName<'_>, add: u32) -> Result<(), Failure> {
        let feed = self.open.iter_mut().find(|feed| feed.name() == name).ok_or_else(not_subscribed)?;
        feed.credit_mut().add(add)
    }

    /// Stops a feed; what it leased is delivered again, to others. A consumer that is a member of a group leaves it, which
    /// the future does.
    pub(super) fn unsubscribe(&mut self, name: FeedName<'_>) -> Result<Option<Local<()>>, Failure> {
        let at = self.open.iter().position(|feed| feed.name() == name).ok_or_else(not_subscribed)?;
        let feed = self.open.swap_remove(at);
        let leaving = feed.leave();
        feed.close();
        Ok(leaving)
    }

    /// Stops all feeds. If the client is `done`, it leaves the groups that it is a member of, which the futures do; else it
    /// keeps its partitions for a while.
    pub(super) fn close(&mut self, done: bool) -> Vec<Local<()>> {
        let leaving = if done { self.open.iter().filter_map(Feed::leave).collect() } else { Vec::new() };
        self.open.drain(..).for_each(Feed::close);
        leaving
    }

    /// What is read.
    pub(super) fn names(&self) -> impl Iterator<Item = FeedName<'_>> {
        self.open.iter().map(Feed::name)
    }

    /// Keeps the memberships of groups alive.
    pub(super) fn keep(&mut self, context: &mut TaskContext<'_>) {
        for feed in &mut self.open {
            match feed {
                Feed::Durable(feed) => feed.keep(context),
                Feed::Topic(_) => {}
            }
        }
    }

    /// The next thing to send. A feed without credit has none until it gets some.
    pub(super) fn poll_event(&mut self, context: &mut TaskContext<'_>) -> Poll<FeedEvent> {
        for _ in 0..self.open.len() {
            self.turn = (self.turn + 1).checked_rem(self.open.len()).unwrap_or_default();
            let Some(feed) = self.open.get_mut(self.turn) else { continue };
            match feed.poll(context) {
                Poll::Pending => {}
                Poll::Ready(FeedOutcome::Event(event)) => return Poll::Ready(event),
                Poll::Ready(FeedOutcome::Ended(reference, failure)) => {
                    let frame = frames::error(reference, &failure);
                    self.open.swap_remove(self.turn).close();
                    return Poll::Ready(FeedEvent::Frame(frame));
                }
            }
        }
        Poll::Pending
    }

    fn durable(&self, subscription: &Arc<Subscription>, credit: u32) -> Result<DurableFeed, Failure> {
        self.check_new(FeedName::Subscription(subscription.name.as_str()))?;
        let (context, subscription) = (Rc::clone(&self.context), Arc::clone(subscription));
        Ok(DurableFeed::new(context, subscription, Credit::new(credit)?, self.subprotocol))
    }

    fn check_new(&self, name: FeedName<'_>) -> Result<(), Failure> {
        if self.open.iter().any(|feed| feed.name() == name) {
            let field = match name {
                FeedName::Subscription(_) => "subscription",
                FeedName::Topic(_) => "topic",
            };
            return Err(error::invalid(field, "this connection is subscribed to it already"));
        }
        if self.open.len() >= limits::WEBSOCKET_FEEDS_MAX {
            let detail = format!("a connection has at most {} subscriptions", limits::WEBSOCKET_FEEDS_MAX);
            return Err(error::of_code(Code::TooMany, detail));
        }
        Ok(())
    }
}

impl<'a> FeedName<'a> {
    /// What was asked to get it.
    pub(super) const fn verb(self) -> (Verb, &'a str) {
        match self {
            Self::Subscription(name) => (Verb::SubscribeSubscription, name),
            Self::Topic(name) => (Verb::SubscribeTopic, name),
        }
    }
}

impl Feed {
    fn name(&self) -> FeedName<'_> {
        match self {
            Self::Durable(feed) => FeedName::Subscription(feed.name()),
            Self::Topic(feed) => FeedName::Topic(feed.name()),
        }
    }

    const fn credit_mut(&mut self) -> &mut Credit {
        match self {
            Self::Durable(feed) => feed.credit_mut(),
            Self::Topic(feed) => feed.credit_mut(),
        }
    }

    fn poll(&mut self, context: &mut TaskContext<'_>) -> Poll<FeedOutcome> {
        match self {
            Self::Durable(feed) => feed.poll(context),
            Self::Topic(feed) => feed.poll(context),
        }
    }

    fn leave(&self) -> Option<Local<()>> {
        match self {
            Self::Durable(feed) => feed.leave(),
            Self::Topic(_) => None,
        }
    }

    fn close(self) {
        match self {
            Self::Durable(feed) => feed.close(),
            // It leased nothing.
            Self::Topic(_) => {}
        }
    }
}

fn not_subscribed() -> Failure {
    error::of_code(Code::InvalidArgument, "this connection is not subscribed to it")
}
