//! Has the metadata go without replicas of this node that can't be counted on, as its shards find out.
//!
//! Each is proposed again and again until it holds, for as long as a shard waits for it: somebody may come back who can take
//! the partition over.

use std::collections::BTreeMap;

use futures_channel::oneshot;
use raft::{
    MetadataHandle, ProposeError,
    metadata::{Command, NodeId, Outcome, PartitionTarget, PartitionTransition, RefusedTransition, TransitionRefusal},
};
use shard::ReplicaFault;
use shard_core::model::TopicPartition;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use crate::limits;

/// Where shards say what they find out, and what has the metadata say so.
pub(crate) fn begin(node: NodeId, metadata: &MetadataHandle) -> (flume::Sender<ReplicaFault>, JoinHandle<()>) {
    let (faults, receiver) = flume::bounded(limits::REPLICA_FAULTS_MAX);
    let giving_up = GivingUp { node, metadata: metadata.clone(), pending: BTreeMap::new() };
    (faults, tokio::spawn(giving_up.run(receiver)))
}

/// What the metadata do not say yet.
struct GivingUp {
    node: NodeId,
    metadata: MetadataHandle,
    pending: BTreeMap<TopicPartition, Pending>,
}

/// A replica that is still counted on, or may be.
struct Pending {
    given_up: oneshot::Sender<()>,
    /// Whether it was said that nobody else has it.
    is_told: bool,
}

impl GivingUp {
    async fn run(mut self, faults: flume::Receiver<ReplicaFault>) {
        let mut due = Instant::now();
        loop {
            let fault = tokio::select! {
                fault = faults.recv_async() => fault.map(Some),
                () = sleep_until(due), if !self.pending.is_empty() => Ok(None),
            };
            let Ok(first) = fault else { return };
            let is_new = first.is_some();
            for ReplicaFault { partition, reason, given_up } in first.into_iter().chain(faults.try_iter()) {
                tracing::warn!(%partition, reason, "this node is not to be counted on for a partition");
                self.pending.insert(partition, Pending { given_up, is_told: false });
            }
            if is_new || Instant::now() >= due {
                self.propose().await;
                due = Instant::now() + limits::REPLICA_FAULT_PAUSE;
            }
        }
    }

    /// Proposes all that is pending, a part at a time.
    async fn propose(&mut self) {
        self.pending.retain(|_, pending| !pending.given_up.is_canceled());
        let all: Vec<_> = self.pending.keys().copied().collect();
        for part in all.chunks(limits::ISR_CHANGES_PER_COMMAND_MAX) {
            let changes: Vec<_> = part.iter().filter_map(|partition| self.transition(*partition)).collect();
            let proposed: Vec<_> = changes.iter().map(named).collect();
            for gone in part.iter().filter(|partition| !proposed.contains(partition)) {
                self.finish(*gone);
            }
            if changes.is_empty() {
                continue;
            }
            match self.metadata.propose(Command::ChangePartitions { changes }).await {
                Ok(Outcome::PartitionsChanged { refused, .. }) => self.take(&proposed, &refused),
                // It is tried again, and is refused then if it holds.
                Ok(_) | Err(ProposeError::Unknown { .. } | ProposeError::NotPublished { .. }) => {}
                Err(error) => tracing::debug!(%error, "the metadata can't be told now of replicas that failed"),
            }
        }
    }

    fn take(&mut self, proposed: &[TopicPartition], refused: &[RefusedTransition]) {
        for &partition in proposed {
            let is_of_this = |refused: &&RefusedTransition| {
                refused.topic == partition.topic && refused.partition == partition.partition.get()
            };
            match refused.iter().find(is_of_this).map(|refused| refused.reason) {
                None => {
                    tracing::info!(%partition, "this node is not counted on any more for a partition");
                    self.finish(partition);
                }
                Some(
                    TransitionRefusal::Unchanged
                    | TransitionRefusal::NotReplica { .. }
                    | TransitionRefusal::PartitionNotFound,
                ) => self.finish(partition),
                Some(reason @ TransitionRefusal::NobodyElse { .. }) => self.tell(partition, reason),
                // It has changed meanwhile, and is looked at again.
                Some(_) => {}
            }
        }
    }

    /// Says once that a partition stays here for want of another node that has it.
    fn tell(&mut self, partition: TopicPartition, reason: TransitionRefusal) {
        if let Some(pending) = self.pending.get_mut(&partition)
            && !std::mem::replace(&mut pending.is_told, true)
        {
            tracing::error!(%partition, %reason, "a partition stays on a node that can't be counted on");
        }
    }

    fn finish(&mut self, partition: TopicPartition) {
        if let Some(Pending { given_up, .. }) = self.pending.remove(&partition) {
            // The shard may have let go of the partition.
            let _ = given_up.send(());
        }
    }

    /// What is to be proposed of a partition, unless it is gone.
    fn transition(&self, partition: TopicPartition) -> Option<PartitionTransition> {
        let state = self.metadata.state();
        let placed = state.topic_by_id(partition.topic)?.partition(partition.partition)?;
        Some(PartitionTransition {
            topic: partition.topic,
            partition: partition.partition.get(),
            leader_epoch: placed.leader_epoch,
            partition_epoch: placed.partition_epoch,
            to: PartitionTarget::Without(self.node),
        })
    }
}

fn named(change: &PartitionTransition) -> TopicPartition {
    TopicPartition::new(change.topic, shard_core::model::PartitionIndex::new(change.partition))
}
