//! Liveness and readiness of a node.

use serde::{Deserialize, Serialize};

/// The answer of `GET /healthz` and `GET /readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Health {
    /// How the node is.
    pub status: HealthStatus,
    /// The partitions that stay closed since damage was found in them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<ClosedPartition>,
}

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Everything is served.
    Ok,
    /// The node serves, but some partitions are closed.
    Degraded,
    /// The node is not ready yet, or is going down.
    NotReady,
}

/// A partition that is not served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClosedPartition {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub partition: u32,
    /// What was found, with file and position.
    pub reason: String,
}

impl Health {
    /// A node that serves everything.
    #[must_use]
    pub fn ok() -> Self {
        Self { status: HealthStatus::Ok, closed: Vec::new() }
    }
}
