//! `DELETE /v1/topics/{topic}`: deletes a topic, its messages and its subscriptions.

use raft::metadata::Command;

use super::{find_topic, outcomes, preconditions};
use crate::{call::Call, context::Context, error::Failure, http::response::Response};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let state = context.metadata.state();
    let topic = find_topic(&state, call.route.name)?;
    let expected_revision = preconditions::expected_revision(call.request, topic.revision)?;
    let command = Command::DeleteTopic { name: topic.name.clone(), expected_revision };
    outcomes::propose(context, command).await?;
    Ok(Response::empty(204))
}
