//! Consumers that have partitions of their own: what they call themselves, and what they may pull and ack.

use gateway_api::{Code, groups::Membership as Answer, limits as api_limits};
use raft::{
    Membership,
    metadata::{ClusterState, Subscription},
};
use shard::{Claim, ConsumerId, PartitionSubscription};

use super::resources::cursors;
use crate::{
    error::{self, Failure},
    limits,
};

/// What a request says of its consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StatedConsumer<'a> {
    pub(super) consumer_id: Option<&'a str>,
    pub(super) generation: Option<u64>,
}

/// A consumer of an assigned subscription, as the request states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KnownConsumer<'a> {
    pub(super) consumer_id: &'a str,
    pub(super) claim: Claim,
    /// The newest generation that the gateway knows of.
    pub(super) newest: u64,
}

impl<'a> StatedConsumer<'a> {
    /// Who it is; nobody in particular where messages are shared.
    ///
    /// # Errors
    /// Nothing is said where partitions are assigned, or something where they are not; or the consumer is no member of
    /// the group, or ahead of it.
    pub(super) fn find(
        self,
        state: &ClusterState,
        subscription: &Subscription,
    ) -> Result<Option<KnownConsumer<'a>>, Failure> {
        let Some(group) = state.group(subscription.id) else {
            return self.expect_nobody("the subscription's partitions are not assigned to consumers");
        };
        let needed =
            |field| error::invalid(field, "the subscription's partitions are assigned to consumers: join first");
        let consumer_id = self.consumer_id.ok_or_else(|| needed("consumer_id"))?;
        let generation = self.generation.ok_or_else(|| needed("generation"))?;
        let newest = group.generation();
        let member = group.member(consumer_id).ok_or_else(|| stale("the consumer is no member, or not any more"))?;
        if generation > newest {
            return Err(stale(format!("generation {newest} is the newest")));
        }
        let claim = Claim { consumer: ConsumerId(member.id.get()), generation };
        Ok(Some(KnownConsumer { consumer_id, claim, newest }))
    }

    /// Refuses a consumer where none belongs.
    pub(super) fn expect_nobody<T>(self, why: &str) -> Result<Option<T>, Failure> {
        match self {
            Self { consumer_id: Some(_), .. } => Err(error::invalid("consumer_id", why)),
            Self { generation: Some(_), .. } => Err(error::invalid("generation", why)),
            Self { consumer_id: None, generation: None } => Ok(None),
        }
    }
}

/// Where a consumer may pull: its own partitions, as far as it knows of them; all where messages are shared.
///
/// # Errors
/// The consumer has none of the partitions that it had in its generation.
pub(super) fn within_reach(
    state: &ClusterState,
    subscription: &Subscription,
    consumer: Option<KnownConsumer<'_>>,
) -> Result<Vec<PartitionSubscription>, Failure> {
    let mut cursors = cursors(state, subscription);
    let (Some(KnownConsumer { claim, newest, .. }), Some(group)) = (consumer, state.group(subscription.id)) else {
        return Ok(cursors);
    };
    cursors.retain(|cursor| {
        let assigned = group.assignment(cursor.partition.partition);
        assigned.is_some_and(|(member, since)| member.get() == claim.consumer.0 && since <= claim.generation)
    });
    if cursors.is_empty() && claim.generation < newest {
        return Err(stale(format!("nothing of generation {} is this consumer's any more", claim.generation)));
    }
    Ok(cursors)
}

/// Whether a consumer may call itself so.
pub(crate) fn check_consumer_id(consumer_id: &str) -> Result<(), Failure> {
    let max = api_limits::CONSUMER_ID_LENGTH_MAX;
    let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
    if consumer_id.is_empty() || consumer_id.len() > max || !consumer_id.bytes().all(fits) {
        let detail = format!("a consumer's id is 1 to {max} visible ASCII characters without `/`");
        return Err(error::invalid("consumer_id", detail));
    }
    Ok(())
}

/// A membership as clients see it.
pub(super) fn to_api(membership: &Membership) -> Answer {
    let interval = membership.session_timeout / limits::HEARTBEATS_PER_SESSION;
    Answer {
        consumer_id: membership.consumer_id.clone(),
        generation: membership.generation,
        partitions: membership.partitions.iter().map(|partition| partition.get()).collect(),
        heartbeat_interval_ms: u64::try_from(interval.as_millis()).unwrap_or(u64::MAX),
    }
}

fn stale(detail: impl Into<String>) -> Failure {
    error::of_code(Code::StaleGeneration, detail)
}
