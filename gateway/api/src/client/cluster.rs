//! The cluster: look at it, and operate it.

use std::time::Duration;

use hyper::Method;

use super::target::Target;
use super::{Client, ClientError, Request};
use crate::cluster::{
    Cluster, ClusterNode, DrainRequest, LeaderRequest, MoveRequest, MovedPartition, RemovedNode, UncleanElectRequest,
    UncleanElected,
};
use crate::verify::{Verified, VerifyRequest};

impl Client {
    /// The cluster and its nodes.
    ///
    /// # Errors
    /// The caller may not see it, or the node could not be asked.
    pub async fn cluster(&self) -> Result<Cluster, ClientError> {
        self.get(Target::new("/v1/cluster")).await?.json()
    }

    /// One node of the cluster.
    ///
    /// # Errors
    /// There is no such node, or the caller may not see it.
    pub async fn cluster_node(&self, node: u64) -> Result<ClusterNode, ClientError> {
        self.get(nodes(node)).await?.json()
    }

    /// Has a node emptied, or stops that.
    ///
    /// # Errors
    /// There is no such node, or nobody leads the cluster.
    pub async fn drain_node(&self, node: u64, draining: bool) -> Result<ClusterNode, ClientError> {
        let request = DrainRequest { draining: Some(draining) };
        self.post(nodes(node).segment("drain"), &request, Duration::ZERO).await?.json()
    }

    /// Removes a node for good; by force, with what only it has.
    ///
    /// # Errors
    /// It is needed still, or nobody leads the cluster; the problem says what to do first.
    pub async fn remove_node(&self, node: u64, force: bool) -> Result<RemovedNode, ClientError> {
        let target = nodes(node).query("force", force);
        self.call(Request::new(Method::DELETE, target.into_string()), Duration::ZERO).await?.json()
    }

    /// Has the partitions evened out; the answer shows the cluster before anything has moved.
    ///
    /// # Errors
    /// Nobody leads the cluster.
    pub async fn rebalance(&self) -> Result<Cluster, ClientError> {
        let request = Request::new(Method::POST, "/v1/cluster/rebalance".to_owned());
        self.call(request, Duration::ZERO).await?.json()
    }

    /// Has a node own a partition.
    ///
    /// # Errors
    /// It can't be moved there, or nobody leads the cluster.
    pub async fn move_partition(&self, topic: &str, partition: u32, to: u64) -> Result<MovedPartition, ClientError> {
        let target = Target::new("/v1/topics").segment(topic).segment("partitions");
        let target = target.segment(partition).segment("move");
        self.post(target, &MoveRequest { node: to }, Duration::ZERO).await?.json()
    }

    /// Has a node own a partition with what it has, and gives up what was acknowledged beyond it. Without a node, it is the
    /// first that is up of those that keep the partition.
    ///
    /// # Errors
    /// A node lives that holds everything, or the named one can't own it; or nobody leads the cluster.
    pub async fn unclean_elect(
        &self,
        topic: &str,
        partition: u32,
        node: Option<u64>,
    ) -> Result<UncleanElected, ClientError> {
        let target = Target::new("/v1/topics").segment(topic).segment("partitions");
        let target = target.segment(partition).segment("unclean-elect");
        self.post(target, &UncleanElectRequest { node, accept_loss: true }, Duration::ZERO).await?.json()
    }

    /// Has the nodes that keep a partition compare a stretch of it, from an offset on or from its start.
    ///
    /// # Errors
    /// Its owner can't be asked.
    pub async fn verify_partition(
        &self,
        topic: &str,
        partition: u32,
        from_offset: Option<u64>,
    ) -> Result<Verified, ClientError> {
        let target = Target::new("/v1/topics").segment(topic).segment("partitions");
        let target = target.segment(partition).segment("verify");
        self.post(target, &VerifyRequest { from_offset }, Duration::ZERO).await?.json()
    }

    /// Has another node lead the metadata.
    ///
    /// # Errors
    /// It can't lead, or nobody leads the cluster.
    pub async fn transfer_leadership(&self, to: Option<u64>) -> Result<Cluster, ClientError> {
        self.post(Target::new("/v1/cluster/leader"), &LeaderRequest { node: to }, Duration::ZERO).await?.json()
    }
}

fn nodes(node: u64) -> Target {
    Target::new("/v1/cluster/nodes").segment(node)
}
