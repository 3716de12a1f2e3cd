//! `PUT /v1/subscriptions/{subscription}`: creates a subscription; the same again is no error.

use gateway_api::{decode::decode, subscriptions::SubscriptionSettings};
use raft::metadata::Command;
use shard_core::model::{SubscriptionName, TopicName};

use super::{created_at, find_topic, get_subscription, outcomes, subscription_config};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
    quota,
};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let name = SubscriptionName::new(call.route.name).map_err(error::of_name)?;
    let settings: SubscriptionSettings = decode(call.request.body()).map_err(error::of_decode)?;
    let topic = settings.topic.as_deref().ok_or_else(|| error::invalid("topic", "a subscription needs its topic"))?;
    let topic = TopicName::new(topic).map_err(error::of_name)?;
    let config = subscription_config::of_settings(&settings, context.config.push)?;
    if let Some(dead_letters) = &config.dead_letter_topic {
        find_topic(&context.metadata.state(), dead_letters.as_str())?;
    }
    quota::create_subscription(context, call.caller, call.route.name)?;
    let command = Command::CreateSubscription { name, topic, config, created_at: created_at() };
    let (subscription, status) = outcomes::subscription(outcomes::propose(context, command).await?)?;
    get_subscription::answer(context, &context.metadata.state(), &subscription, status).await
}
