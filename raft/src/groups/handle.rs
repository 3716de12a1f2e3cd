//! A gateway's way to the coordinator of consumer groups.

use shard_core::model::SubscriptionId;
use tokio::sync::oneshot;

use super::{
    GroupError, MemberStatus, Membership,
    driver::{Call, Watch},
    request::{Answer, Answered, Request, Wish, check_consumer_id},
};

/// Speaks for consumers from any thread and any executor. Clones are cheap.
#[derive(Clone, Debug)]
pub struct GroupHandle {
    calls: flume::Sender<Call>,
}

impl GroupHandle {
    /// A handle without a coordinator behind it: everything is answered `Stopping`.
    #[must_use]
    pub fn detached() -> Self {
        let (calls, _) = flume::bounded(1);
        Self::new(calls)
    }

    pub(crate) const fn new(calls: flume::Sender<Call>) -> Self {
        Self { calls }
    }

    /// Makes a consumer a member; answers once the membership is durable, applied, and known to the shards of this node.
    /// One that is in session under this id goes on being the member that it was; with its next heartbeat it takes note of
    /// the generation that it is told. `None` is a new consumer, which gets an id.
    ///
    /// # Errors
    /// The variant says whether the consumer may have become a member all the same.
    pub async fn join(
        &self,
        subscription: SubscriptionId,
        consumer_id: Option<String>,
    ) -> Result<Membership, GroupError> {
        let consumer_id = consumer_id.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
        check_consumer_id(&consumer_id)?;
        self.membership(subscription, Wish::Join { consumer_id: consumer_id.into() }).await
    }

    /// The consumer lives, and has taken note of generation `adopted`: it uses nothing any more that was taken from it up
    /// to then. Answers how its membership stands now.
    ///
    /// # Errors
    /// `UnknownConsumer` if it is no member, or not any more.
    pub async fn heartbeat(
        &self,
        subscription: SubscriptionId,
        consumer_id: &str,
        adopted: u64,
    ) -> Result<Membership, GroupError> {
        self.membership(subscription, Wish::Heartbeat { consumer_id: consumer_id.into(), adopted }).await
    }

    /// The consumer lives, and has taken note of what it was answered last, by a join or by another sign of life: it uses
    /// nothing any more that was missing from that. After a restart nobody knows what that was, and nothing is let go of.
    ///
    /// # Errors
    /// `UnknownConsumer` if it is no member, or not any more.
    pub async fn live(&self, subscription: SubscriptionId, consumer_id: &str) -> Result<Membership, GroupError> {
        self.membership(subscription, Wish::Live { consumer_id: consumer_id.into() }).await
    }

    /// Ends a membership; answers once that is durable, applied, and known to the shards of this node.
    ///
    /// # Errors
    /// `UnknownConsumer` if it was no member.
    pub async fn leave(&self, subscription: SubscriptionId, consumer_id: &str) -> Result<(), GroupError> {
        match self.ask(subscription, Wish::Leave { consumer_id: consumer_id.into() }).await? {
            Answer::Left => Ok(()),
            Answer::Member(_) | Answer::Described(_) => Err(other_answer()),
        }
    }

    /// Waits until the group's generation is above `known`, and answers how the membership stands then. It is no sign of
    /// life. Dropping the future is safe.
    ///
    /// # Errors
    /// `UnknownConsumer` once it is no member any more.
    pub async fn changed(
        &self,
        subscription: SubscriptionId,
        consumer_id: &str,
        known: u64,
    ) -> Result<Membership, GroupError> {
        let (reply, answer) = oneshot::channel();
        self.send(Call::Watch(Watch { subscription, consumer_id: consumer_id.into(), known, reply }))?;
        answer.await.unwrap_or(Err(GroupError::Stopping))
    }

    /// Every member, with the time since its last sign of life.
    ///
    /// # Errors
    /// There is no such group, or too much is waiting.
    pub async fn members(&self, subscription: SubscriptionId) -> Result<Vec<MemberStatus>, GroupError> {
        match self.ask(subscription, Wish::Describe).await? {
            Answer::Described(members) => Ok(members),
            Answer::Member(_) | Answer::Left => Err(other_answer()),
        }
    }

    async fn membership(&self, subscription: SubscriptionId, what: Wish) -> Result<Membership, GroupError> {
        match self.ask(subscription, what).await? {
            Answer::Member(membership) => Ok(membership),
            Answer::Left | Answer::Described(_) => Err(other_answer()),
        }
    }

    async fn ask(&self, subscription: SubscriptionId, what: Wish) -> Answered {
        let (reply, answer) = oneshot::channel();
        self.send(Call::Ask { request: Request { subscription, what }, reply })?;
        answer.await.unwrap_or_else(|_| Err(GroupError::Unknown { reason: "the coordinator stopped".to_owned() }))
    }

    fn send(&self, call: Call) -> Result<(), GroupError> {
        self.calls.try_send(call).map_err(|refused| match refused {
            flume::TrySendError::Full(_) => GroupError::Overloaded,
            flume::TrySendError::Disconnected(_) => GroupError::Stopping,
        })
    }
}

/// A coordinator of another version might say so.
fn other_answer() -> GroupError {
    GroupError::Unknown { reason: "the coordinator answered another question".to_owned() }
}
