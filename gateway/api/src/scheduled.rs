//! Messages that wait for their time of delivery.

use serde::{Deserialize, Serialize};

use crate::rfc3339::Timestamp;

/// A message that is not delivered yet, in the list of `GET /v1/topics/{topic}/scheduled`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScheduledMessage {
    /// Its id.
    pub id: String,
    /// Its partition.
    pub partition: u32,
    /// Its position in the partition.
    pub offset: u64,
    /// When it is to be delivered.
    pub deliver_at: Timestamp,
    /// Its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}
