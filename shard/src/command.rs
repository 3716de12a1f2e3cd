//! What the control thread tells a shard: which partitions and subscriptions it owns, and how they are configured.

use std::{sync::Arc, time::Duration};

use futures_channel::oneshot;
use shard_core::{
    delivery::{DeliveryMode, DeliveryOrder, Filter, PartitionAssignment},
    log::{Acks, FlushPolicy},
    model::{LeaderEpoch, SubscriptionId, TopicId, TopicPartition},
    replication::ReplicaSet,
};

use crate::{request::SeekTo, tally::Tally};

/// A step of the metadata, or the end.
#[derive(Debug)]
pub enum ShardCommand {
    /// Make it so; `done` is sent when every change holds. What could not be opened shows as a closed partition.
    Apply {
        /// In order.
        changes: Vec<PartitionChange>,
        /// Sent when all are done.
        done: oneshot::Sender<()>,
    },
    /// Say how topics and subscriptions stand.
    Tally {
        /// Where it is said; nowhere if the shard ends before.
        reply: oneshot::Sender<Tally>,
    },
    /// Refuse new work, flush what is pending, write clean-stop marks, end the loop.
    Stop {
        /// Sent when everything is on disk.
        done: oneshot::Sender<()>,
    },
}

/// One change to one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionChange {
    /// Own this partition from now on: recover it from disk, or make it.
    Open {
        /// The partition.
        partition: TopicPartition,
        /// Which owner this is.
        epoch: LeaderEpoch,
        /// How it keeps its log.
        settings: PartitionSettings,
        /// Who keeps it, if other nodes do too.
        replicas: Option<ReplicaSet>,
    },
    /// Keep what another node leads: recover it from disk, or make it, and follow.
    Follow {
        /// The partition.
        partition: TopicPartition,
        /// Which leader it has.
        epoch: LeaderEpoch,
        /// The node that leads; none while there is none.
        leader: Option<u64>,
        /// How often what was committed has been given up.
        incarnation: u32,
        /// How it keeps its log.
        settings: PartitionSettings,
    },
    /// Another node leads what is followed here, or another time.
    FollowAnother {
        /// The partition.
        partition: TopicPartition,
        /// Which leader it has.
        epoch: LeaderEpoch,
        /// The node that leads; none while there is none.
        leader: Option<u64>,
        /// How often what was committed has been given up.
        incarnation: u32,
    },
    /// Who keeps what is led here has changed.
    SetReplicas {
        /// The partition.
        partition: TopicPartition,
        /// Who keeps it.
        replicas: ReplicaSet,
    },
    /// Keep the log in another way.
    Configure {
        /// The partition.
        partition: TopicPartition,
        /// The new way.
        settings: PartitionSettings,
    },
    /// Another node owns the partition from now on: finish what is under way, and let go of it. What is stored stays.
    Release {
        /// The partition.
        partition: TopicPartition,
    },
    /// The topic is gone for good: close the partition and remove its files.
    Delete {
        /// The partition.
        partition: TopicPartition,
    },
    /// Serve this subscription; its cursor is found in the journal, or made and journaled.
    OpenSubscription {
        /// The partition.
        partition: TopicPartition,
        /// The subscription.
        settings: SubscriptionSettings,
    },
    /// Who consumes the partition has changed, or only the generation in which that is said.
    Assign {
        /// The partition.
        partition: TopicPartition,
        /// The subscription.
        subscription: SubscriptionId,
        /// What holds now.
        assignment: PartitionAssignment,
    },
    /// The subscription is gone for good: remove its cursor, and what is known of its dead letters if they are here.
    CloseSubscription {
        /// The partition.
        partition: TopicPartition,
        /// The subscription.
        subscription: SubscriptionId,
    },
}

/// What a topic's configuration says of its partitions' logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionSettings {
    /// When an append counts as done. Where several nodes keep a partition, it is always synced.
    pub flush: FlushPolicy,
    /// When a publisher hears that its messages are there, where several nodes keep them.
    pub acks: Acks,
    /// How long messages are kept; for ever if none.
    pub retention: Option<Duration>,
    /// How many bytes a partition keeps; any number if none.
    pub retention_bytes: Option<u64>,
    /// How long the ids of messages are remembered, to recognise those that come again; not at all if zero.
    pub dedup_window: Duration,
}

/// What a subscription's configuration says of its delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionSettings {
    /// The subscription.
    pub id: SubscriptionId,
    /// How long a consumer has until it must ack.
    pub ack_deadline: Duration,
    /// The first pause before a redelivery; it doubles with each.
    pub backoff_min: Duration,
    /// The longest pause before a redelivery.
    pub backoff_max: Duration,
    /// What is delivered in order.
    pub ordering: DeliveryOrder,
    /// How often a message may be delivered.
    pub mode: DeliveryMode,
    /// What is delivered; everything if none.
    pub filter: Option<Arc<Filter>>,
    /// What becomes of messages that nobody can take.
    pub dead_letters: Option<Arc<DeadLetterTarget>>,
    /// Whom the partition is assigned to, where consumers have partitions of their own.
    pub assignment: Option<PartitionAssignment>,
    /// Where it begins on a partition it has no cursor on.
    pub start: SeekTo,
}

/// Where dead letters go, and what they say of where they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterTarget {
    /// The topic.
    pub topic: TopicId,
    /// How many partitions it has.
    pub partitions: u32,
    /// After so many deliveries without an ack a message becomes a dead letter; never if 0, but for those that are rejected
    /// or expire.
    pub max_attempts: u32,
    /// The name of the topic that they come from.
    pub source_topic: String,
    /// The name of the subscription.
    pub subscription: String,
}

impl PartitionChange {
    /// Whether it opens a partition that other nodes keep too.
    pub(crate) const fn is_shared(&self) -> bool {
        matches!(self, Self::Open { replicas: Some(_), .. } | Self::Follow { .. })
    }

    /// Whether a partition is to be opened for it.
    pub(crate) const fn opens(&self) -> bool {
        matches!(self, Self::Open { .. } | Self::Follow { .. })
    }

    /// The partition that changes.
    #[must_use]
    pub const fn partition(&self) -> TopicPartition {
        match self {
            Self::Open { partition, .. }
            | Self::Follow { partition, .. }
            | Self::FollowAnother { partition, .. }
            | Self::SetReplicas { partition, .. }
            | Self::Configure { partition, .. }
            | Self::Release { partition }
            | Self::Delete { partition }
            | Self::OpenSubscription { partition, .. }
            | Self::Assign { partition, .. }
            | Self::CloseSubscription { partition, .. } => *partition,
        }
    }
}

impl SubscriptionSettings {
    /// What holds for a recovered cursor until the metadata says more.
    pub(crate) const fn until_known(id: SubscriptionId) -> Self {
        Self {
            id,
            ack_deadline: Duration::from_secs(30),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_mins(1),
            ordering: DeliveryOrder::None,
            mode: DeliveryMode::AtLeastOnce,
            filter: None,
            dead_letters: None,
            assignment: None,
            start: SeekTo::Earliest,
        }
    }
}
