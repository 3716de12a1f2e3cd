//! `PATCH /v1/topics/{topic}`: changes a topic's configuration; partitions only grow.

use gateway_api::{decode::decode, topics::TopicSettings};
use raft::metadata::Command;

use super::{find_topic, get_topic, outcomes, preconditions, topic_config};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let settings: TopicSettings = decode(call.request.body()).map_err(error::of_decode)?;
    let state = context.metadata.state();
    let topic = find_topic(&state, call.route.name)?;
    let patch = topic_config::patch_of_settings(&settings, &topic.config);
    let expected_revision = preconditions::expected_revision(call.request, topic.revision)?;
    let command = Command::UpdateTopic { name: topic.name.clone(), expected_revision, patch };
    let (topic, status) = outcomes::topic(outcomes::propose(context, command).await?)?;
    get_topic::answer(context, &topic, status).await
}
