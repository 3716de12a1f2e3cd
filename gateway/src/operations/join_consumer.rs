//! `POST /v1/subscriptions/{subscription}/consumers`: a consumer becomes a member of the group, or stays one.

use gateway_api::{Code, decode::decode, groups::JoinRequest};

use super::{
    consumers::{check_consumer_id, to_api},
    deadline, find_subscription, json,
};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
    limits,
};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let body = call.request.body();
    let request: JoinRequest =
        if body.is_empty() { JoinRequest::default() } else { decode(body).map_err(error::of_decode)? };
    request.consumer_id.as_deref().map_or(Ok(()), check_consumer_id)?;
    let state = context.metadata.state();
    let subscription = find_subscription(&state, call.route.name)?;
    let join = context.groups.join(subscription.id, request.consumer_id);
    match deadline::within(limits::OPERATION_TIMEOUT, join).await {
        Some(joined) => json(201, &to_api(&joined.map_err(|error| error::of_group(&error))?)),
        None => Err(error::of_code(Code::Timeout, "the group gave no answer in time")),
    }
}
