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
    let (groups, consumer_id) = (&context.groups, call.route.item);
    let heartbeat = async {
        match request.generation {
            Some(adopted) => groups.heartbeat(subscription.id, consumer_id, adopted).await,
            None => groups.live(subscription.id, consumer_id).await,
        }
    };
    match deadline::within(limits::OPERATION_TIMEOUT, heartbeat).await {
        Some(heard) => json(200, &to_api(&heard.map_err(|error| error::of_group(&error))?)),
        None => Err(error::of_code(Code::Overloaded, "the group gave no answer in time")),
    }
}
