//! How the words of the data plane are sent in requests and answers.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shard_core::model::{PartitionIndex, SubscriptionId};

/// A subscription's id, as a number.
pub(super) mod subscription_id {
    use super::{Deserialize, Deserializer, Serialize, Serializer, SubscriptionId};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference to the field")]
    pub(in crate::groups) fn serialize<S: Serializer>(id: &SubscriptionId, to: S) -> Result<S::Ok, S::Error> {
        id.get().serialize(to)
    }

    pub(in crate::groups) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SubscriptionId, D::Error> {
        u64::deserialize(from).map(SubscriptionId::new)
    }
}

/// Partitions, as numbers.
pub(super) mod partitions {
    use super::{Deserialize, Deserializer, PartitionIndex, Serializer};

    pub(in crate::groups) fn serialize<S: Serializer>(partitions: &[PartitionIndex], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(partitions.iter().map(|partition| partition.get()))
    }

    pub(in crate::groups) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<PartitionIndex>, D::Error> {
        Ok(Vec::<u32>::deserialize(from)?.into_iter().map(PartitionIndex::new).collect())
    }
}
