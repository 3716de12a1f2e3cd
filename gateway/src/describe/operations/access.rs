//! Who may do what: keys, principals, tickets.

use gateway_api::{
    Code, Page,
    access::{CreatedKey, Key, KeyRequest, Principal, PrincipalSettings, Ticket, Whoami},
};
use serde_json::json;

use super::{BODY, CHANGE, QUERY, if_match, page};
use crate::describe::{
    operation::{Answer, Content, Operation, Tag},
    schemas::Schemas,
};

pub(super) fn list_keys() -> Operation {
    Operation::new(Tag::Access, "List keys", "Keys without their secrets, by id, in pages.")
        .parameters(page())
        .answer(Answer::json(200, "A page of keys.", Schemas::answer::<Page<Key>>))
        .problems(&[QUERY])
}

pub(super) fn create_key() -> Operation {
    let description = "The key is shown this once. `grants` creates the principal if it isn't there. A principal has at most two \
        keys that count, so that one can be changed for another without an interruption.";
    let examples = [(
        "with-its-principal",
        json!({ "principal": "billing-service", "grants": [
            { "topic_prefix": "orders", "actions": ["consume"] },
            { "subscription_prefix": "billing-*", "actions": ["consume", "manage"] },
        ] }),
    )];
    let codes = [Code::PrincipalNotFound, Code::PrincipalExists, Code::LimitReached];
    Operation::new(Tag::Access, "Make a key", description)
        .body([Content::json(Schemas::request::<KeyRequest>, examples)])
        .answer(
            Answer::json(201, "The key, with its secret.", Schemas::answer::<CreatedKey>)
                .with_header("Location", "Where it can be shown and deleted."),
        )
        .problems(&[BODY, CHANGE, &codes])
}

pub(super) fn get_key() -> Operation {
    Operation::new(Tag::Access, "Show a key", "Whose it is, and until when it counts.")
        .answer(Answer::json(200, "The key, without its secret.", Schemas::answer::<Key>))
        .problems(&[&[Code::KeyNotFound]])
}

pub(super) fn delete_key() -> Operation {
    Operation::new(Tag::Access, "Delete a key", "It counts for nothing from now on; what it opened is closed.")
        .answer(Answer::empty(204, "It is gone."))
        .problems(&[CHANGE, &[Code::KeyNotFound]])
}

pub(super) fn list_principals() -> Operation {
    Operation::new(Tag::Access, "List principals", "Principals with their grants and limits, by name, in pages.")
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
    let description = "Creates it, or says anew what it may do: what is not given is taken away.";
    let grants = json!([{ "topic_prefix": "orders-*", "actions": ["publish"] }]);
    let examples = [("publisher", json!({ "grants": grants, "limits": { "messages_per_s": 1000 } }))];
    Operation::new(Tag::Access, "Put a principal", description)
        .parameters([if_match()])
        .body([Content::json(Schemas::request::<PrincipalSettings>, examples)])
        .answer(Answer::json(201, "The principal, created.", Schemas::answer::<Principal>).with_etag())
        .answer(Answer::json(200, "The principal as it is now.", Schemas::answer::<Principal>).with_etag())
        .problems(&[BODY, CHANGE, &[Code::PrincipalNotFound, Code::PreconditionFailed, Code::LimitReached]])
}

pub(super) fn delete_principal() -> Operation {
    Operation::new(Tag::Access, "Delete a principal", "Its keys go with it.")
        .parameters([if_match()])
        .answer(Answer::empty(204, "It is gone."))
        .problems(&[CHANGE, &[Code::InvalidArgument, Code::PrincipalNotFound, Code::PreconditionFailed]])
}

pub(super) fn whoami() -> Operation {
    Operation::new(Tag::Access, "Who am I?", "Who the node takes the caller for, and what that allows.")
        .answer(Answer::json(200, "The caller.", Schemas::answer::<Whoami>))
}

pub(super) fn create_ticket() -> Operation {
    let description = "Opens connections in the caller's name for at most a minute, where a browser can't send a key: as the \
        subprotocol `ticket.TICKET` of a WebSocket, or as the parameter `ticket`. Where no keys are asked for there are none.";
    Operation::new(Tag::Access, "Get a ticket", description)
        .answer(Answer::json(201, "The ticket.", Schemas::answer::<Ticket>))
        .problems(&[&[Code::InvalidArgument]])
}
