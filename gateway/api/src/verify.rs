//! Comparing the replicas of a partition.

use serde::{Deserialize, Serialize};

/// The body of `POST /v1/topics/{topic}/partitions/{partition}/verify`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// Where to begin; where the log of the owner starts if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_offset: Option<u64>,
}

/// How the replicas of a partition compare in one stretch of its log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Verified {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: u32,
    /// Where the stretch begins.
    pub from_offset: u64,
    /// Where it ends, and the next one begins; the high watermark once all is compared.
    pub next_offset: u64,
    /// What is committed lies below.
    pub high_watermark: u64,
    /// How many bytes the owner has in this stretch.
    pub bytes: u64,
    /// Each node that keeps the partition.
    pub replicas: Vec<ReplicaVerdict>,
}

/// What one replica has of a stretch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReplicaVerdict {
    /// The node.
    pub node: u64,
    /// How it compares.
    pub state: ReplicaState,
    /// What is wrong, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// How a replica compares with the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReplicaState {
    /// Byte for byte the same.
    Same,
    /// Other bytes: nothing repairs that by itself.
    Differs,
    /// It can't read what it has; it is set aside and fetched again.
    Damaged,
    /// It has not fetched so far yet, and is not in sync.
    Behind,
    /// Its log starts later: retention was further there.
    StartsLater,
    /// It did not answer, or does not keep the partition now.
    Unavailable,
}

impl ReplicaState {
    /// Its name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::Damaged => "damaged",
            Self::Behind => "behind",
            Self::StartsLater => "starts_later",
            Self::Unavailable => "unavailable",
        }
    }
}
