//! `PUT /v1/topics/{topic}`: creates a topic; the same again is no error.

use gateway_api::{decode::decode, topics::TopicSettings};
use raft::metadata::Command;
use shard_core::model::TopicName;

use super::{created_at, get_topic, outcomes, topic_config};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
    quota,
};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let name = TopicName::new(call.route.name).map_err(error::of_name)?;
    let body = call.request.body();
    let settings: TopicSettings =
        if body.is_empty() { TopicSettings::default() } else { decode(body).map_err(error::of_decode)? };
    quota::create_topic(context, call.caller, call.route.name)?;
    let config = topic_config::of_settings(&settings)?;
    let command = Command::CreateTopic { name, config, created_at: created_at() };
    let (topic, status) = outcomes::topic(outcomes::propose(context, command).await?)?;
    get_topic::answer(context, &topic, status).await
}
