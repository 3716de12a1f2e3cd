//! Pauses a subscription whose endpoint is gone: durably, so that it stays so over restarts.

use std::sync::Arc;

use raft::{
    ProposeError,
    metadata::{Change, Command, PushPatch, PushPause, Refusal, Subscription, SubscriptionPatch},
};
use tokio::time::sleep;

use super::Shared;
use crate::limits;

/// Pauses the subscription unless it was changed since. What can't be written now is tried again a few times; after
/// that the pause holds only until the node restarts, or the endpoint says so again.
pub(super) async fn pause(shared: Arc<Shared>, subscription: Arc<Subscription>) {
    let name = subscription.name.as_str();
    for _ in 0..limits::PUSH_PAUSE_TRIES {
        match shared.metadata.propose(command(&subscription)).await {
            Ok(_) | Err(ProposeError::NotPublished { .. }) => {
                tracing::warn!(subscription = name, "paused: its endpoint answered that it is gone");
                return;
            }
            Err(ProposeError::Refused(Refusal::RevisionMismatch { .. } | Refusal::SubscriptionNotFound)) => return,
            Err(error) => tracing::debug!(subscription = name, %error, "it can't be paused yet"),
        }
        sleep(limits::PUSH_PAUSE_RETRY).await;
    }
    tracing::error!(subscription = name, "its endpoint is gone, and the pause could not be written down");
}

fn command(subscription: &Subscription) -> Command {
    Command::UpdateSubscription {
        name: subscription.name.clone(),
        expected_revision: Some(subscription.revision),
        patch: SubscriptionPatch {
            push: PushPatch { paused: Change::Set(Some(PushPause::Gone)), ..PushPatch::default() },
            ..SubscriptionPatch::default()
        },
    }
}
