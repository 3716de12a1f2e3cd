//! `PUT /v1/topics/{topic}`: creates a topic; the same again is no error.

use gateway_api::{decode::decode, topics::TopicSettings};
use raft::metadata::{ClusterState, Command, TopicConfig};
use shard_core::model::TopicName;

use super::{created_at, get_topic, outcomes, topic_config};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
    quota,
};

/// What a topic is like of which nothing is said. One that is there is kept by as many nodes as it is: the cluster may have
/// grown since.
fn defaults(cluster: &ClusterState, name: &TopicName) -> TopicConfig {
    let nodes = if cluster.shared_store() == Some(true) { 1 } else { cluster.nodes().len() };
    let defaults = TopicConfig::defaults(nodes);
    cluster.topic(name.as_str()).map_or(defaults.clone(), |topic| {
        let TopicConfig { replication_factor, min_insync, .. } = topic.config;
        TopicConfig { replication_factor, min_insync, ..defaults }
    })
}

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let name = TopicName::new(call.route.name).map_err(error::of_name)?;
    let body = call.request.body();
    let settings: TopicSettings =
        if body.is_empty() { TopicSettings::default() } else { decode(body).map_err(error::of_decode)? };
    quota::create_topic(context, call.caller, call.route.name)?;
    let config = topic_config::of_settings(&settings, &defaults(&context.metadata.state(), &name));
    let command = Command::CreateTopic { name, config, created_at: created_at() };
    let (topic, status) = outcomes::topic(outcomes::propose(context, command).await?)?;
    get_topic::answer(context, &topic, status).await
}
