//! What the metadata wants pushed by this node: which subscriptions, from which partitions.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use raft::metadata::{ClusterState, NodeId, PushConfig, Subscription, SubscriptionKind};
use shard::{PartitionSubscription, shard_of};
use shard_core::{delivery::PushLimits, model::SubscriptionId};

use crate::limits;

/// A push subscription as this node is to send for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PushOrder {
    /// The subscription.
    pub(super) subscription: Arc<Subscription>,
    /// Where and how it sends.
    pub(super) config: PushConfig,
    /// Its partitions here, by the core that has them.
    pub(super) cursors: BTreeMap<usize, Vec<PartitionSubscription>>,
}

impl PushOrder {
    /// How much it may send.
    pub(super) const fn limits(&self) -> PushLimits {
        PushLimits { in_flight_max: self.config.max_in_flight, per_second_max: self.config.max_per_second }
    }

    /// How long a message is leased: always longer than its request may take, whatever the ack deadline is.
    pub(super) fn lease(&self) -> Duration {
        let request = Duration::from_millis(self.config.timeout_ms).saturating_add(limits::PUSH_LEASE_MARGIN);
        request.max(Duration::from_millis(self.subscription.config.ack_deadline_ms))
    }
}

/// All that `node` is to push, with its partitions on `shard_count` cores.
pub(super) fn orders(state: &ClusterState, node: NodeId, shard_count: usize) -> BTreeMap<SubscriptionId, PushOrder> {
    let pushed = state.subscriptions().filter(|subscription| subscription.config.kind == SubscriptionKind::Push);
    let orders = pushed.filter_map(|subscription| {
        let config = subscription.config.push.clone()?;
        let mut cursors: BTreeMap<usize, Vec<PartitionSubscription>> = BTreeMap::new();
        let topic = state.topic_by_id(subscription.topic)?;
        for (partition, placed) in topic.placed_partitions() {
            if placed.owner == Some(node) {
                let cursor = PartitionSubscription { partition, subscription: subscription.id };
                cursors.entry(shard_of(partition, shard_count)).or_default().push(cursor);
            }
        }
        let order = PushOrder { subscription: Arc::clone(subscription), config, cursors };
        (!order.cursors.is_empty()).then_some((subscription.id, order))
    });
    orders.collect()
}
