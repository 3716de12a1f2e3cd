//! Settings of one crate as settings of another: of the node for gateways, of the metadata for shards.

use std::{sync::Arc, time::Duration};

use gateway::{auth::AuthMode, config::GatewayConfig};
use raft::metadata::{
    Acks as TopicAcks, ClusterState, DeliveryMode, FlushPolicy as TopicFlush, Ordering, StartPosition, Subscription,
    TopicConfig,
};
use shard::{
    SeekTo,
    command::{DeadLetterTarget, PartitionSettings, SubscriptionSettings},
};
use shard_core::{
    delivery::{self, DeliveryOrder, Filter},
    log::{Acks, FlushPolicy, IoLimits},
};

use crate::{
    config::{Config, StorageConfig},
    limits::{OPEN_FILES_DEFAULT, OPEN_FILES_MIN, OTHER_FILES},
};

/// How a topic's settings become those of its partitions on this node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SettingsTranslation {
    /// How long a message of a topic with `flush: interval` may wait for its sync.
    pub(crate) flush_interval: Duration,
}

impl SettingsTranslation {
    /// What a topic's configuration says of its partitions' logs.
    pub(crate) fn partition_settings(&self, topic: &TopicConfig) -> PartitionSettings {
        let flush = match topic.flush {
            TopicFlush::Always => FlushPolicy::Always,
            TopicFlush::Interval => FlushPolicy::Interval(self.flush_interval),
            TopicFlush::Os => FlushPolicy::Os,
        };
        let retention = topic.retention_ms.map(Duration::from_millis);
        let dedup_window = Duration::from_millis(topic.dedup_window_ms);
        let acks = match topic.acks {
            TopicAcks::Quorum => Acks::Quorum,
            TopicAcks::Leader => Acks::Leader,
            TopicAcks::Memory => Acks::Memory,
        };
        PartitionSettings { flush, acks, retention, retention_bytes: topic.retention_bytes, dedup_window }
    }
}

/// What a subscription's configuration says of its delivery.
pub(crate) fn subscription_settings(subscription: &Subscription, state: &ClusterState) -> SubscriptionSettings {
    let config = &subscription.config;
    let start = match config.start {
        StartPosition::Earliest => SeekTo::Earliest,
        StartPosition::Latest => SeekTo::Latest,
        StartPosition::Time(time) => SeekTo::Timestamp(time),
    };
    SubscriptionSettings {
        id: subscription.id,
        ack_deadline: Duration::from_millis(config.ack_deadline_ms),
        backoff_min: Duration::from_millis(config.backoff.min_ms),
        backoff_max: Duration::from_millis(config.backoff.max_ms),
        ordering: match config.ordering {
            Ordering::None => DeliveryOrder::None,
            Ordering::Key => DeliveryOrder::Key,
        },
        mode: match config.delivery {
            DeliveryMode::AtLeastOnce => delivery::DeliveryMode::AtLeastOnce,
            DeliveryMode::AtMostOnce => delivery::DeliveryMode::AtMostOnce,
            DeliveryMode::ExactlyOnce => delivery::DeliveryMode::ExactlyOnce,
        },
        dead_letters: dead_letters(subscription, state).map(Arc::new),
        filter: config.filter.as_deref().and_then(|text| filter(subscription.id, text)),
        // That of each partition is put in for it.
        assignment: None,
        start,
    }
}

/// Where a subscription's dead letters go; nowhere if their topic is gone, and then none are made.
pub(crate) fn dead_letters(subscription: &Subscription, state: &ClusterState) -> Option<DeadLetterTarget> {
    let config = &subscription.config;
    let topic = state.topic(config.dead_letter_topic.as_ref()?.as_str())?;
    Some(DeadLetterTarget {
        topic: topic.id,
        partitions: u32::try_from(topic.placed_partitions().count()).unwrap_or(u32::MAX),
        max_attempts: config.max_delivery_attempts,
        source_topic: subscription.topic_name.as_str().to_owned(),
        subscription: subscription.name.as_str().to_owned(),
    })
}

/// The filter was checked when it was set, perhaps by another version.
fn filter(subscription: shard_core::model::SubscriptionId, text: &str) -> Option<Arc<Filter>> {
    match Filter::parse(text) {
        Ok(filter) => Some(Arc::new(filter)),
        Err(error) => {
            tracing::error!(%subscription, text, %error, "a filter means nothing to this version: all messages are delivered");
            None
        }
    }
}

