//! `GET /v1/subscriptions`: subscriptions by name, in pages.

use std::sync::Arc;

use gateway_api::subscriptions::SubscriptionSummary;
use raft::metadata::{Resource, Subscription};

use super::{json, page::PageRequest, subscription_config};
use crate::{call::Call, context::Context, error::Failure, http::response::Response};

pub(super) fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let request = PageRequest::of(call.request)?;
    let state = context.metadata.state();
    let seen = |subscription: &&Arc<Subscription>| call.caller.sees(Resource::Subscription(subscription.name.as_str()));
    let summaries = state.subscriptions_after(&request.after).filter(seen).map(|subscription| SubscriptionSummary {
        name: subscription.name.as_str().to_owned(),
        config: subscription_config::to_api(subscription),
    });
    json(200, &request.cut(summaries, |summary| &summary.name))
}
