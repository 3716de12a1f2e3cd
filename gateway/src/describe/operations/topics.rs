//! Topics: created, shown, changed, deleted.

use gateway_api::{
    Code, Page,
    topics::{Topic, TopicSettings, TopicSummary},
};
use serde_json::json;

use super::{BODY, CHANGE, QUERY, if_match, if_none_match, page};
use crate::describe::{
    operation::{Answer, Content, Operation, Tag},
    schemas::Schemas,
};

pub(super) fn list() -> Operation {
    Operation::new(Tag::Topics, "List topics", "Topics with their configuration, by name, in pages.")
        .parameters(page())
        .answer(Answer::json(200, "A page of topics.", Schemas::answer::<Page<TopicSummary>>))
        .problems(&[QUERY])
}

pub(super) fn put() -> Operation {
    let summary = "Create a topic";
    let description = "What is not given takes its default. The same again is answered 200 and changes nothing; another \
        configuration of a topic that is there is refused, and changed by PATCH.";
    let examples = [
        ("plain", json!({ "partitions": 2 })),
        ("dead-letters", json!({ "partitions": 1, "retention_ms": null })),
        (
            "archive",
            json!({ "partitions": 1, "retention_ms": 31_536_000_000_u64, "compression": "lz4", "flush": "interval",
                "dedup_window_ms": 600_000, "max_message_bytes": 65_536 }),
        ),
    ];
    Operation::new(Tag::Topics, summary, description)
        .optional_body([Content::json(Schemas::request::<TopicSettings>, examples)])
        .answer(Answer::json(201, "The topic, created.", Schemas::answer::<Topic>).with_etag())
        .answer(Answer::json(200, "The topic, which was there.", Schemas::answer::<Topic>).with_etag())
        .problems(&[BODY, CHANGE, &[Code::InvalidName, Code::TopicExists, Code::LimitReached, Code::QuotaExceeded]])
}

pub(super) fn get() -> Operation {
    let description = "The configuration, and for each partition its owner and its offsets.";
    Operation::new(Tag::Topics, "Show a topic", description)
        .parameters([if_none_match()])
        .answer(Answer::json(200, "The topic.", Schemas::answer::<Topic>).with_etag())
        .answer(Answer::empty(304, "Its configuration is what the client has."))
        .problems(&[&[Code::TopicNotFound]])
}

pub(super) fn patch() -> Operation {
    let description = "What is not given stays. Partitions can only be added; `null` takes a retention limit away.";
    let examples = [("retention", json!({ "retention_ms": 86_400_000, "retention_bytes": null }))];
    Operation::new(Tag::Topics, "Change a topic", description)
        .parameters([if_match()])
        .body([Content::json(Schemas::request::<TopicSettings>, examples)])
        .answer(Answer::json(200, "The topic as it is now.", Schemas::answer::<Topic>).with_etag())
        .problems(&[BODY, CHANGE, &[Code::TopicNotFound, Code::PreconditionFailed, Code::LimitReached]])
}

pub(super) fn delete() -> Operation {
    let description = "Its messages and its subscriptions go with it. A topic of the same name is another one.";
    Operation::new(Tag::Topics, "Delete a topic", description)
        .parameters([if_match()])
        .answer(Answer::empty(204, "It is gone."))
        .problems(&[CHANGE, &[Code::TopicNotFound, Code::PreconditionFailed]])
}
