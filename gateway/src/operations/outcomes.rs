//! What a change of the metadata made, and the status it is answered with.

use std::sync::Arc;

use gateway_api::Code;
use raft::metadata::{Command, Outcome, Subscription, Topic};

use crate::{
    context::Context,
    error::{self, Failure},
};

/// Proposes a change; answered when it holds.
pub(super) async fn propose(context: &Context, command: Command) -> Result<Outcome, Failure> {
    context.metadata.propose(command).await.map_err(|error| error::of_propose(&error))
}

/// The topic that a command made or changed.
pub(super) fn topic(outcome: Outcome) -> Result<(Arc<Topic>, u16), Failure> {
    if let Outcome::TopicCreated(topic) = outcome {
        return Ok((topic, 201));
    }
    if let Outcome::TopicUnchanged(topic) | Outcome::TopicUpdated(topic) = outcome {
        return Ok((topic, 200));
    }
    Err(unexpected(&outcome))
}

/// The subscription that a command made or changed.
pub(super) fn subscription(outcome: Outcome) -> Result<(Arc<Subscription>, u16), Failure> {
    if let Outcome::SubscriptionCreated(subscription) = outcome {
        return Ok((subscription, 201));
    }
    if let Outcome::SubscriptionUnchanged(subscription) | Outcome::SubscriptionUpdated(subscription) = outcome {
        return Ok((subscription, 200));
    }
    Err(unexpected(&outcome))
}

/// An outcome that the command can't have.
pub(super) fn unexpected(outcome: &Outcome) -> Failure {
    error::of_code(Code::Internal, format!("a command had the outcome of another one: {outcome:?}"))
}
