//! Messages in, read back without a subscription, and waiting for their time.

use gateway_api::{
    Code, Page,
    consume::ReadPage,
    limits,
    publish::{PublishRequest, PublishResponse, Published},
    scheduled::ScheduledMessage,
};
use serde_json::{Value, json};
use shard_core::limits::{FILTER_BYTES_MAX, KEY_BYTES_MAX};

use super::{BODY, CURSOR, PARTITION, QUERY, number, number_or, page};
use crate::{
    describe::{
        bounds::{TOKEN_PATTERN, VISIBLE_PATTERN},
        operation::{Answer, Content, Operation, Parameter, Tag},
        schemas::Schemas,
    },
    limits::IDEMPOTENCY_KEY_BYTES_MAX,
};

const LINES: &str = "application/x-ndjson";
/// The problems of messages on their way in.
const PUBLISH: &[Code] = &[
    Code::InvalidBase64,
    Code::TooMany,
    Code::TopicNotFound,
    Code::StaleProducer,
    Code::SequenceGap,
    Code::SequenceForgotten,
    Code::MessageTooLarge,
    Code::NotEnoughReplicas,
    Code::Timeout,
];

pub(super) fn batch() -> Operation {
    let description = "One result for each message, in their order. What a publisher did wrong refuses the whole call, \
        and nothing is stored; what befalls one partition is an `error` in the results of its messages beside the others' \
        success. If all fail, the call fails; if it is not known whether something is stored, it is answered 504 with \
        the outcome `unknown`. A message with an `id` is stored once however often it is sent within the topic's \
        `dedup_window_ms`. A `traceparent` header is kept with the messages that name no trace themselves. A body of `application/vnd.pubsub.batch` is a batch as it is stored. \
        One of `application/x-ndjson` is a message a line, and may go on for hours: the results come meanwhile, likewise a line \
        each; a line that is wrong ends it with its number.";
    let examples = [
        (
            "messages",
            json!({ "messages": [
                { "text": "one espresso", "key": "table-7" },
                { "json": { "item": "tea", "cups": 2 }, "key": "table-7", "attributes": { "waiter": "ana" }, "priority": 9 },
                { "data": "AP8=", "id": "order-17", "content_type": "image/png", "ttl_ms": 600_000 },
            ] }),
        ),
        (
            "scheduled",
            json!({ "messages": [{ "text": "close the kitchen", "id": "reminder-17", "delay_ms": 3_600_000, "partition": 0 }] }),
        ),
    ];
    let batch = Content { media_type: "application/vnd.pubsub.batch", schema: anything, examples: Vec::new() };
    let stream = Content { media_type: LINES, schema: text, examples: Vec::new() };
    let partition = Parameter::query("partition", number(0, u32::MAX.into()), "The partition of an encoded batch.");
    Operation::new(Tag::Publishing, "Publish messages", description)
        .parameters([partition, acks()])
        .parameters(retry())
        .body([Content::json(Schemas::request::<PublishRequest<'static>>, examples), batch, stream])
        .answer(Answer::json(200, "What became of each message.", Schemas::answer::<PublishResponse>))
        .answer(Answer { content: Some((LINES, text)), ..Answer::empty(200, "Results.") })
        .problems(&[BODY, PUBLISH, PARTITION])
}

pub(super) fn one() -> Operation {
    let description = "The body, of whatever content type, is the message; it is delivered with that content type. Header \
        fields `Pubsub-Attr-NAME` are its attributes, their names in lower case, and so are `traceparent` and `tracestate`.";
    let content = |media_type, examples| Content { media_type, schema: anything, examples };
    Operation::new(Tag::Publishing, "Publish one message", description)
        .parameters(message())
        .parameters([acks()])
        .parameters(retry())
        .optional_body([
            content("text/plain", vec![("text", json!("one cake"))]),
            content("application/json", vec![("object", json!({ "item": "cake", "slices": 1 }))]),
            content("application/octet-stream", Vec::new()),
        ])
        .answer(Answer::json(200, "Where it is.", Schemas::answer::<Published>))
        .problems(&[QUERY, PUBLISH, PARTITION])
}

pub(super) fn read() -> Operation {
    let description = "From an offset, a time or a cursor on; from the oldest message if nothing is said. Nothing is \
        leased, acked or moved. With `wait_ms` an answer without messages waits for one.";
    let max = u64::from(limits::PULL_MESSAGES_MAX);
    let offset = Parameter::query("offset", number(0, u64::MAX), "The first offset to read.").example(0);
    let time = json!({ "type": "string", "format": "date-time" });
    let token = json!({ "type": "string", "pattern": TOKEN_PATTERN });
    Operation::new(Tag::Reading, "Read a partition", description)
        .parameters([
            offset,
            Parameter::query("timestamp", time, "Reads from the first message that was published then or later."),
            Parameter::query("cursor", token, "Reads on from the `next_cursor` of an earlier answer."),
            Parameter::query("limit", number_or(limits::PULL_MESSAGES_DEFAULT, 0, max), "At most so many messages.")
                .example(10),
            Parameter::query("wait_ms", number_or(0, 0, limits::WAIT_MS_MAX), "How long to wait for a message."),
        ])
        .answer(Answer::json(200, "Messages by offset, and where to go on.", Schemas::answer::<ReadPage>))
        .answer(Answer { content: Some(("application/vnd.pubsub.batch", anything)), ..Answer::empty(200, "Batches.") })
        .problems(&[
            QUERY,
            PARTITION,
            &[Code::OffsetOutOfRange, Code::InvalidCursor, Code::TopicNotFound, Code::PartitionNotFound],
            &[Code::NotAcceptable, Code::OffsetExpired, Code::DataCorrupt],
        ])
}

pub(super) fn events() -> Operation {
    let description = "Server-Sent Events without an end: each has a message as JSON in its `data` and a cursor as its `id`. A \
        browser that comes back says by itself how far it has read, and misses nothing. A comment keeps an idle stream alive; an \
        event `error` carries a problem before the stream ends.";
    let token = json!({ "type": "string", "pattern": TOKEN_PATTERN });
    let place = json!({ "anyOf": [{ "enum": ["earliest", "latest"] }, { "type": "string", "format": "date-time" }] });
    let filter = json!({ "type": "string", "maxLength": FILTER_BYTES_MAX });
    Operation::new(Tag::Reading, "Follow a topic", description)
        .parameters([
            Parameter::query("from", place, "Where to begin; `latest` if nothing is said.").example("earliest"),
            Parameter::query(
                "cursor",
                token.clone(),
                "Begins there instead: a `next_cursor`, or the `id` of an event.",
            ),
            Parameter::query("filter", filter, "Which messages; all if it is not given."),
            Parameter::header("Last-Event-ID", token, "The same as `cursor`, sent by browsers that come back."),
        ])
        .answer(Answer { content: Some(("text/event-stream", text)), ..Answer::empty(200, "Events.") })
        .problems(&[
            QUERY,
            PARTITION,
            &[Code::OffsetOutOfRange, Code::InvalidCursor, Code::TopicNotFound, Code::PartitionNotFound],
            &[Code::NotAcceptable, Code::OffsetExpired, Code::DataCorrupt, Code::Timeout],
        ])
}

pub(super) fn list_scheduled() -> Operation {
    let description = "What was published with `delay_ms` or `deliver_at` and is not delivered yet, in pages.";
    Operation::new(Tag::Scheduled, "List scheduled messages", description)
        .parameters(page())
        .answer(Answer::json(200, "A page of messages.", Schemas::answer::<Page<ScheduledMessage>>))
        .problems(&[QUERY, CURSOR, &[Code::TopicNotFound]])
}

pub(super) fn cancel_scheduled() -> Operation {
    let description = "It is delivered to nobody any more. Saying where the message is, as its publisher was told, spares \
        a look through the topic.";
    let offset = Parameter::query("offset", number(0, u64::MAX), "Its offset; needs `partition`.");
    Operation::new(Tag::Scheduled, "Cancel a scheduled message", description)
        .parameters([Parameter::query("partition", number(0, u32::MAX.into()), "Its partition."), offset])
        .answer(Answer::empty(204, "It is not delivered."))
        .problems(&[QUERY, CURSOR, &[Code::TopicNotFound, Code::PartitionNotFound, Code::NotScheduled]])
}

/// Any bytes.
fn anything(_: &mut Schemas) -> Value {
    json!({})
}

/// Text that is not one JSON value.
fn text(_: &mut Schemas) -> Value {
    json!({ "type": "string" })
}

/// When a publish is answered.
fn acks() -> Parameter {
    Parameter::query(
        "acks",
        json!({ "enum": ["quorum", "leader", "memory"] }),
        "When it is answered: once enough replicas in sync have it on disk, once the owner has stored it, or at once, before \
            it is stored anywhere: then it may be lost. As the topic says if nothing is said.",
    )
}

/// What makes a call safe to send again.
fn retry() -> [Parameter; 4] {
    let key = json!({
        "type": "string", "pattern": VISIBLE_PATTERN, "minLength": 1, "maxLength": IDEMPOTENCY_KEY_BYTES_MAX,
    });
    [
        Parameter::header(
            "Idempotency-Key",
            key,
            "Messages without an `id` get `KEY/0`, `KEY/1` and so on, so that a repeat is recognised.",
        ),
        Parameter::header(
            "Pubsub-Producer-Id",
            number(0, u64::MAX),
            "Numbers instead of ids: the producer, at best chosen at random. Excludes `Idempotency-Key`.",
        ),
        Parameter::header(
            "Pubsub-Producer-Seq",
            number(0, u32::MAX.into()),
            "The number of the call's first message; the next call goes on behind its last.",
        ),
        Parameter::header(
            "Pubsub-Producer-Epoch",
            number(0, u16::MAX.into()),
            "Rises each time the producer starts anew; 0 if it never tells.",
        ),
    ]
}

/// What a message has besides its payload.
fn message() -> [Parameter; 6] {
    let id = json!({
        "type": "string", "pattern": VISIBLE_PATTERN, "minLength": 1, "maxLength": limits::MESSAGE_ID_LENGTH_MAX,
    });
    let key = json!({ "type": "string", "pattern": r"^[^\u0000-\u001F\u007F]*$", "maxLength": KEY_BYTES_MAX });
    [
        Parameter::query("key", key, "Messages of one key go to one partition, in order.").example("table-9"),
        Parameter::query("priority", number(0, limits::PRIORITY_MAX.into()), "The highest is delivered first."),
        Parameter::query("ttl_ms", number(1, limits::TTL_MS_MAX), "How long the message may be delivered."),
        Parameter::query("delay_ms", number(0, limits::DELAY_MS_MAX), "How long the message is held back."),
        Parameter::query("id", id, "The message's id; the node makes one if none is given."),
        Parameter::query(
            "partition",
            number(0, u32::MAX.into()),
            "The partition it goes to; chosen by key, else by id, else in turn, if none is given.",
        ),
    ]
}