/// What one core's gateway may use of what the whole node may.
pub(crate) fn gateway_config(config: &Config, shard_count: usize) -> GatewayConfig {
    let server = &config.server;
    let auth = if config.asks_for_keys() { AuthMode::Required } else { AuthMode::Open };
    GatewayConfig {
        auth,
        limits: config.limits.of_everyone(),
        request_head_bytes_max: server.head_bytes_max,
        body_bytes_max: server.body_bytes_max,
        bodies_bytes_max: share(server.bodies_bytes_max, shard_count).max(server.body_bytes_max),
        outputs_bytes_max: share(server.outputs_bytes_max, shard_count),
        connections_max: share(server.connections_max, shard_count),
        idle_timeout: Duration::from_millis(server.idle_timeout_ms),
        handshake_timeout: Duration::from_millis(server.handshake_timeout_ms),
        head_timeout: Duration::from_millis(server.head_timeout_ms),
        body_timeout: Duration::from_millis(server.body_timeout_ms),
        write_timeout: Duration::from_millis(server.write_timeout_ms),
        ping_interval: Duration::from_millis(server.ping_interval_ms),
        allowed_origins: server.allowed_origins.clone(),
        push: config.push.policy(),
        ..GatewayConfig::default()
    }
}

/// When a disk counts as slow, and when as one that stands still.
pub(crate) const fn io_limits(storage: &StorageConfig) -> IoLimits {
    IoLimits {
        slow_after: Duration::from_millis(storage.io_slow_ms),
        stuck_after: Duration::from_millis(storage.io_stuck_ms),
    }
}

/// How many files one core may have open for its partitions, where the process may open `limit` in all.
pub(crate) fn open_files_max(config: &Config, limit: u64, shard_count: usize) -> usize {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let left = limit.saturating_sub(config.server.connections_max).saturating_sub(OTHER_FILES);
    let wanted = if config.storage.open_files_max == 0 { OPEN_FILES_DEFAULT } else { config.storage.open_files_max };
    share(wanted.min(left), shard_count).max(OPEN_FILES_MIN)
}

/// One core's share of something; never nothing.
pub(crate) const fn share(whole: usize, shard_count: usize) -> usize {
    let share = whole.div_ceil(shard_count);
    if share == 0 { 1 } else { share }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cores_share_what_the_node_may_use() {
        let mut config = Config::default();
        config.server.connections_max = 1001;
        let core = gateway_config(&config, 2);
        assert_eq!(core.connections_max, 501);
        assert_eq!(core.body_bytes_max, config.server.body_bytes_max);
        assert_eq!(core.idle_timeout, Duration::from_secs(75));
    }

    #[test]
    fn a_core_can_always_take_one_whole_body() {
        let mut config = Config::default();
        config.server.bodies_bytes_max = 1 << 20;
        assert_eq!(gateway_config(&config, 4).bodies_bytes_max, config.server.body_bytes_max);
    }

    #[test]
    fn partitions_have_what_connections_leave_of_the_files() {
        let mut config = Config::default();
        config.server.connections_max = 1_000;
        assert_eq!(open_files_max(&config, 3_512, 2), 1_000);
        assert_eq!(open_files_max(&config, 1 << 20, 2), OPEN_FILES_DEFAULT / 2);
        assert_eq!(open_files_max(&config, 1_100, 2), OPEN_FILES_MIN);
        config.storage.open_files_max = 100;
        assert_eq!(open_files_max(&config, 1 << 20, 2), 50);
        assert_eq!(open_files_max(&config, 1_552, 2), 20, "the limit holds, whatever is asked for");
    }

    #[test]
    fn a_topic_that_syncs_by_interval_uses_this_nodes_interval() {
        let translation = SettingsTranslation { flush_interval: Duration::from_millis(7) };
        let topic = TopicConfig { flush: TopicFlush::Interval, retention_ms: None, ..TopicConfig::default() };
        let settings = translation.partition_settings(&topic);
        assert_eq!(settings.flush, FlushPolicy::Interval(Duration::from_millis(7)));
        assert_eq!(settings.retention, None);
    }
}
