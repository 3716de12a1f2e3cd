//! `PUT /v1/subscriptions/{subscription}/consumers/{consumer}/heartbeat`: a consumer lives, and says what it has adopted.

use gateway_api::{Code, decode::decode, groups::HeartbeatRequest};

use super::{consumers::to_api, deadline, find_subscription, json};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
    limits,
};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let body = call.request.body();
    let request: HeartbeatRequest =
        if body.is_empty() { HeartbeatRequest::default() } else { decode(body).map_err(error::of_decode)? };
    let state = context.metadata.state();
    let subscription = find_subscription(&state, call.route.name)?;
    let heartbeat = context.groups.heartbeat(subscription.id, call.route.item, request.generation.unwrap_or_default());
    match deadline::within(limits::OPERATION_TIMEOUT, heartbeat).await {
        Some(heard) => json(200, &to_api(&heard.map_err(|error| error::of_group(&error))?)),
        None => Err(error::of_code(Code::Overloaded, "the group gave no answer in time")),
    }
}
