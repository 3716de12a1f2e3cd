//! A gateway's way to the partitions of the node, whichever core they are on.
#![expect(unused, reason = "the interface first; bodies follow")]

use shard_core::{
    format::record_batch::UnassignedBatch,
    model::{Offset, SubscriptionId, TopicPartition},
};

use crate::request::{
    AckAction, AckOutcome, ConsumerId, CursorStatus, LeaseId, PartitionStatus, PartitionSubscription,
    PartitionUnavailable, PublishError, Published, PullRequest, Pulled, ReadError, ReadReply, ReadRequest, SeekTo,
    SubscriptionError,
};

/// Sends requests to the owners of partitions; one per core, cloned into each connection.
#[derive(Clone, Debug)]
pub struct ShardHandle {}

impl ShardHandle {
    /// How many shards the node has.
    #[must_use]
    pub fn shard_count(&self) -> usize {
        todo!()
    }

    /// Publishes one batch; answered when it is as durable as the partition's configuration says.
    ///
    /// # Errors
    /// Says whether the batch may be there all the same.
    pub async fn publish(&self, partition: TopicPartition, batch: UnassignedBatch) -> Result<Published, PublishError> {
        todo!()
    }

    /// Reads batches without a subscription.
    ///
    /// # Errors
    /// A position outside the log, damage, or a partition that can't serve.
    pub async fn read(&self, partition: TopicPartition, read: ReadRequest) -> Result<ReadReply, ReadError> {
        todo!()
    }

    /// Describes a partition, closed ones too.
    ///
    /// # Errors
    /// A partition that is not here.
    pub async fn status(&self, partition: TopicPartition) -> Result<PartitionStatus, PartitionUnavailable> {
        todo!()
    }

    /// Leases messages to a consumer; does not wait for any.
    ///
    /// # Errors
    /// Nothing was leased.
    pub async fn pull(&self, cursor: PartitionSubscription, pull: PullRequest) -> Result<Pulled, SubscriptionError> {
        todo!()
    }

    /// Acks, nacks or extends leases; outcomes are in the order of `leases` and durable.
    ///
    /// # Errors
    /// None of them is known to hold.
    pub async fn acknowledge(
        &self,
        cursor: PartitionSubscription,
        action: AckAction,
        leases: Vec<(Offset, LeaseId)>,
    ) -> Result<Vec<AckOutcome>, SubscriptionError> {
        todo!()
    }

    /// Acks every offset up to and with `up_to`; durable when answered.
    ///
    /// # Errors
    /// It is not known to hold.
    pub async fn ack_up_to(&self, cursor: PartitionSubscription, up_to: Offset) -> Result<(), SubscriptionError> {
        todo!()
    }

    /// Sets the cursor; durable when answered, all leases are void.
    ///
    /// # Errors
    /// It is not known to hold.
    pub async fn seek(&self, cursor: PartitionSubscription, to: SeekTo) -> Result<(), SubscriptionError> {
        todo!()
    }

    /// Describes a subscription's cursor on a partition.
    ///
    /// # Errors
    /// A partition or subscription that is not here.
    pub async fn cursor_status(&self, cursor: PartitionSubscription) -> Result<CursorStatus, SubscriptionError> {
        todo!()
    }

    /// Returns when a pull on one of `partitions` of the subscription may give something; dropping it is safe.
    ///
    /// # Errors
    /// A core that can't serve.
    pub async fn await_deliverable(
        &self,
        subscription: SubscriptionId,
        partitions: &[TopicPartition],
    ) -> Result<(), PartitionUnavailable> {
        todo!()
    }

    /// Makes what a consumer holds on a partition deliverable again at once.
    pub async fn release_consumer(&self, cursor: PartitionSubscription, consumer: ConsumerId) {
        todo!()
    }
}
