//! `PATCH /v1/subscriptions/{subscription}`: changes a subscription's configuration.

use gateway_api::{decode::decode, subscriptions::SubscriptionSettings};
use raft::metadata::{Change, Command};

use super::{find_subscription, find_topic, get_subscription, outcomes, preconditions, subscription_config};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let settings: SubscriptionSettings = decode(call.request.body()).map_err(error::of_decode)?;
    let state = context.metadata.state();
    let subscription = find_subscription(&state, call.route.name)?;
    let patch = subscription_config::patch_of_settings(&settings, subscription, context.config.push)?;
    if let Change::Set(Some(dead_letters)) = &patch.dead_letter_topic {
        find_topic(&state, dead_letters.as_str())?;
    }
    let expected_revision = preconditions::expected_revision(call.request, subscription.revision)?;
    let command = Command::UpdateSubscription { name: subscription.name.clone(), expected_revision, patch };
    let (subscription, status) = outcomes::subscription(outcomes::propose(context, command).await?)?;
    get_subscription::answer(context, &context.metadata.state(), &subscription, status).await
}
