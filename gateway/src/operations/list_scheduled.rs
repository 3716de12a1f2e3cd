//! `GET /v1/topics/{topic}/scheduled`: messages that wait for their time of delivery, in pages.

use gateway_api::{Page, Timestamp, limits as api_limits, scheduled::ScheduledMessage};
use shard::ScheduledQuery;

use super::{
    find_topic, json, partitions, query,
    walk::{Walk, ask},
};
use crate::{call::Call, context::Context, error::Failure, http::response::Response, limits};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let request = call.request;
    query::check_names(request, &["page_size", "page_token"])?;
    let (default, max) = (api_limits::PAGE_SIZE_DEFAULT, api_limits::PAGE_SIZE_MAX);
    let size = query::number(request, "page_size", default.into(), max.into())?;
    let size = usize::try_from(size).unwrap_or(1).max(1);
    let state = context.metadata.state();
    let topic = find_topic(&state, call.route.name)?;
    let mut walk = Walk::begin(partitions(topic), request.query("page_token"), limits::PAGE_SEARCH_TIME)?;
    let mut items = Vec::new();
    while let Some((partition, from)) = walk.place() {
        let query = ScheduledQuery { partition, from, count_max: size - items.len() };
        let found = ask(context, &call, context.shards.scheduled(query)).await?;
        items.extend(found.messages.into_iter().map(|message| ScheduledMessage {
            id: message.id,
            partition: partition.partition.get(),
            offset: message.offset.get(),
            deliver_at: Timestamp::from_unix_ms(message.deliver_at.as_millis()),
            key: message.key,
        }));
        walk.go_on(found.next);
        if items.len() >= size || !walk.has_time() {
            break;
        }
    }
    json(200, &Page { items, next_page_token: walk.token() })
}
