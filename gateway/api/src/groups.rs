//! Consumer groups: consumers that have partitions of their own.

use serde::{Deserialize, Serialize};

/// The body of `POST /v1/subscriptions/{subscription}/consumers`; it may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// The consumer's id, 1 to 128 visible ASCII characters without `/`; the node makes one if none is given. A consumer
    /// that is a member under this id stays one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer_id: Option<String>,
}

/// The body of `PUT /v1/subscriptions/{subscription}/consumers/{consumer}/heartbeat`; it may be left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HeartbeatRequest {
    /// The generation that the consumer has adopted: it uses no partition any more that was taken from it up to then. The
    /// one that it was answered last if none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}

/// The answer to a join and to a heartbeat: how the consumer's membership stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Membership {
    /// The consumer's id.
    pub consumer_id: String,
    /// The generation of the assignment, to be stated with each pull.
    pub generation: u64,
    /// The partitions that are the consumer's.
    pub partitions: Vec<u32>,
    /// How often to send a heartbeat.
    pub heartbeat_interval_ms: u64,
}
