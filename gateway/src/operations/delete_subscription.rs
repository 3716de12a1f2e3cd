//! `DELETE /v1/subscriptions/{subscription}`: deletes a subscription; its topic keeps its messages.

use raft::metadata::Command;

use super::{find_subscription, outcomes, preconditions};
use crate::{call::Call, context::Context, error::Failure, http::response::Response};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let state = context.metadata.state();
    let subscription = find_subscription(&state, call.route.name)?;
    let expected_revision = preconditions::expected_revision(call.request, subscription.revision)?;
    let command = Command::DeleteSubscription { name: subscription.name.clone(), expected_revision };
    outcomes::propose(context, command).await?;
    Ok(Response::empty(204))
}
