//! Subscriptions: created, shown, changed, moved, deleted.

use gateway_api::{
    Code, Page,
    subscriptions::{SeekRequest, SeekResponse, Subscription, SubscriptionSettings, SubscriptionSummary},
};
use serde_json::json;

use super::{BODY, CHANGE, CURSOR, QUERY, if_match, if_none_match, page};
use crate::describe::{
    operation::{Answer, Content, Operation, Tag},
    schemas::Schemas,
};

pub(super) fn list() -> Operation {
    let description = "Subscriptions with their configuration, by name, in pages.";
    Operation::new(Tag::Subscriptions, "List subscriptions", description)
        .parameters(page())
        .answer(Answer::json(200, "A page of subscriptions.", Schemas::answer::<Page<SubscriptionSummary>>))
        .problems(&[QUERY])
}

pub(super) fn put() -> Operation {
    let description = "A name for a place in a topic that remembers, also after a crash, which messages are done. `topic` is \
        required. The same again is answered 200 and changes nothing.";
    let examples = [
        (
            "queue",
            json!({ "topic": "orders", "start": "earliest", "dead_letter_topic": "orders-dead-letters",
                "max_delivery_attempts": 5 }),
        ),
        ("assigned", json!({ "topic": "orders", "consumption": "assigned", "session_timeout_ms": 30_000 })),
        ("filtered", json!({ "topic": "orders", "filter": "priority >= 5", "ordering": "key" })),
        (
            "push",
            json!({ "topic": "orders", "type": "push",
                "push": { "url": "https://hooks.example.com/orders", "secret": "correct horse", "paused": true } }),
        ),
    ];
    Operation::new(Tag::Subscriptions, "Create a subscription", description)
        .body([Content::json(Schemas::request::<SubscriptionSettings>, examples)])
        .answer(Answer::json(201, "The subscription, created.", Schemas::answer::<Subscription>).with_etag())
        .answer(Answer::json(200, "The subscription, which was there.", Schemas::answer::<Subscription>).with_etag())
        .problems(&[BODY, CHANGE, CURSOR, &[Code::InvalidName, Code::TopicNotFound]])
        .problems(&[&[Code::SubscriptionExists, Code::LimitReached, Code::QuotaExceeded]])
}

pub(super) fn get() -> Operation {
    let description = "The configuration, how far each partition is done, what is left, and who consumes.";
    Operation::new(Tag::Subscriptions, "Show a subscription", description)
        .parameters([if_none_match()])
        .answer(Answer::json(200, "The subscription.", Schemas::answer::<Subscription>).with_etag())
        .answer(Answer::empty(304, "Its configuration is what the client has."))
        .problems(&[CURSOR])
}

pub(super) fn patch() -> Operation {
    let description =
        "What is not given stays. `topic`, `type`, `consumption`, `ordering` and `start` can't be changed.";
    let examples = [("attempts", json!({ "ack_deadline_ms": 60_000, "backoff": { "min_ms": 500, "max_ms": 30_000 } }))];
    Operation::new(Tag::Subscriptions, "Change a subscription", description)
        .parameters([if_match()])
        .body([Content::json(Schemas::request::<SubscriptionSettings>, examples)])
        .answer(Answer::json(200, "The subscription as it is now.", Schemas::answer::<Subscription>).with_etag())
        .problems(&[BODY, CHANGE, CURSOR, &[Code::TopicNotFound, Code::PreconditionFailed]])
}

pub(super) fn delete() -> Operation {
    let description = "What it remembers goes with it; its topic keeps its messages.";
    Operation::new(Tag::Subscriptions, "Delete a subscription", description)
        .parameters([if_match()])
        .answer(Answer::empty(204, "It is gone."))
        .problems(&[CHANGE, &[Code::SubscriptionNotFound, Code::PreconditionFailed]])
}

pub(super) fn seek() -> Operation {
    let description = "Sets where it reads on: every partition to a place in time, or single partitions to offsets. What lies \
        behind counts as done, what lies ahead as not. Seeking again is safe.";
    let examples = [
        ("earliest", json!({ "to": "earliest" })),
        ("time", json!({ "to": "2026-11-23T09:30:00Z" })),
        ("offsets", json!({ "offsets": { "0": 0 } })),
    ];
    Operation::new(Tag::Subscriptions, "Move a subscription", description)
        .body([Content::json(Schemas::request::<SeekRequest>, examples)])
        .answer(Answer::json(200, "Where every partition stands now.", Schemas::answer::<SeekResponse>))
        .problems(&[BODY, CURSOR])
}
