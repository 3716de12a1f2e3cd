//! `GET /v1/topics/{topic}/partitions/{partition}/messages`: reads without a subscription, waiting if asked to.

use std::time::Duration;

use gateway_api::{Code, CursorToken, limits as api_limits, rfc3339};
use raft::metadata::Topic;
use shard::{ReadError, ReadFrom, ReadReply, ReadRequest};
use shard_core::model::{Offset, Timestamp, TopicPartition};

use super::{
    accept,
    batch_json::{ReadBounds, append_read},
    batch_read::{self, BATCH_TYPE},
    check_room,
    deadline::{self, Ended},
    find_topic, query,
    resources::find_partition,
};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::{request::Request, response::Response},
    json_write, limits,
    message_json::Source,
    read_turns::ReadTurn,
};

const PARAMETERS: &[&str] = &["offset", "timestamp", "cursor", "limit", "wait_ms"];

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let request = call.request;
    query::check_names(request, PARAMETERS)?;
    let state = context.metadata.state();
    let topic = find_topic(&state, call.route.name)?;
    let partition = find_partition(topic, call.route.item)?;
    let from = start(request, topic, partition)?;
    let as_batches = accept::asks_for(request, BATCH_TYPE);
    // Batches are bounded by their bytes; a list also by its length.
    let limit = if as_batches { api_limits::PULL_MESSAGES_MAX } else { api_limits::PULL_MESSAGES_DEFAULT };
    let limit = query::number(request, "limit", limit.into(), api_limits::PULL_MESSAGES_MAX.into())?;
    let wait_ms = query::number(request, "wait_ms", 0, api_limits::WAIT_MS_MAX)?;
    let bytes_max = context.core.outputs().portion(limits::DELIVERY_BYTES_MAX);
    let read = ReadRequest { from, bytes_max, wait: Duration::from_millis(wait_ms) };
    let (reply, _turn) = read_while_wanted(context, &call, partition, read).await?;
    let reply = reply.map_err(|error| error::of_read(&error))?;
    if as_batches {
        return Ok(batch_read::answer(context, partition, &reply, limit));
    }
    let source = Source::new(topic.name.as_str(), partition.partition).in_form(accept::message_form(request));
    answer(context, topic, source, &reply, usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Where the read begins: exactly one way to say so, or the oldest message.
fn start(request: &Request, topic: &Topic, partition: TopicPartition) -> Result<ReadFrom, Failure> {
    let stated: Vec<_> =
        ["offset", "timestamp", "cursor"].into_iter().filter(|name| request.query(name).is_some()).collect();
    if let [_, second, ..] = stated[..] {
        return Err(error::invalid(second, "a read begins at one of offset, timestamp and cursor"));
    }
    if let Some(offset) = query::value(request, "offset", "an offset")? {
        return Ok(ReadFrom::Offset(Offset::new(offset)));
    }
    if let Some(text) = request.query("timestamp") {
        let millis = rfc3339::parse(text).map_err(|error| error::invalid("timestamp", error.to_string()))?;
        return Ok(ReadFrom::Timestamp(Timestamp::from_millis(millis)));
    }
    match request.query("cursor") {
        Some(token) => cursor_start(token, topic, partition),
        None => Ok(ReadFrom::Timestamp(Timestamp::from_millis(0))),
    }
}

fn cursor_start(token: &str, topic: &Topic, partition: TopicPartition) -> Result<ReadFrom, Failure> {
    let refused = |detail: String| error::of_code(Code::InvalidCursor, detail);
    let token = CursorToken::decode(token).map_err(|error| refused(error.to_string()))?;
    if token.topic_id() != topic.id.get() {
        return Err(refused("the cursor belongs to another topic".to_owned()));
    }
    let offset = token.offset(partition.partition.get());
    offset
        .map(|offset| ReadFrom::Offset(Offset::new(offset)))
        .ok_or_else(|| refused("the cursor does not name this partition".to_owned()))
}

/// What a read came to. It is this reader's turn until that is used.
type Read = (Result<ReadReply, ReadError>, Option<ReadTurn>);

/// Reads, and waits as long as there is someone to wait for; a node that stops answers with what there is.
async fn read_while_wanted(
    context: &Context,
    call: &Call<'_>,
    partition: TopicPartition,
    read: ReadRequest,
) -> Result<Read, Failure> {
    let limit = read.wait + limits::OPERATION_TIMEOUT;
    match deadline::while_wanted(context, call, limit, read_in_turn(context, partition, read)).await {
        Ok(answer) => answer,
        Err(Ended::Stopping) if !read.wait.is_zero() => {
            let read = ReadRequest { wait: Duration::ZERO, ..read };
            let again = deadline::within(limits::OPERATION_TIMEOUT, read_in_turn(context, partition, read)).await;
            again.unwrap_or_else(|| Err(error::of_code(Code::NodeUnavailable, "the node is stopping")))
        }
        Err(Ended::Stopping | Ended::Gone) => Err(error::of_code(Code::NodeUnavailable, "the node is stopping")),
        Err(Ended::Elapsed) => Err(error::of_code(Code::StoreUnavailable, "the store gave no answer in time")),
    }
}

/// Reads what there is; if that is nothing, waits until there is something. Many may wait, and hold next to nothing.
async fn read_in_turn(context: &Context, partition: TopicPartition, read: ReadRequest) -> Result<Read, Failure> {
    let now = ReadRequest { wait: Duration::ZERO, ..read };
    let turn = context.core.read_turns().take(read.bytes_max).await;
    check_room(context)?;
    let found = context.shards.read(partition, now).await;
    if read.wait.is_zero() || found.as_ref().map_or(true, |found| !found.batches.is_empty()) {
        return Ok((found, Some(turn)));
    }
    drop(turn);
    let first = context.shards.read(partition, ReadRequest { bytes_max: 1, ..read }).await;
    if !first.as_ref().is_ok_and(ReadReply::goes_on) {
        return Ok((first, None));
    }
    let turn = context.core.read_turns().take(read.bytes_max).await;
    check_room(context)?;
    Ok((context.shards.read(partition, now).await, Some(turn)))
}

fn answer(
    context: &Context,
    topic: &Topic,
    source: Source<'_>,
    reply: &ReadReply,
    limit: usize,
) -> Result<Response, Failure> {
    let mut body = Vec::with_capacity(body_bytes(reply));
    body.extend_from_slice(b"{\"messages\":[");
    let bounds = ReadBounds { messages: limit, bytes: limits::DELIVERY_JSON_BYTES_MAX, filter: None };
    let end = append_read(&mut body, source, (&reply.batches, reply.from), bounds).map_err(|error| {
        error::of_code(Code::DataCorrupt, format!("a batch from offset {} on can't be read: {error}", reply.from))
    })?;
    let token = CursorToken::new(topic.id.get(), vec![(source.partition.get(), end.next.get())]);
    body.extend_from_slice(b"],\"next_offset\":");
    json_write::number(&mut body, end.next.get());
    body.extend_from_slice(b",\"next_cursor\":");
    json_write::string(&mut body, &token.map(|token| token.encode()).unwrap_or_default());
    body.push(b'}');
    context.metrics.messages_consumed.add(u64::try_from(end.count).unwrap_or_default());
    Ok(Response::json(200, body))
}

/// About what the JSON of the batches takes, so that the buffer seldom grows.
fn body_bytes(reply: &ReadReply) -> usize {
    let stored: usize = reply.batches.iter().map(|batch| batch.bytes().len()).sum();
    (stored * 2).min(limits::DELIVERY_JSON_BYTES_MAX) + 128
}
