//! Every route in words: one description each, in the file of its subject.

mod access;
mod cluster;
mod consuming;
mod groups;
mod letters;
mod node;
mod publishing;
mod subscriptions;
mod topics;

use gateway_api::{Code, limits};
use serde_json::{Value, json};
use shard_core::limits::NAME_LENGTH_MAX;

use super::{
    bounds::{CONSUMER_PATTERN, KEY_ID_PATTERN, NAME_PATTERN, PRINCIPAL_PATTERN, TOKEN_PATTERN, VISIBLE_PATTERN},
    operation::{Operation, Parameter},
};
use crate::http::router::Route;

/// What a route does.
pub(super) fn describe(route: Route) -> Operation {
    match route {
        Route::ListTopics => topics::list(),
        Route::PutTopic => topics::put(),
        Route::GetTopic => topics::get(),
        Route::PatchTopic => topics::patch(),
        Route::DeleteTopic => topics::delete(),
        Route::PublishBatch => publishing::batch(),
        Route::PublishOne => publishing::one(),
        Route::ReadPartition => publishing::read(),
        Route::Events => publishing::events(),
        Route::ListScheduled => publishing::list_scheduled(),
        Route::CancelScheduled => publishing::cancel_scheduled(),
        Route::ListSubscriptions => subscriptions::list(),
        Route::PutSubscription => subscriptions::put(),
        Route::GetSubscription => subscriptions::get(),
        Route::PatchSubscription => subscriptions::patch(),
        Route::DeleteSubscription => subscriptions::delete(),
        Route::Seek => subscriptions::seek(),
        Route::Pull => consuming::pull(),
        Route::Ack => consuming::ack(),
        Route::Nack => consuming::nack(),
        Route::Extend => consuming::extend(),
        Route::JoinConsumer => groups::join(),
        Route::HeartbeatConsumer => groups::heartbeat(),
        Route::LeaveConsumer => groups::leave(),
        Route::ListDeadLetters => letters::list(),
        Route::Redrive => letters::redrive(),
        Route::ListKeys => access::list_keys(),
        Route::CreateKey => access::create_key(),
        Route::GetKey => access::get_key(),
        Route::DeleteKey => access::delete_key(),
        Route::ListPrincipals => access::list_principals(),
        Route::GetPrincipal => access::get_principal(),
        Route::PutPrincipal => access::put_principal(),
        Route::DeletePrincipal => access::delete_principal(),
        Route::GetCluster => cluster::show(),
        Route::Rebalance => cluster::rebalance(),
        Route::TransferLeadership => cluster::leader(),
        Route::GetNode => cluster::node(),
        Route::DeleteNode => cluster::remove(),
        Route::DrainNode => cluster::drain(),
        Route::MovePartition => cluster::move_partition(),
        Route::ElectUnclean => cluster::elect_unclean(),
        Route::VerifyPartition => cluster::verify(),
        Route::Whoami => access::whoami(),
        Route::CreateTicket => access::create_ticket(),
        Route::WebSocket => node::websocket(),
        Route::Healthz => node::healthz(),
        Route::Readyz => node::readyz(),
        Route::OpenApi => node::openapi(),
        Route::AsyncApi => node::asyncapi(),
        Route::Home => node::home(),
        Route::Docs => node::docs(),
        Route::DocsFile => node::docs_file(),
    }
}

/// The problems that any request can have.
pub(super) const ANY_REQUEST: &[Code] = &[
    Code::InvalidRequest,
    Code::RequestTimeout,
    Code::BodyTooLarge,
    Code::UriTooLong,
    Code::UnsupportedMediaType,
    Code::ExpectationFailed,
    Code::HeadTooLarge,
    Code::Internal,
    Code::NotImplemented,
    Code::Overloaded,
    Code::NodeUnavailable,
    Code::VersionNotSupported,
];

/// The problems of requests that need a key.
pub(super) const ANY_GUARDED: &[Code] = &[Code::Unauthenticated, Code::Forbidden, Code::RateLimited];

