//! Dead letters: browsed, sent back.

use gateway_api::{
    Code, DeliveredMessage, Page,
    letters::{RedriveRequest, RedriveResponse},
};
use serde_json::json;

use super::{BODY, CURSOR, QUERY, page};
use crate::describe::{
    operation::{Answer, Content, Operation, Tag},
    schemas::Schemas,
};

/// The problems of whoever asks for letters.
const LETTERS: &[Code] = &[Code::NoDeadLetterTopic, Code::TopicNotFound];

pub(super) fn list() -> Operation {
    let description = "What the subscription gave up on, with attributes that say where it came from, how often it was tried and \
        why it failed; in pages.";
    Operation::new(Tag::DeadLetters, "List dead letters", description)
        .parameters(page())
        .answer(Answer::json(200, "A page of messages.", Schemas::answer::<Page<DeliveredMessage>>))
        .problems(&[QUERY, CURSOR, LETTERS])
}

pub(super) fn redrive() -> Operation {
    let description =
        "Messages are in their topic again and no dead letters any more, the oldest first; or those of the given ids.";
    let examples = [("some", json!({ "limit": 10 })), ("named", json!({ "ids": ["order-17"] }))];
    Operation::new(Tag::DeadLetters, "Send dead letters back", description)
        .optional_body([Content::json(Schemas::request::<RedriveRequest<'static>>, examples)])
        .answer(Answer::json(200, "How many were sent back, and where to go on.", Schemas::answer::<RedriveResponse>))
        .problems(&[BODY, CURSOR, LETTERS, &[Code::NotEnoughReplicas]])
}
