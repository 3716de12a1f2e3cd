//! Consumers that have partitions of their own.

use gateway_api::{
    Code,
    groups::{HeartbeatRequest, JoinRequest, Membership},
};
use serde_json::json;

use super::BODY;
use crate::describe::{
    operation::{Answer, Content, Operation, Tag},
    schemas::Schemas,
};

/// A subscription of consumption `assigned`.
const ASSIGNED: &str = "kitchen-assigned";
/// The problems of whoever speaks with the group.
const GROUP: &[Code] = &[Code::ConsumerNotFound, Code::SubscriptionNotFound, Code::LimitReached, Code::Timeout];

pub(super) fn join() -> Operation {
    let description = "The subscription's partitions are shared out among its consumers anew. A consumer that names an id which \
        is a member stays one.";
    Operation::new(Tag::ConsumerGroups, "Join", description)
        .path_example("subscription", ASSIGNED)
        .optional_body([Content::json(
            Schemas::request::<JoinRequest>,
            [("named", json!({ "consumer_id": "barista-1" }))],
        )])
        .answer(Answer::json(201, "The consumer's partitions.", Schemas::answer::<Membership>))
        .problems(&[BODY, GROUP])
}

pub(super) fn heartbeat() -> Operation {
    let description = "The consumer lives, and says which generation it has adopted: the partitions that it had before and has \
        no longer go to others. A consumer that is silent for the subscription's `session_timeout_ms` has left.";
    Operation::new(Tag::ConsumerGroups, "Heartbeat", description)
        .path_example("subscription", ASSIGNED)
        .optional_body([Content::json(Schemas::request::<HeartbeatRequest>, [("adopted", json!({ "generation": 1 }))])])
        .answer(Answer::json(200, "The consumer's partitions now.", Schemas::answer::<Membership>))
        .problems(&[BODY, GROUP])
}

pub(super) fn leave() -> Operation {
    Operation::new(Tag::ConsumerGroups, "Leave", "The consumer's partitions go to others.")
        .path_example("subscription", ASSIGNED)
        .answer(Answer::empty(204, "It is no member any more."))
        .problems(&[&[Code::InvalidArgument], GROUP])
}
