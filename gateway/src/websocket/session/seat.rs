//! A consumer's place in a group for as long as it is connected: it joins, gives signs of life, and lets go of what is
//! taken from it once it holds nothing of that any more.

use std::{
    cell::Cell,
    rc::Rc,
    task::{Context as TaskContext, Poll},
    time::{Duration, Instant},
};

use glommio::timer::Timer;
use raft::{GroupError, Membership};
use shard::PartitionSubscription;
use shard_core::model::{PartitionIndex, SubscriptionId, TopicId, TopicPartition};

use super::Local;
use crate::{
    context::Context,
    error::{self, Failure},
    limits,
    operations::deadline,
};

/// The place in the group of a subscription, as its feed sees it. Dropping it ends the signs of life, not the membership.
pub(super) struct Seat {
    living: Local<Failure>,
    news: Rc<Cell<Option<Membership>>>,
}

/// A member and what it has to do.
struct Life {
    context: Rc<Context>,
    group: GroupOf,
    news: Rc<Cell<Option<Membership>>>,
    membership: Membership,
    /// The newest generation of which nothing is held that it took away.
    adopted: u64,
    /// What was taken away and may be held still.
    letting_go: Vec<PartitionIndex>,
    /// When that is let go of whatever is held of it, so that others needn't wait any longer.
    let_go_by: Instant,
    /// After this pause it is looked whether it is held still.
    look_after: Duration,
    beat_at: Instant,
}

/// Which group it is.
#[derive(Clone, Copy)]
pub(super) struct GroupOf {
    pub(super) subscription: SubscriptionId,
    pub(super) topic: TopicId,
}

impl Seat {
    /// Joins the group; a consumer that is a member under this id goes on being it.
    pub(super) fn take(context: Rc<Context>, group: GroupOf, consumer_id: Option<String>) -> Self {
        let news = Rc::new(Cell::new(None));
        let living = live(context, group, consumer_id, Rc::clone(&news));
        Self { living: Box::pin(living), news }
    }

    /// The membership when it has begun and each time that it has changed; a failure when it is over for good, after which
    /// it is not to be asked again. It has to be polled for signs of life to be given.
    pub(super) fn poll(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<Membership, Failure>> {
        if let Poll::Ready(failure) = self.living.as_mut().poll(context) {
            return Poll::Ready(Err(failure));
        }
        self.news.take().map_or(Poll::Pending, |membership| Poll::Ready(Ok(membership)))
    }
}

async fn live(
    context: Rc<Context>,
    group: GroupOf,
    consumer_id: Option<String>,
    news: Rc<Cell<Option<Membership>>>,
) -> Failure {
    let joined = context.groups.join(group.subscription, consumer_id).await;
    let membership = match joined {
        Ok(membership) => membership,
        Err(error) => return error::of_group(&error),
    };
    let mut life = Life::new(context, group, news, membership);
    loop {
        if let Err(error) = life.go_on().await {
            return error::of_group(&error);
        }
    }
}

impl Life {
    fn new(context: Rc<Context>, group: GroupOf, news: Rc<Cell<Option<Membership>>>, membership: Membership) -> Self {
        let now = Instant::now();
        news.set(Some(membership.clone()));
        Self {
            context,
            group,
            news,
            adopted: membership.generation,
            letting_go: Vec::new(),
            let_go_by: now,
            look_after: limits::LET_GO_LOOK_MIN,
            beat_at: now + membership.session_timeout / limits::HEARTBEATS_PER_SESSION,
            membership,
        }
    }

