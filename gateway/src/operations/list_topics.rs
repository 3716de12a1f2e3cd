//! `GET /v1/topics`: topics by name, in pages.

use std::sync::Arc;

use gateway_api::topics::TopicSummary;
use raft::metadata::{Resource, Topic};

use super::{json, page::PageRequest, topic_config};
use crate::{call::Call, context::Context, error::Failure, http::response::Response};

pub(super) fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let request = PageRequest::of(call.request)?;
    let state = context.metadata.state();
    let seen = |topic: &&Arc<Topic>| call.caller.sees(Resource::Topic(topic.name.as_str()));
    let summaries = state.topics_after(&request.after).filter(seen).map(|topic| TopicSummary {
        name: topic.name.as_str().to_owned(),
        config: topic_config::to_api(&topic.config),
    });
    json(200, &request.cut(summaries, |summary| &summary.name))
}
