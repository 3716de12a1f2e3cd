//! Which node owns which partition, and how the nodes are reached: written by the control thread, read by every core.
//!
//! Whoever publishes a table opens what this node has come to own before, and closes what it no longer owns behind it, so
//! that a partition that the table gives to this node is served here.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::{ArcSwap, Guard};
use event_listener::Event;
use shard_core::{
    link::LinkIdentity,
    model::{LeaderEpoch, TopicId, TopicPartition},
};

/// The newest table; clones share it.
#[derive(Clone, Debug)]
pub struct Routes {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    table: ArcSwap<RouteTable>,
    changed: Event,
    began: Instant,
    /// Until when this node surely has what the metadata give to it, in milliseconds after `began`.
    served_until_ms: AtomicU64,
}

/// Who owns what at one moment.
#[derive(Clone, Debug)]
pub struct RouteTable {
    /// Rises with each table that is published; what is given is passed over.
    pub version: u64,
    /// Who this node is.
    pub us: LinkIdentity,
    /// The other nodes; this one may be among them.
    pub nodes: BTreeMap<u64, NodeRoute>,
    /// The partitions of each topic, in order.
    pub topics: HashMap<TopicId, Arc<[PartitionRoute]>>,
}

/// How a node is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRoute {
    /// Where it takes connections of other nodes: an address or a name, and a port.
    pub address: String,
    /// How many cores it has.
    pub shard_count: usize,
    /// Whether it counts as alive; one that does not is not asked, and what it was asked is given up.
    pub up: bool,
}

/// Who owns a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionRoute {
    /// The node; none while there is none.
    pub owner: Option<u64>,
    /// Which owner it is.
    pub epoch: LeaderEpoch,
}

/// Where to ask for a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Here.
    Us,
    /// On this other node.
    Node(u64),
    /// Nowhere for now.
    Nobody,
    /// There is no such partition.
    Unknown,
}

impl Routes {
    /// Begins with a table.
    #[must_use]
    pub fn new(table: RouteTable) -> Self {
        let shared = Shared {
            table: ArcSwap::from_pointee(table),
            changed: Event::new(),
            began: Instant::now(),
            served_until_ms: AtomicU64::new(u64::MAX),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Replaces the table, and wakes whoever waits for a newer one. Called by one thread alone.
    pub fn publish(&self, table: RouteTable) {
        let version = self.shared.table.load().version + 1;
        self.shared.table.store(Arc::new(RouteTable { version, ..table }));
        self.shared.changed.notify(usize::MAX);
    }

    /// For so long, and no longer unless it is said again, nobody else is given what this node has. Until it is said first
    /// there is no end. Called by one thread alone.
    pub fn serve_for(&self, left: Duration) {
        let until = self.shared.began.elapsed() + left;
        self.shared.served_until_ms.store(millis(until), Ordering::Relaxed);
    }

    /// Whether this node is without a majority of the cluster: another one may own what it has, and have gone on with it.
    ///
    /// It is asked of the clock each time: a process that stood still knows it before it does anything.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        millis(self.shared.began.elapsed()) > self.shared.served_until_ms.load(Ordering::Relaxed)
    }

    /// The newest table; not to be kept.
    #[must_use]
    pub fn load(&self) -> Guard<Arc<RouteTable>> {
        self.shared.table.load()
    }

    /// Returns when there is a table newer than `version`. Dropping it is safe.
    pub async fn newer_than(&self, version: u64) {
        loop {
            let changed = self.shared.changed.listen();
            if self.load().version > version {
                return;
            }
            changed.await;
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl RouteTable {
    /// A table of a node that knows of no others.
    #[must_use]
    pub fn alone(us: LinkIdentity) -> Self {
        Self { version: 0, us, nodes: BTreeMap::new(), topics: HashMap::new() }
    }

    /// Where to ask for `partition`.
    pub(crate) fn owner(&self, partition: TopicPartition) -> Owner {
        let place = usize::try_from(partition.partition.get()).ok();
        let routes = self.topics.get(&partition.topic);
        match routes.zip(place).and_then(|(routes, place)| routes.get(place)) {
            None => Owner::Unknown,
            Some(PartitionRoute { owner: None, .. }) => Owner::Nobody,
            Some(PartitionRoute { owner, .. }) if *owner == self.us.node => Owner::Us,
            Some(PartitionRoute { owner: Some(node), .. }) => Owner::Node(*node),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once};
    use shard_core::{link::ClusterText, model::PartitionIndex};

    use super::*;

    fn table() -> RouteTable {
        let us = LinkIdentity { cluster: ClusterText::new("orders"), node: Some(1), incarnation: 0 };
        let route = |owner| PartitionRoute { owner, epoch: LeaderEpoch::new(1) };
        let routes: Arc<[_]> = [route(Some(1)), route(Some(2)), route(None)].into();
        RouteTable { topics: [(TopicId::new(7), routes)].into_iter().collect(), ..RouteTable::alone(us) }
    }

    #[test]
    fn a_partition_is_here_there_nowhere_or_none() {
        let owner =
            |topic, partition| table().owner(TopicPartition::new(TopicId::new(topic), PartitionIndex::new(partition)));
        assert_eq!([owner(7, 0), owner(7, 1), owner(7, 2)], [Owner::Us, Owner::Node(2), Owner::Nobody]);
        assert_eq!([owner(7, 3), owner(8, 0)], [Owner::Unknown, Owner::Unknown]);
    }

    #[test]
    fn a_newer_table_ends_the_wait() {
        let routes = Routes::new(table());
        block_on(async {
            let mut wait = Box::pin(routes.newer_than(0));
            assert_eq!(poll_once(&mut wait).await, None);
            routes.publish(table());
            assert_eq!(poll_once(&mut wait).await, Some(()));
            assert_eq!(routes.load().version, 1);
            routes.newer_than(0).await;
        });
    }

    #[test]
    fn a_node_serves_until_it_is_told_no_more() {
        let routes = Routes::new(table());
        assert!(!routes.is_cut_off(), "it was never said that there is an end");
        routes.serve_for(Duration::from_mins(10));
        assert!(!routes.is_cut_off());
        routes.serve_for(Duration::ZERO);
        let until = Instant::now() + Duration::from_mins(1);
        while !routes.is_cut_off() {
            assert!(Instant::now() < until);
        }
        routes.serve_for(Duration::from_mins(10));
        assert!(!routes.is_cut_off(), "it is heard of again");
    }
}
