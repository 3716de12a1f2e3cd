//! Delivers a subscription's messages over a connection: leases no more than there is credit for.

use std::{
    collections::BTreeSet,
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
};

use gateway_api::Code;
use glommio::timer::Timer;
use raft::{Membership, metadata::Subscription};
use shard::{Claim, ConsumerId, PartitionSubscription};
use shard_core::model::{PartitionIndex, TopicPartition};

use super::{
    Local,
    credit::Credit,
    feeds::{FeedEvent, FeedOutcome},
    frames,
    leases::lease,
    outgoing::Delivery,
    seat::{GroupOf, Seat},
};
use crate::{
    context::Context,
    error::{self, Failure},
    limits,
    message_json::MessageForm,
    operations::{PullBounds, await_deliverable, cursors, deadline},
    websocket::handshake::Subprotocol,
};

/// A subscription as one connection consumes it.
pub(super) struct DurableFeed {
    context: Rc<Context>,
    subscription: Arc<Subscription>,
    consumer: ConsumerId,
    cursors: Vec<PartitionSubscription>,
    credit: Credit,
    subprotocol: Subprotocol,
    /// Where partitions are assigned.
    member: Option<Box<Member>>,
    step: Step,
    /// Whether the client was told of a failure, and nothing has succeeded since.
    troubled: bool,
}

/// A consumer that has partitions of its own.
struct Member {
    seat: Seat,
    /// Of the subscribe.
    reference: Option<u64>,
    /// Whether that was answered.
    answered: bool,
    /// How the membership stands; `None` until it has begun.
    membership: Option<Membership>,
    /// A frame that tells the client so.
    news: Option<Vec<u8>>,
    /// Where messages may be held, since they were this consumer's at some time.
    reached: BTreeSet<PartitionSubscription>,
    ended: Option<Failure>,
}

/// What the feed is doing.
enum Step {
    /// Nothing: it has no credit, or is about to pull.
    Idle,
    /// Leasing messages.
    Pulling(Local<Result<Option<Delivery>, Failure>>),
    /// Waiting until there may be some.
    Waiting(Local<Result<(), Failure>>),
}

impl DurableFeed {
    pub(super) fn new(
        context: Rc<Context>,
        subscription: Arc<Subscription>,
        credit: Credit,
        subprotocol: Subprotocol,
    ) -> Self {
        let consumer = context.core.next_consumer();
        let cursors = cursors(&context.metadata.state(), &subscription);
        let (member, step, troubled) = (None, Step::Idle, false);
        Self { context, subscription, consumer, cursors, credit, subprotocol, member, step, troubled }
    }

    /// The same for a member of the subscription's group, which it becomes first.
    pub(super) fn joining(mut self, consumer_id: Option<String>, reference: Option<u64>) -> Self {
        let group = GroupOf { subscription: self.subscription.id, topic: self.subscription.topic };
        let seat = Seat::take(Rc::clone(&self.context), group, consumer_id);
        let reached = BTreeSet::new();
        let member = Member { seat, reference, answered: false, membership: None, news: None, reached, ended: None };
        self.member = Some(Box::new(member));
        self.cursors.clear();
        self
    }

    pub(super) fn name(&self) -> &str {
        self.subscription.name.as_str()
    }

    pub(super) const fn credit_mut(&mut self) -> &mut Credit {
        &mut self.credit
    }

    /// Gives the group signs of life, and takes note of what it assigns.
    pub(super) fn keep(&mut self, context: &mut TaskContext<'_>) {
        let Some(member) = self.member.as_mut().filter(|member| member.ended.is_none()) else { return };
        match member.seat.poll(context) {
            Poll::Pending => {}
            Poll::Ready(Ok(membership)) => self.take_up(membership),
            Poll::Ready(Err(failure)) => member.ended = Some(failure),
        }
    }

