//! `POST /v1/subscriptions/{subscription}/extend`: messages that need more time.

use gateway_api::{consume::ExtendRequest, decode::decode, limits as api_limits};
use raft::metadata::Subscription;
use shard::AckAction;

use super::{
    acknowledge::{acknowledge, bounded_ms},
    find_subscription, json,
};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let request: ExtendRequest<'_> = decode(call.request.body()).map_err(error::of_decode)?;
    let state = context.metadata.state();
    let subscription = find_subscription(&state, call.route.name)?;
    let action = action(request.deadline_ms, subscription)?;
    let report = acknowledge(context, &state, subscription, action, &request.ack_ids).await?;
    json(200, &report.into_response(&request.ack_ids))
}

/// What an extension asks of the partitions: the subscription's own deadline if none is given.
pub(crate) fn action(deadline_ms: Option<u64>, subscription: &Subscription) -> Result<AckAction, Failure> {
    let millis = deadline_ms.unwrap_or(subscription.config.ack_deadline_ms);
    let deadline = bounded_ms("deadline_ms", millis, api_limits::ACK_DEADLINE_MS_MIN)?;
    Ok(AckAction::Extend { deadline })
}
