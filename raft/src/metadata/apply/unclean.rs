//! How an operator gives up what was acknowledged, so that a partition can be used again.

use crate::metadata::{ClusterState, NodeId, Partition, TransitionRefusal};

impl ClusterState {
    /// A replica that may lack something owns a partition, as nobody who holds everything lives.
    pub(super) fn elect_unclean(
        &self,
        partition: &mut Partition,
        owner: NodeId,
        min_insync: u16,
    ) -> Result<(), TransitionRefusal> {
        if self.shared_store() == Some(true) {
            return Err(TransitionRefusal::SharedStore);
        }
        if !partition.replicas.contains(&owner) {
            return Err(TransitionRefusal::NotReplica { node: owner });
        }
        self.check_live(owner)?;
        let mut holders = partition.isr.iter().chain(&partition.elr).copied();
        if let Some(node) = holders.find(|node| self.is_live(*node)) {
            return Err(TransitionRefusal::StillHeld { node });
        }
        partition.begin_incarnation(owner, min_insync);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{
        PartitionTarget,
        apply::fixture::{Cluster, node},
    };

    fn give_up(cluster: &mut Cluster, to: u64) -> Result<(), TransitionRefusal> {
        cluster.change(cluster.transition(PartitionTarget::Unclean(node(to))))
    }

    #[test]
    fn what_was_acknowledged_is_given_up_only_when_nobody_who_holds_it_lives() {
        let mut cluster = Cluster::new(4, false);
        cluster.create_topic(3, 2);
        cluster.fence(3);
        cluster.unfence(3);
        cluster.fence(2);
        assert_eq!(cluster.sets(), (vec![1], vec![2]));
        assert_eq!(give_up(&mut cluster, 3), Err(TransitionRefusal::StillHeld { node: node(1) }));
        cluster.fence(1);
        assert_eq!(give_up(&mut cluster, 4), Err(TransitionRefusal::NotReplica { node: node(4) }));
        assert_eq!(give_up(&mut cluster, 2), Err(TransitionRefusal::NodeNotLive { node: node(2) }));
        cluster.unfence(2);
        assert_eq!(give_up(&mut cluster, 3), Err(TransitionRefusal::StillHeld { node: node(2) }), "of the ELR");
        cluster.fence(2);
        let epoch = cluster.partition().leader_epoch.get();
        give_up(&mut cluster, 3).unwrap();
        assert_eq!((cluster.owner(), cluster.sets()), (3, (vec![3], vec![])));
        assert_eq!((cluster.partition().incarnation, cluster.partition().leader_epoch.get()), (1, epoch + 1));
        cluster.unfence(1);
        assert!(cluster.give_to(1).is_err(), "it holds what was given up");
    }

    #[test]
    fn where_every_node_reaches_the_messages_nothing_is_given_up() {
        let mut cluster = Cluster::new(2, true);
        cluster.create_topic(1, 1);
        cluster.fence(1);
        assert_eq!(give_up(&mut cluster, 2), Err(TransitionRefusal::SharedStore));
    }
}
