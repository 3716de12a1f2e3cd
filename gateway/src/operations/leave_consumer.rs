//! `DELETE /v1/subscriptions/{subscription}/consumers/{consumer}`: a consumer leaves; its partitions go to others.

use gateway_api::Code;

use super::{deadline, find_subscription};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
    limits,
};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let state = context.metadata.state();
    let subscription = find_subscription(&state, call.route.name)?;
    let leave = context.groups.leave(subscription.id, call.route.item);
    match deadline::within(limits::OPERATION_TIMEOUT, leave).await {
        Some(left) => left.map(|()| Response::empty(204)).map_err(|error| error::of_group(&error)),
        None => Err(error::of_code(Code::Timeout, "the group gave no answer in time")),
    }
}