    /// The next frame, mostly of messages; of those there are none without credit.
    pub(super) fn poll(&mut self, context: &mut TaskContext<'_>) -> Poll<FeedOutcome> {
        if let Some(outcome) = self.member.as_mut().and_then(|member| member.outcome()) {
            return Poll::Ready(outcome);
        }
        loop {
            match &mut self.step {
                // A member may have no partitions; it is told when that changes.
                Step::Idle if self.credit.available() == 0 || self.cursors.is_empty() => return Poll::Pending,
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
        let reached = self.member.map(|member| member.reached).unwrap_or_default();
        for cursor in self.cursors.iter().chain(&reached) {
            self.context.shards.release_consumer(*cursor, self.consumer);
        }
    }

    /// Ends the consumer's membership of the group, if it is a member of one.
    pub(super) fn leave(&self) -> Option<Local<()>> {
        let consumer_id = self.member.as_ref()?.membership.as_ref()?.consumer_id.clone();
        let (context, subscription) = (Rc::clone(&self.context), self.subscription.id);
        Some(Box::pin(async move {
            let leaving = context.groups.leave(subscription, &consumer_id);
            let left = deadline::within(limits::OPERATION_TIMEOUT, leaving).await;
            if left != Some(Ok(())) {
                tracing::debug!(%subscription, consumer_id, ?left, "a consumer's session has to end by itself");
            }
        }))
    }

    /// Pulls from what is assigned now, and from nothing else.
    fn take_up(&mut self, membership: Membership) {
        let Some(member) = &mut self.member else { return };
        let on = |partition: &PartitionIndex| PartitionSubscription {
            partition: TopicPartition::new(self.subscription.topic, *partition),
            subscription: self.subscription.id,
        };
        self.cursors = membership.partitions.iter().map(on).collect();
        member.reached.extend(&self.cursors);
        member.tell(self.subscription.name.as_str(), membership);
        // What it waits for may be elsewhere now.
        if matches!(self.step, Step::Waiting(_)) {
            self.step = Step::Idle;
        }
    }

    fn pull(&mut self) -> Step {
        self.refresh();
        let turn = usize::try_from(self.context.core.next_turn()).unwrap_or_default();
        let mut cursors = self.cursors.clone();
        let first = turn.checked_rem(cursors.len()).unwrap_or_default();
        cursors.rotate_left(first);
        let messages = self.credit.available().min(limits::WEBSOCKET_FRAME_MESSAGES_MAX);
        let claim = self.member.as_ref().and_then(|member| member.claim());
        let bounds = PullBounds {
            messages,
            bytes: limits::WEBSOCKET_FRAME_BYTES,
            consumer: self.consumer,
            claim,
            form: MessageForm::Message,
        };
        let (context, subscription) = (Rc::clone(&self.context), Arc::clone(&self.subscription));
        let subprotocol = self.subprotocol;
        Step::Pulling(Box::pin(async move { lease(&context, subscription, (cursors, bounds), subprotocol).await }))
    }

    /// Looks whether the topic has grown; where partitions are assigned, the group says so.
    fn refresh(&mut self) {
        if self.member.is_some() {
            return;
        }
        let state = self.context.metadata.state();
        let partitions = state.topic_by_id(self.subscription.topic).map_or(0, |topic| topic.partitions.len());
        if partitions > self.cursors.len() {
            self.cursors = cursors(&state, &self.subscription);
        }
    }

    fn on_pulled(&mut self, pulled: Result<Option<Delivery>, Failure>) -> Option<FeedOutcome> {
        match pulled {
            Ok(Some(delivery)) => {
                self.step = Step::Idle;
                self.troubled = false;
                self.credit.spend(delivery.count);
                Some(FeedOutcome::Event(FeedEvent::Messages(delivery)))
            }
            Ok(None) => {
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
        if failure.code == Code::ConsumerDisplaced {
            return Some(FeedOutcome::Ended(None, failure.clone()));
        }
        self.step = Step::Waiting(Box::pin(async {
            Timer::new(limits::WEBSOCKET_RETRY_PAUSE).await;
            Ok(())
        }));
        // The group will say what is assigned instead.
        let reassigned = self.member.is_some() && failure.code == Code::StaleGeneration;
        if reassigned || std::mem::replace(&mut self.troubled, true) {
            return None;
        }
        Some(FeedOutcome::Event(FeedEvent::Frame(frames::error(None, failure))))
    }
}

impl Member {
    /// What the client is to be told first.
    fn outcome(&mut self) -> Option<FeedOutcome> {
        if let Some(frame) = self.news.take() {
            self.answered = true;
            return Some(FeedOutcome::Event(FeedEvent::Frame(frame)));
        }
        // It is taken once, and then the feed is no more.
        let failure = self.ended.take()?;
        Some(FeedOutcome::Ended(self.reference.filter(|_| !self.answered), failure))
    }

    /// Takes note of how the membership stands.
    fn tell(&mut self, subscription: &str, membership: Membership) {
        self.news = Some(if self.answered {
            frames::assigned(subscription, &membership)
        } else {
            frames::joined(self.reference, &membership)
        });
        self.membership = Some(membership);
    }

    fn claim(&self) -> Option<Claim> {
        let membership = self.membership.as_ref()?;
        Some(Claim { consumer: ConsumerId(membership.member.get()), generation: membership.generation })
    }
}
