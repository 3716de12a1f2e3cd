//! Lease ids: they name one delivery of one message and can't be guessed.

use std::{fmt, hash::Hasher as _};

use bytes::BufMut as _;
use siphasher::sip::SipHasher24;

use crate::model::{Offset, SubscriptionId, TopicPartition};

/// What is hashed for a lease: a word, four numbers of 8 bytes, one of 4.
const TAGGED_BYTES: usize = 44;

/// A connection or member that leases are tied to; 0 for a pull that outlives its connection.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct ConsumerId(pub u64);

/// Names one delivery of one message; it can't be guessed.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct LeaseId {
    /// Rises with each lease of a subscription on a partition, also over restarts.
    pub sequence: u64,
    /// Keyed hash over subscription, partition, offset and sequence.
    pub tag: u64,
}

/// The secret that all nodes of a cluster share and that lease ids are made with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClusterKey([u8; 16]);

/// Makes and verifies the lease ids of one subscription on one partition.
#[derive(Clone, Copy, Debug)]
pub struct LeaseSigner {
    key: ClusterKey,
    subscription: SubscriptionId,
    partition: TopicPartition,
}

impl ClusterKey {
    /// Wraps 16 random bytes.
    #[must_use]
    pub const fn new(key: [u8; 16]) -> Self {
        Self(key)
    }
}

impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterKey(secret)")
    }
}

impl LeaseSigner {
    /// A signer for `subscription` on `partition`.
    #[must_use]
    pub const fn new(key: ClusterKey, subscription: SubscriptionId, partition: TopicPartition) -> Self {
        Self { key, subscription, partition }
    }

    /// The id of lease number `sequence`, which hands out the message at `offset`.
    #[must_use]
    pub fn sign(&self, offset: Offset, sequence: u64) -> LeaseId {
        LeaseId { sequence, tag: self.tag(offset, sequence) }
    }

    /// Whether `lease` was made by `sign` for `offset`, with this key, subscription and partition.
    #[must_use]
    pub fn verify(&self, offset: Offset, lease: LeaseId) -> bool {
        // One comparison of whole words: the time it takes says nothing about how many bits are right.
        (self.tag(offset, lease.sequence) ^ lease.tag) == 0
    }

    /// Stands for an ordering key. Two keys with one hash are delivered as if they were one.
    #[must_use]
    pub fn hash(&self, key: &str) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.key.0);
        hasher.write(b"ordering key");
        hasher.write(key.as_bytes());
        hasher.finish()
    }

    fn tag(&self, offset: Offset, sequence: u64) -> u64 {
        // Put together first: to hash it piece by piece takes twice as long.
        let mut bytes = [0; TAGGED_BYTES];
        let mut rest = bytes.as_mut_slice();
        rest.put_slice(b"lease id");
        rest.put_u64_le(self.subscription.get());
        rest.put_u64_le(self.partition.topic.get());
        rest.put_u32_le(self.partition.partition.get());
        rest.put_u64_le(offset.get());
        rest.put_u64_le(sequence);
        SipHasher24::new_with_key(&self.key.0).hash(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PartitionIndex, TopicId};

    fn signer(key: u8, subscription: u64, topic: u64, partition: u32) -> LeaseSigner {
        let partition = TopicPartition::new(TopicId::new(topic), PartitionIndex::new(partition));
        LeaseSigner::new(ClusterKey::new([key; 16]), SubscriptionId::new(subscription), partition)
    }

    #[test]
    fn a_lease_id_holds_for_its_own_key_subscription_partition_offset_and_sequence_only() {
        let offset = Offset::new(5);
        let lease = signer(1, 2, 3, 4).sign(offset, 6);
        assert!(signer(1, 2, 3, 4).verify(offset, lease));
        for other in [signer(9, 2, 3, 4), signer(1, 9, 3, 4), signer(1, 2, 9, 4), signer(1, 2, 3, 9)] {
            assert!(!other.verify(offset, lease), "{other:?}");
        }
        assert!(!signer(1, 2, 3, 4).verify(Offset::new(9), lease));
        assert!(!signer(1, 2, 3, 4).verify(offset, LeaseId { sequence: 9, ..lease }));
        for bit in 0..64 {
            let forged = LeaseId { tag: lease.tag ^ (1 << bit), ..lease };
            assert!(!signer(1, 2, 3, 4).verify(offset, forged), "bit {bit}");
        }
    }

    #[test]
    fn lease_ids_are_the_same_in_every_build() {
        // Ids outlive a restart and an upgrade, so the bytes that are hashed are frozen.
        assert_eq!(signer(1, 2, 3, 4).sign(Offset::new(5), 6).tag, 5_717_326_266_520_397_759);
    }

    #[test]
    fn a_key_is_not_printed() {
        assert_eq!(format!("{:?}", ClusterKey::new([7; 16])), "ClusterKey(secret)");
    }
}
