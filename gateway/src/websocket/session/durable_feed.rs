//! Delivers a subscription's messages over a connection: leases no more than there is credit for.

use std::{
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
};

use gateway_api::Code;
use glommio::timer::Timer;
use raft::metadata::Subscription;
use shard::{ConsumerId, PartitionSubscription};
use shard_core::model::TopicPartition;

use super::{
    Local,
    feeds::{FeedEvent, FeedOutcome},
    frames,
};
use crate::{
    context::Context,
    error::{self, Failure},
    limits,
    operations::{PullBounds, PullPage, await_deliverable, cursors, deadline},
};

/// A subscription as one connection consumes it.
pub(super) struct DurableFeed {
    context: Rc<Context>,
    subscription: Arc<Subscription>,
    consumer: ConsumerId,
    cursors: Vec<PartitionSubscription>,
    credit: u32,
    step: Step,
    /// Whether the client was told of a failure, and nothing has succeeded since.
    troubled: bool,
}

/// What the feed is doing.
enum Step {
    /// Nothing: it has no credit, or is about to pull.
    Idle,
    /// Leasing messages.
    Pulling(Local<Result<PullPage, Failure>>),
    /// Waiting until there may be some.
    Waiting(Local<Result<(), Failure>>),
}

impl DurableFeed {
    pub(super) fn new(context: Rc<Context>, subscription: Arc<Subscription>, credit: u32) -> Self {
        let consumer = context.core.next_consumer();
        let cursors = cursors(&context.metadata.state(), &subscription);
        Self { context, subscription, consumer, cursors, credit, step: Step::Idle, troubled: false }
    }

    pub(super) fn name(&self) -> &str {
        self.subscription.name.as_str()
    }

    pub(super) const fn credit_mut(&mut self) -> &mut u32 {
        &mut self.credit
    }

    /// The next frame of messages; pending without credit.
    pub(super) fn poll(&mut self, context: &mut TaskContext<'_>) -> Poll<FeedOutcome> {
        loop {
            match &mut self.step {
                Step::Idle if self.credit == 0 => return Poll::Pending,
                Step::Idle => self.step = self.pull(),
                Step::Pulling(pulling) => {
                    let pulled = ready!(pulling.as_mut().poll(context));
                    if let Some(outcome) = self.on_pulled(pulled) {
                        return Poll::Ready(outcome);
                    }
                }
                Step::Waiting(waiting) => {
                    let waited = ready!(waiting.as_mut().poll(context));
                    self.step = Step::Idle;
                    if let Some(outcome) = waited.err().and_then(|failure| self.on_failure(&failure)) {
                        return Poll::Ready(outcome);
                    }
                }
            }
        }
    }

    /// Gives back what was leased over this connection.
    pub(super) fn close(self) {
        // A pull on its way is dropped first: its leases are given back by the shard, as nobody takes them.
        drop(self.step);
        for cursor in &self.cursors {
            self.context.shards.release_consumer(*cursor, self.consumer);
        }
    }

    fn pull(&mut self) -> Step {
        self.refresh();
        let turn = usize::try_from(self.context.core.next_turn()).unwrap_or_default();
        let mut cursors = self.cursors.clone();
        let first = turn.checked_rem(cursors.len()).unwrap_or_default();
        cursors.rotate_left(first);
        let messages = self.credit.min(limits::WEBSOCKET_FRAME_MESSAGES_MAX);
        let bounds = PullBounds { messages, bytes: limits::WEBSOCKET_FRAME_BYTES, consumer: self.consumer };
        let (context, subscription) = (Rc::clone(&self.context), Arc::clone(&self.subscription));
        Step::Pulling(Box::pin(async move {
            let opening = frames::open_messages("subscription", subscription.name.as_str());
            let mut page = PullPage::new(opening, bounds);
            page.fill(&context, subscription.topic_name.as_str(), &cursors).await?;
            Ok(page)
        }))
    }

    /// Looks whether the topic has grown.
    fn refresh(&mut self) {
        let state = self.context.metadata.state();
        let partitions = state.topic_by_id(self.subscription.topic).map_or(0, |topic| topic.partitions.len());
        if partitions > self.cursors.len() {
            self.cursors = cursors(&state, &self.subscription);
        }
    }

    fn on_pulled(&mut self, pulled: Result<PullPage, Failure>) -> Option<FeedOutcome> {
        match pulled {
            Ok(page) if page.count > 0 => {
                self.step = Step::Idle;
                self.troubled = false;
                self.credit = self.credit.saturating_sub(page.count);
                let PullPage { json: mut frame, count, .. } = page;
                frames::close_messages(&mut frame, None);
                Some(FeedOutcome::Event(FeedEvent::Messages { frame, count }))
            }
            Ok(_) => {
                self.step = self.wait();
                None
            }
            Err(failure) => {
                self.step = Step::Idle;
                self.on_failure(&failure)
            }
        }
    }

    /// Waits until a pull may give something, and from time to time looks all the same.
    fn wait(&self) -> Step {
        let (context, subscription) = (Rc::clone(&self.context), self.subscription.id);
        let partitions: Vec<TopicPartition> = self.cursors.iter().map(|cursor| cursor.partition).collect();
        Step::Waiting(Box::pin(async move {
            let wait = await_deliverable(&context, subscription, &partitions);
            match deadline::within(limits::WEBSOCKET_REFRESH_INTERVAL, wait).await {
                Some(Err(unavailable)) => Err(error::of_unavailable(&unavailable)),
                Some(Ok(())) | None => Ok(()),
            }
        }))
    }

    /// What is gone for good ends the feed; anything else is told once, and tried again after a pause.
    fn on_failure(&mut self, failure: &Failure) -> Option<FeedOutcome> {
        let is_gone = self.context.metadata.state().subscription_by_id(self.subscription.id).is_none();
        if is_gone || failure.code == Code::SubscriptionNotFound {
            let detail = format!("subscription {} is gone", self.name());
            return Some(FeedOutcome::Ended(None, error::of_code(Code::SubscriptionNotFound, detail)));
        }
        self.step = Step::Waiting(Box::pin(async {
            Timer::new(limits::WEBSOCKET_RETRY_PAUSE).await;
            Ok(())
        }));
        if std::mem::replace(&mut self.troubled, true) {
            return None;
        }
        Some(FeedOutcome::Event(FeedEvent::Frame(frames::error(None, failure))))
    }
}