/// The problems of a body in JSON.
const BODY: &[Code] = &[Code::InvalidJson, Code::UnknownField, Code::InvalidArgument];
/// The problems of query parameters.
const QUERY: &[Code] = &[Code::UnknownField, Code::InvalidArgument];
/// The problems of a change of the metadata.
const CHANGE: &[Code] = &[Code::MetadataUnavailable, Code::Timeout];
/// The problems of a partition that is asked.
const PARTITION: &[Code] = &[Code::StoreUnavailable, Code::PartitionClosed, Code::PartitionUnavailable];
/// The problems of a subscription's partitions.
const CURSOR: &[Code] = &[
    Code::SubscriptionNotFound,
    Code::StaleGeneration,
    Code::ConsumerDisplaced,
    Code::OffsetOutOfRange,
    Code::OffsetExpired,
    Code::DataCorrupt,
    Code::StoreUnavailable,
    Code::PartitionClosed,
    Code::PartitionUnavailable,
    Code::Timeout,
];

/// A variable part of a path, by its name there.
pub(super) fn path_parameter(name: &str) -> Parameter {
    let text =
        |pattern: &str, max: usize| json!({ "type": "string", "pattern": pattern, "minLength": 1, "maxLength": max });
    let path = |schema: Value, description: &str| Parameter::path(name, schema, description);
    match name {
        "topic" => path(text(NAME_PATTERN, NAME_LENGTH_MAX), "The topic's name.").example("orders"),
        "subscription" => path(text(NAME_PATTERN, NAME_LENGTH_MAX), "The subscription's name.").example("kitchen"),
        "consumer" => {
            let schema = text(CONSUMER_PATTERN, limits::CONSUMER_ID_LENGTH_MAX);
            path(schema, "The consumer's id.").example("barista-1")
        }
        "partition" => path(number(0, u32::MAX.into()), "The partition's number, from 0.").example(0),
        "key" => path(text(KEY_ID_PATTERN, raft::limits::KEY_ID_LENGTH), "The key's id.").example("abcdefgh2345"),
        "principal" => {
            let schema = text(PRINCIPAL_PATTERN, raft::limits::PRINCIPAL_NAME_BYTES_MAX);
            path(schema, "The principal's name.").example("billing-service")
        }
        "node" => path(number(0, u64::MAX), "The node's number.").example(1),
        "id" => path(text(VISIBLE_PATTERN, limits::MESSAGE_ID_LENGTH_MAX), "The message's id.").example("reminder-17"),
        other => Parameter::path(other, json!({ "type": "string", "minLength": 1 }), format!("The {other}.")),
    }
}

/// A whole number within bounds.
fn number(min: u64, max: u64) -> Value {
    json!({ "type": "integer", "minimum": min, "maximum": max })
}

/// A whole number that is something if it is not given.
fn number_or(default: u32, min: u64, max: u64) -> Value {
    json!({ "type": "integer", "minimum": min, "maximum": max, "default": default })
}

/// The parameters of a list.
fn page() -> [Parameter; 2] {
    let size = number_or(limits::PAGE_SIZE_DEFAULT, 0, limits::PAGE_SIZE_MAX.into());
    let token = json!({ "type": "string", "pattern": TOKEN_PATTERN });
    [
        Parameter::query("page_size", size, "At most so many items; 0 is 1.").example(10),
        Parameter::query("page_token", token, "The `next_page_token` of the page before."),
    ]
}

/// A look only at what the client has not seen.
fn if_none_match() -> Parameter {
    let schema = json!({ "type": "string" });
    Parameter::header("If-None-Match", schema, "Answers 304 if its configuration is still that of one of these tags.")
}

/// A change only of what the client has seen.
fn if_match() -> Parameter {
    let schema = json!({ "type": "string" });
    Parameter::header("If-Match", schema, "Changes it only if its `ETag` is still one of these, or with `*` any.")
}
