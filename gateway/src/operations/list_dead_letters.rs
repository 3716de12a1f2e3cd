//! `GET /v1/subscriptions/{subscription}/dead-letters`: what a subscription gave up on, in pages.

use gateway_api::{Code, limits as api_limits};
use shard::Letters;
use shard_core::model::TopicPartition;

use super::{
    find_subscription,
    letters::LetterBox,
    partitions, query,
    walk::{Walk, ask},
};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
    json_write, limits,
    message_json::{self, Source},
};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let request = call.request;
    query::check_names(request, &["page_size", "page_token"])?;
    let (default, max) = (api_limits::PAGE_SIZE_DEFAULT, api_limits::PAGE_SIZE_MAX);
    let size = query::number(request, "page_size", default.into(), max.into())?;
    let size = usize::try_from(size).unwrap_or(1).max(1);
    let state = context.metadata.state();
    let letters = LetterBox::of(&state, find_subscription(&state, call.route.name)?)?;
    let mut walk = Walk::begin(partitions(letters.topic), request.query("page_token"), limits::PAGE_SEARCH_TIME)?;
    let mut page = LetterPage { json: b"{\"items\":[".to_vec(), count: 0 };
    while let Some((partition, from)) = walk.place() {
        let query = letters.query((partition, from), size - page.count);
        let found = ask(context, &call, context.shards.letters(query)).await?;
        page.add(letters.topic.name.as_str(), partition, &found)?;
        walk.go_on(found.next);
        let is_full = page.count >= size || page.json.len() >= limits::DELIVERY_JSON_BYTES_MAX;
        if is_full || !walk.has_time() {
            break;
        }
    }
    Ok(Response::json(200, page.close(walk.token())))
}

/// What a page has so far.
#[derive(Debug)]
struct LetterPage {
    /// JSON that ends in an open list.
    json: Vec<u8>,
    count: usize,
}

impl LetterPage {
    fn add(&mut self, topic: &str, partition: TopicPartition, found: &Letters) -> Result<(), Failure> {
        let source = Source::new(topic, partition.partition);
        for batch in &found.batches {
            let read = batch.for_each_record(|record| {
                if found.letters.binary_search(&record.offset).is_ok() {
                    if self.count > 0 {
                        self.json.push(b',');
                    }
                    message_json::append(&mut self.json, source, &record, None);
                    self.count += 1;
                }
            });
            read.map_err(|error| error::of_code(Code::DataCorrupt, format!("partition {partition}: {error}")))?;
        }
        Ok(())
    }

    fn close(mut self, token: Option<String>) -> Vec<u8> {
        self.json.push(b']');
        if let Some(token) = token {
            self.json.extend_from_slice(b",\"next_page_token\":");
            json_write::string(&mut self.json, &token);
        }
        self.json.push(b'}');
        self.json
    }
}
