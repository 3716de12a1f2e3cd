//! Messages out: pulled, acked, given back, kept longer.

use gateway_api::{
    Code,
    consume::{AckRequest, AckResponse, ExtendRequest, NackRequest, PullRequest, PullResponse},
};
use serde_json::json;

use super::{BODY, CURSOR};
use crate::describe::{
    operation::{Answer, Content, Operation, Tag},
    schemas::Schemas,
};

/// An ack id as it looks; nothing is leased under it.
const ACK_ID: &str = "AQEAAAAAAAAAAQAAAAAAAAABAAAAAAAAAAAAAAAAAOALhXmiYPkBfhrWYDk5";

pub(super) fn pull() -> Operation {
    let description = "Leases messages: each is delivered again unless it is acked before its ack deadline. With `wait_ms` an \
        answer without messages waits for one. Where partitions are assigned to consumers, `consumer_id` and \
        `generation` say who pulls.";
    let examples = [("one", json!({ "max_messages": 1 })), ("wait", json!({ "max_messages": 10, "wait_ms": 100 }))];
    Operation::new(Tag::Consuming, "Pull messages", description)
        .optional_body([Content::json(Schemas::request::<PullRequest>, examples)])
        .answer(Answer::json(200, "Messages, each with its `ack_id`; perhaps none.", Schemas::answer::<PullResponse>))
        .problems(&[BODY, CURSOR])
}

pub(super) fn ack() -> Operation {
    let description = "Messages are done, one by one by their ack ids, or all of a partition up to an offset. The answer comes \
        when that is durable. An ack id that has no effect any more is listed with the reason.";
    let examples = [("ids", json!({ "ack_ids": [ACK_ID] })), ("up-to", json!({ "partition": 0, "up_to_offset": 0 }))];
    Operation::new(Tag::Consuming, "Ack messages", description)
        .body([Content::json(Schemas::request::<AckRequest<'static>>, examples)])
        .answer(acked())
        .problems(&[BODY, CURSOR, &[Code::TooMany]])
}

pub(super) fn nack() -> Operation {
    let description = "Messages are to be delivered again: after the subscription's back-off, after `delay_ms`, or, with \
        `dead_letter`, to nobody but the dead letters.";
    let examples = [
        ("soon", json!({ "ack_ids": [ACK_ID] })),
        ("later", json!({ "ack_ids": [ACK_ID], "delay_ms": 5_000 })),
        ("never", json!({ "ack_ids": [ACK_ID], "dead_letter": true })),
    ];
    Operation::new(Tag::Consuming, "Give messages back", description)
        .body([Content::json(Schemas::request::<NackRequest<'static>>, examples)])
        .answer(acked())
        .problems(&[BODY, CURSOR, &[Code::TooMany]])
}

pub(super) fn extend() -> Operation {
    let description = "Messages need more time: their ack deadline is counted anew from now.";
    let examples = [("minute", json!({ "ack_ids": [ACK_ID], "deadline_ms": 60_000 }))];
    Operation::new(Tag::Consuming, "Keep messages longer", description)
        .body([Content::json(Schemas::request::<ExtendRequest<'static>>, examples)])
        .answer(acked())
        .problems(&[BODY, CURSOR, &[Code::TooMany]])
}

fn acked() -> Answer {
    Answer::json(200, "For how many it holds, and for which it does not.", Schemas::answer::<AckResponse>)
}
