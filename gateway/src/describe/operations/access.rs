//! Keys, principals and tickets: who may do what.

use gateway_api::{
    Code, Page,
    access::{CreatedKey, Key, KeyRequest, Principal, PrincipalSettings, Ticket, Whoami},
};
use serde_json::{Value, json};

use super::{BODY, CHANGE, QUERY, page};
use crate::describe::{
    operation::{Answer, Content, Operation, Tag},
    schemas::Schemas,
};

/// What a shop's till may do.
fn grants() -> Value {
    json!([
        { "topic_prefix": "orders*", "actions": ["publish"] },
        { "subscription_prefix": "kitchen", "actions": ["consume"] },
    ])
}

pub(super) fn list_keys() -> Operation {
    Operation::new(
        Tag::Access,
        "List keys",
        "By id, in pages; without their secrets, which nobody has but their owners.",
    )
    .parameters(page())
    .answer(Answer::json(200, "A page of keys.", Schemas::answer::<Page<Key>>))
    .problems(&[QUERY])
}

pub(super) fn create_key() -> Operation {
    let description = "The key is shown this once. A principal has at most two, so that one can take the other's place. With \
        `grants`, a principal that is not there is created.";
    let examples = [
        ("principal", json!({ "principal": "till-1", "grants": grants() })),
        ("second", json!({ "principal": "till-1", "expires_at": "2100-01-01T00:00:00Z" })),
    ];
    Operation::new(Tag::Access, "Create a key", description)
        .body([Content::json(Schemas::request::<KeyRequest>, examples)])
        .answer(Answer::json(201, "The key, with its secret.", Schemas::answer::<CreatedKey>))
        .problems(&[
            BODY,
            CHANGE,
            &[Code::InvalidName, Code::PrincipalNotFound, Code::PrincipalExists, Code::LimitReached],
        ])
}

pub(super) fn get_key() -> Operation {
    Operation::new(Tag::Access, "Show a key", "Whose it is and until when; not its secret.")
        .answer(Answer::json(200, "The key.", Schemas::answer::<Key>))
        .problems(&[&[Code::KeyNotFound]])
}

pub(super) fn delete_key() -> Operation {
    let description = "It counts for nothing from then on; what was opened with it is closed within seconds.";
    Operation::new(Tag::Access, "Delete a key", description)
        .answer(Answer::empty(204, "It is deleted."))
        .problems(&[CHANGE, &[Code::KeyNotFound]])
}

pub(super) fn list_principals() -> Operation {
    Operation::new(Tag::Access, "List principals", "By name, in pages.")
        .parameters(page())
        .answer(Answer::json(200, "A page of principals.", Schemas::answer::<Page<Principal>>))
        .problems(&[QUERY])
}

pub(super) fn get_principal() -> Operation {
    Operation::new(Tag::Access, "Show a principal", "What it may do, and how much of it.")
        .answer(Answer::json(200, "The principal.", Schemas::answer::<Principal>).with_etag())
        .problems(&[&[Code::PrincipalNotFound]])
}

pub(super) fn put_principal() -> Operation {
    let description = "The grants and limits are all that it has then. A grant names topics or subscriptions, by a whole name or by \
        a beginning with `*` behind it.";
    let examples = [
        ("till", json!({ "grants": grants() })),
        ("limited", json!({ "grants": grants(), "limits": { "messages_per_s": 1_000, "connections": 10 } })),
    ];
    Operation::new(Tag::Access, "Create or change a principal", description)
        .body([Content::json(Schemas::request::<PrincipalSettings>, examples)])
        .answer(Answer::json(201, "The principal, created.", Schemas::answer::<Principal>).with_etag())
        .answer(Answer::json(200, "The principal, as it is now.", Schemas::answer::<Principal>).with_etag())
        .problems(&[
            BODY,
            CHANGE,
            &[Code::InvalidName, Code::PrincipalNotFound, Code::PreconditionFailed, Code::LimitReached],
        ])
}

pub(super) fn delete_principal() -> Operation {
    Operation::new(Tag::Access, "Delete a principal", "Its keys go with it.")
        .answer(Answer::empty(204, "It is deleted."))
        .problems(&[CHANGE, &[Code::InvalidName, Code::PrincipalNotFound, Code::PreconditionFailed]])
}

pub(super) fn whoami() -> Operation {
    Operation::new(Tag::Access, "Show who the caller is", "Whom its key proves, and what that allows.")
        .answer(Answer::json(200, "The caller.", Schemas::answer::<Whoami>))
}

pub(super) fn create_ticket() -> Operation {
    let description = "A browser can't send a key when it opens a WebSocket or a stream of events: it sends a ticket instead, as the \
        subprotocol `ticket.TICKET` or the parameter `ticket`. It is good for less than a minute.";
    Operation::new(Tag::Access, "Create a ticket", description)
        .answer(Answer::json(201, "The ticket.", Schemas::answer::<Ticket>))
        .problems(&[&[Code::InvalidArgument]])
}
