//! Says to the metadata who is in sync, as the leaders on this node's cores find out.

use raft::{
    MetadataHandle, MetadataNode, ProposeError,
    metadata::{Command, NodeId, NodeRun, Outcome, PartitionTarget, PartitionTransition, TransitionRefusal},
};
use shard::{IsrProposal, ReplicationConfig};
use shard_core::replication::{self, ProposalEnd};
use tokio::task::JoinHandle;

use crate::{
    config::{Config, Store},
    faults, limits,
};

/// What the shards of this run of the node need, where messages lie with their owners, and what says what they find out.
pub(crate) fn begin(
    (config, shard_count): (&Config, usize),
    node: &MetadataNode,
    metadata: &MetadataHandle,
) -> Option<(ReplicationConfig, [JoinHandle<()>; 2])> {
    if config.store == Store::Redis {
        return None;
    }
    let run = replication::NodeRun { node: config.cluster.node_id, epoch: node.epoch() };
    let (proposals, receiver) = flume::bounded(limits::ISR_PROPOSALS_MAX);
    let (faults, given_up) = faults::begin(NodeId::new(config.cluster.node_id), metadata);
    let catch_up_rate = config.cluster.catch_up_rate_of_core(shard_count);
    let replication = ReplicationConfig { run, proposals, faults, lag_max: limits::REPLICA_LAG_MAX, catch_up_rate };
    Some((replication, [tokio::spawn(propose(receiver, metadata.clone())), given_up]))
}

/// Proposes what the shards say, all that has come together, until they have ended.
async fn propose(proposals: flume::Receiver<IsrProposal>, metadata: MetadataHandle) {
    while let Ok(first) = proposals.recv_async().await {
        let rest = proposals.try_iter().take(limits::ISR_CHANGES_PER_COMMAND_MAX - 1);
        let batch: Vec<_> = std::iter::once(first).chain(rest).collect();
        let metadata = metadata.clone();
        // Others need not wait for the answer.
        tokio::spawn(async move {
            let changes = batch.iter().map(transition).collect();
            let end = metadata.propose(Command::ChangePartitions { changes }).await;
            for proposal in batch {
                answer(proposal, &end);
            }
        });
    }
}

fn transition(proposal: &IsrProposal) -> PartitionTransition {
    let run = |run: &replication::NodeRun| NodeRun { node: NodeId::new(run.node), epoch: run.epoch };
    PartitionTransition {
        topic: proposal.partition.topic,
        partition: proposal.partition.partition.get(),
        leader_epoch: proposal.leader_epoch,
        partition_epoch: proposal.partition_epoch,
        to: PartitionTarget::InSync {
            isr: proposal.isr.iter().copied().map(NodeId::new).collect(),
            joining: proposal.joining.iter().map(run).collect(),
        },
    }
}

/// Tells a shard what became of its proposal, unless it hears of that as of any change of the metadata.
fn answer(proposal: IsrProposal, end: &Result<Outcome, ProposeError>) {
    let IsrProposal { partition, answer, .. } = proposal;
    let told = match end {
        Ok(Outcome::PartitionsChanged { refused, .. }) => {
            let mut of_this = refused
                .iter()
                .filter(|refused| refused.topic == partition.topic && refused.partition == partition.partition.get());
            of_this.next().map(|refused| {
                tracing::debug!(%partition, reason = %refused.reason, "who is in sync was not changed");
                // An earlier one of the same may hold.
                let is_stale = matches!(refused.reason, TransitionRefusal::Stale { .. });
                if is_stale { ProposalEnd::Unknown } else { ProposalEnd::Refused }
            })
        }
        Ok(_) | Err(ProposeError::Unknown { .. } | ProposeError::NotPublished { .. }) => Some(ProposalEnd::Unknown),
        Err(_) => Some(ProposalEnd::Refused),
    };
    if let Some(told) = told {
        // The shard may have let go of the partition.
        let _ = answer.send(told);
    }
}
