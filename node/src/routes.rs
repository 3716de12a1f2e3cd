//! Tells the shards who owns what and where the other nodes are, as the metadata say.

use std::{collections::HashMap, sync::Arc, time::Duration};

use raft::{
    Contact, MetadataHandle,
    metadata::{ClusterState, NodeId, Topic},
};
use shard::{NodeRoute, PartitionRoute, RouteTable, Routes};
use shard_core::{
    link::{ClusterText, LinkIdentity},
    model::TopicId,
};
use tokio::time::{MissedTickBehavior, interval};

use crate::limits;

/// The table that the shards of this node look into, and who writes it.
#[derive(Debug)]
pub(crate) struct RouteBoard {
    routes: Routes,
    us: LinkIdentity,
    /// What was made of each topic, and of which state of it: those that did not change are not made again.
    made: HashMap<TopicId, (Arc<Topic>, Arc<[PartitionRoute]>)>,
}

impl RouteBoard {
    /// A table without any partition, for a node of which the metadata know who it is.
    pub(crate) fn new(cluster: &ClusterState, node: u64, epoch: u64) -> Self {
        let us = LinkIdentity { cluster: ClusterText::new(cluster.cluster_id()), node: Some(node), incarnation: epoch };
        Self { routes: Routes::new(RouteTable::alone(us.clone())), us, made: HashMap::new() }
    }

    /// The table, for the shards.
    pub(crate) fn routes(&self) -> Routes {
        self.routes.clone()
    }

    /// The metadata are like this now, and what this node has come to own is open.
    pub(crate) fn publish(&mut self, state: &ClusterState) {
        let made = state.topics().map(|topic| {
            let known = self.made.get(&topic.id).filter(|(of, _)| Arc::ptr_eq(of, topic));
            let routes = known.map_or_else(|| routes_of(topic), |(_, routes)| Arc::clone(routes));
            (topic.id, (Arc::clone(topic), routes))
        });
        self.made = made.collect();
        let nodes = state.nodes().map(|node| {
            let shard_count = usize::try_from(node.shards).unwrap_or(1).max(1);
            (node.id.get(), NodeRoute { address: node.address.clone(), shard_count, up: !node.fenced })
        });
        let topics = self.made.iter().map(|(id, (_, routes))| (*id, Arc::clone(routes))).collect();
        // The version is the board's own.
        self.routes.publish(RouteTable { version: 0, us: self.us.clone(), nodes: nodes.collect(), topics });
    }
}

/// Tells the shards how long nobody else is given what this node has, until the task is aborted.
///
/// A node that was cut off may own less than its shards have been told: it serves again only once they know all that the
/// cluster had decided when it was heard of again.
pub(crate) async fn watch_contact((contact, metadata): (Contact, MetadataHandle), routes: Routes) {
    let mut looks = interval(limits::CONTACT_LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_cut_off = false;
    loop {
        looks.tick().await;
        let silence = contact.silence();
        let versions = (metadata.state().version(), contact.version());
        if let Some(left) = serves_for(silence, was_cut_off || routes.is_cut_off(), versions) {
            routes.serve_for(left);
        }
        let is_cut_off = routes.is_cut_off();
        if is_cut_off != was_cut_off {
            if is_cut_off {
                tracing::warn!("no majority of the cluster is heard of: no partition is served until it is");
            } else {
                tracing::info!("a majority of the cluster is heard of again");
            }
            was_cut_off = is_cut_off;
        }
    }
}

/// For how long a node may go on to serve that last heard of a majority a while ago; `None` if it may not. After it was cut
/// off it has to know first, as `known`, what the cluster had `decided`.
fn serves_for(silence: Duration, was_cut_off: bool, (known, decided): (u64, u64)) -> Option<Duration> {
    let left = limits::CONTACT_SILENCE_MAX.checked_sub(silence)?;
    (!was_cut_off || known >= decided).then_some(left)
}

fn routes_of(topic: &Topic) -> Arc<[PartitionRoute]> {
    let routes = topic
        .partitions
        .iter()
        .map(|partition| PartitionRoute { owner: partition.owner.map(NodeId::get), epoch: partition.leader_epoch });
    routes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_serves_as_long_as_nobody_else_is_given_what_it_has() {
        let second = Duration::from_secs(1);
        assert_eq!(serves_for(second, false, (3, 9)), limits::CONTACT_SILENCE_MAX.checked_sub(second));
        assert_eq!(serves_for(limits::CONTACT_SILENCE_MAX, false, (9, 9)), Some(Duration::ZERO));
        assert_eq!(serves_for(limits::CONTACT_SILENCE_MAX + Duration::from_millis(1), false, (9, 9)), None);
    }

    #[test]
    fn a_node_that_was_cut_off_learns_first_what_was_decided() {
        assert_eq!(serves_for(Duration::ZERO, true, (8, 9)), None);
        assert_eq!(serves_for(Duration::ZERO, true, (9, 9)), Some(limits::CONTACT_SILENCE_MAX));
    }
}
