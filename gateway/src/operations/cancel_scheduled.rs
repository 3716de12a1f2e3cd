//! `DELETE /v1/topics/{topic}/scheduled/{id}`: what waits for its time under this id is not delivered any more.

use gateway_api::{Code, Outcome, Problem};
use raft::metadata::Topic;
use shard::CancelQuery;
use shard_core::model::{Offset, TopicPartition};

use super::{
    find_topic, partitions, query,
    resources::partition_of,
    walk::{Walk, ask},
};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::{request::Request, response::Response},
    limits,
};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let state = context.metadata.state();
    let topic = find_topic(&state, call.route.name)?;
    let (places, offset) = places(call.request, topic)?;
    let mut walk = Walk::begin(places, None, limits::CANCEL_SEARCH_TIME)?;
    let mut cancelled = 0;
    while let Some((partition, from)) = walk.place() {
        if !walk.has_time() {
            return Err(out_of_time(cancelled));
        }
        let (id, from) = (call.route.item.to_owned(), offset.unwrap_or(from));
        let query = CancelQuery { partition, id, from, one: offset.is_some() };
        let done = ask(context, &call, context.shards.cancel_scheduled(query)).await?;
        cancelled += done.messages;
        walk.go_on(done.next);
    }
    if cancelled == 0 {
        return Err(error::of_code(Code::NotScheduled, "no message with this id waits for its time"));
    }
    Ok(Response::empty(204))
}

/// Where to look: everywhere, or where the request says.
fn places(request: &Request, topic: &Topic) -> Result<(Vec<TopicPartition>, Option<Offset>), Failure> {
    query::check_names(request, &["partition", "offset"])?;
    let offset = query::value(request, "offset", "an offset")?.map(Offset::new);
    let Some(index) = query::value::<u32>(request, "partition", "a partition")? else {
        return match offset {
            Some(_) => Err(error::invalid("partition", "an offset is one of a partition")),
            None => Ok((partitions(topic), None)),
        };
    };
    let missing = || error::of_code(Code::PartitionNotFound, format!("the topic has no partition {index}"));
    let partition = partition_of(topic, index).ok_or_else(missing)?;
    Ok((vec![partition], offset))
}

/// The log is too long to be looked through in one request.
fn out_of_time(cancelled: usize) -> Failure {
    let detail = "not all of the topic was looked through in time: say partition and offset of the message";
    let outcome = if cancelled == 0 { Outcome::NotApplied } else { Outcome::Unknown };
    Problem::new(Code::Timeout, detail).with_outcome(outcome).into()
}