    /// Waits for a new generation or until something is to be done, and does it.
    ///
    /// # Errors
    /// There is no going on.
    async fn go_on(&mut self) -> Result<(), GroupError> {
        let mut left = self.beat_at.saturating_duration_since(Instant::now());
        if !self.letting_go.is_empty() {
            left = left.min(self.look_after);
        }
        let Membership { consumer_id, generation, .. } = &self.membership;
        let changed = self.context.groups.changed(self.group.subscription, consumer_id, *generation);
        match deadline::within(left, changed).await {
            Some(Ok(next)) => self.change(next),
            Some(Err(error)) => self.recover(error).await?,
            None => {}
        }
        if !self.letting_go.is_empty() {
            self.let_go().await;
        }
        if Instant::now() >= self.beat_at {
            self.beat().await?;
        }
        Ok(())
    }

    /// Gives a sign of life, and says which generation is adopted.
    async fn beat(&mut self) -> Result<(), GroupError> {
        if self.letting_go.is_empty() {
            self.adopted = self.membership.generation;
        }
        let interval = self.membership.session_timeout / limits::HEARTBEATS_PER_SESSION;
        self.beat_at = Instant::now() + interval;
        let heartbeat =
            self.context.groups.heartbeat(self.group.subscription, &self.membership.consumer_id, self.adopted);
        match deadline::within(interval, heartbeat).await {
            Some(Ok(next)) if next.generation > self.membership.generation => self.change(next),
            Some(Ok(_)) | None => {}
            Some(Err(error)) => {
                self.beat_at = Instant::now() + interval / limits::HEARTBEATS_PER_SESSION;
                self.recover(error).await?;
            }
        }
        Ok(())
    }

    /// The membership stands anew. What is not in it any more is to be let go of.
    fn change(&mut self, next: Membership) {
        if self.letting_go.is_empty() {
            // In time for those that wait, and before the group takes it for a consumer that does not answer.
            self.let_go_by = Instant::now() + next.session_timeout / 2;
            self.look_after = limits::LET_GO_LOOK_MIN;
        }
        self.letting_go.append(&mut self.membership.partitions);
        self.letting_go.retain(|partition| !next.partitions.contains(partition));
        self.membership = next;
        self.news.set(Some(self.membership.clone()));
    }

    /// Adopts the generation if nothing is held any more of what it took away, or if that takes too long.
    async fn let_go(&mut self) {
        if Instant::now() < self.let_go_by && self.holds_any().await {
            self.look_after = (self.look_after * 2).min(limits::LET_GO_LOOK_MAX);
            return;
        }
        self.letting_go.clear();
        self.beat_at = Instant::now();
    }

    /// Whether messages of what was taken away are in the consumer's hands.
    async fn holds_any(&self) -> bool {
        for partition in &self.letting_go {
            let partition = TopicPartition::new(self.group.topic, *partition);
            let cursor = PartitionSubscription { partition, subscription: self.group.subscription };
            // A partition that can't say has none to give to others either.
            if self.context.shards.cursor_status(cursor).await.is_ok_and(|status| status.leased > 0) {
                return true;
            }
        }
        false
    }

    /// Goes on after a request that was not done: who is no member any more joins again.
    async fn recover(&mut self, error: GroupError) -> Result<(), GroupError> {
        let error = if error == GroupError::UnknownConsumer {
            let consumer_id = self.membership.consumer_id.clone();
            match self.context.groups.join(self.group.subscription, Some(consumer_id)).await {
                Ok(membership) => {
                    let (context, news) = (Rc::clone(&self.context), Rc::clone(&self.news));
                    *self = Self::new(context, self.group, news, membership);
                    return Ok(());
                }
                Err(error) => error,
            }
        } else {
            error
        };
        match error {
            GroupError::UnknownConsumer
            | GroupError::Overloaded
            | GroupError::Stopping
            | GroupError::Unknown { .. } => {
                let pause = self.membership.session_timeout / limits::HEARTBEATS_PER_SESSION;
                Timer::new(pause.min(limits::WEBSOCKET_RETRY_PAUSE)).await;
                Ok(())
            }
            GroupError::NotAssigned
            | GroupError::SubscriptionNotFound
            | GroupError::TooManyMembers { .. }
            | GroupError::InvalidConsumerId { .. } => Err(error),
        }
    }
}
