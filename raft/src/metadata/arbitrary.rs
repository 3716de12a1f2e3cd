//! Commands for property tests: few names, so that they meet, and values on both sides of every rule.

mod cluster;

use proptest::prelude::*;
use shard_core::model::{SubscriptionId, SubscriptionName, Timestamp, TopicName};

use super::*;
use crate::limits;

use cluster::nodes_of_small_state;
pub(crate) use cluster::{aimed, one_of_each_about_nodes};

/// A sequence of commands.
pub(crate) fn commands() -> impl Strategy<Value = Vec<Command>> {
    proptest::collection::vec(command(), 0..40)
}

/// One command of each kind but those about nodes and where partitions lie, always the same: for golden files.
pub(crate) fn one_of_each() -> Vec<Command> {
    let topic = TopicName::new("orders").unwrap();
    let name = SubscriptionName::new("billing").unwrap();
    let created_at = Timestamp::from_millis(1_700_000_000_000);
    vec![
        Command::Bootstrap { cluster_id: "a-cluster".to_owned(), ack_key: AckKey::new([9; 16]) },
        Command::RegisterNode { node: NodeId::new(1), address: "127.0.0.1:7081".to_owned() },
        Command::CreateTopic { name: topic.clone(), config: TopicConfig::default(), created_at },
        Command::UpdateTopic {
            name: topic.clone(),
            expected_revision: Some(1),
            patch: TopicPatch {
                partitions: Change::Set(8),
                retention_bytes: Change::Set(Some(1 << 30)),
                ..TopicPatch::default()
            },
        },
        Command::CreateSubscription {
            name: name.clone(),
            topic: topic.clone(),
            config: SubscriptionConfig {
                kind: SubscriptionKind::Push,
                dead_letter_topic: Some(topic.clone()),
                filter: Some("priority >= 5".to_owned()),
                start: StartPosition::Time(created_at),
                push: Some(PushConfig {
                    url: "https://example.com/hook".to_owned(),
                    secret: Some(PushSecret::new("secret".to_owned())),
                    max_per_second: Some(100),
                    ..PushConfig::default()
                }),
                ..SubscriptionConfig::default()
            },
            created_at,
        },
        Command::UpdateSubscription {
            name: name.clone(),
            expected_revision: None,
            patch: SubscriptionPatch {
                dead_letter_topic: Change::Set(None),
                push: PushPatch { paused: Change::Set(Some(PushPause::Gone)), ..PushPatch::default() },
                ..SubscriptionPatch::default()
            },
        },
        Command::DeleteSubscription { name, expected_revision: None },
        Command::DeleteTopic { name: topic, expected_revision: Some(2) },
        Command::ChangeGroup {
            subscription: SubscriptionId::new(1),
            changes: vec![
                GroupChange::Leave { member: MemberId::new(1) },
                GroupChange::Adopt { member: MemberId::new(2), generation: 300 },
                GroupChange::Join { consumer_id: "pod-7".to_owned() },
            ],
            at: created_at,
        },
        put_ci(None),
        Command::CreateKey { key: ci_key(Some(created_at)), principal: Some(ci_config()) },
        Command::DeleteKey { id: ci_key(None).id },
        Command::DeletePrincipal { name: PrincipalName::new("ci").unwrap(), expected_revision: Some(3) },
    ]
}

fn put_ci(expected_revision: Option<u64>) -> Command {
    let at = Timestamp::from_millis(1_700_000_000_002);
    Command::PutPrincipal { name: PrincipalName::new("ci").unwrap(), config: ci_config(), expected_revision, at }
}

fn ci_config() -> PrincipalConfig {
    let pattern = |text: &str| NamePattern::new(text.to_owned());
    let topics = Grant { scope: Scope::Topics(pattern("orders-*")), actions: vec![Action::Publish, Action::Manage] };
    let subscriptions = Grant { scope: Scope::Subscriptions(pattern("billing")), actions: vec![Action::Consume] };
    let limits = PrincipalLimits { messages_per_s: Some(100), ..PrincipalLimits::default() };
    PrincipalConfig { grants: vec![topics, subscriptions, Grant::admin()], limits }
}

fn ci_key(expires_at: Option<Timestamp>) -> ApiKey {
    let (id, principal) = (KeyId::new("k3y000000001").unwrap(), PrincipalName::new("ci").unwrap());
    let created_at = Timestamp::from_millis(1_700_000_000_003);
    ApiKey { id, principal, hash: KeyHash::new([5; 32]), created_at, expires_at }
}

/// The state after [`one_of_each`] but the deletions, and after nodes came and one went.
pub(crate) fn small_state() -> ClusterState {
    let mut state = state_without_node_epochs();
    for command in nodes_of_small_state() {
        state.apply(command).unwrap();
    }
    state
}

/// The state after [`one_of_each`] but the deletions: all that there was in version 1 of the snapshot.
pub(crate) fn state_without_node_epochs() -> ClusterState {
    let mut state = ClusterState::default();
    for command in one_of_each().into_iter().take(6).chain(a_group_with_a_revoked_partition()) {
        state.apply(command).unwrap();
    }
    for command in [put_ci(None), Command::CreateKey { key: ci_key(None), principal: None }] {
        state.apply(command).unwrap();
    }
    state.advance_to(42);
    state
}

/// A subscription whose second consumer came after the first.
fn a_group_with_a_revoked_partition() -> impl Iterator<Item = Command> {
    let created_at = Timestamp::from_millis(1_700_000_000_001);
    let create = Command::CreateSubscription {
        name: SubscriptionName::new("shipping").unwrap(),
        topic: TopicName::new("orders").unwrap(),
        config: SubscriptionConfig { consumption: Consumption::Assigned, ..SubscriptionConfig::default() },
        created_at,
    };
    let joins = ["pod-1", "pod-2"].map(|consumer_id| Command::ChangeGroup {
        subscription: SubscriptionId::new(2),
        changes: vec![GroupChange::Join { consumer_id: consumer_id.to_owned() }],
        at: created_at,
    });
    std::iter::once(create).chain(joins)
}

fn group_change() -> impl Strategy<Value = GroupChange> {
    let member = || (1..20_u64).prop_map(MemberId::new);
    prop_oneof![
        4 => "[abcd]".prop_map(|consumer_id| GroupChange::Join { consumer_id }),
        1 => member().prop_map(|member| GroupChange::Leave { member }),
        2 => (member(), 0..20_u64).prop_map(|(member, generation)| GroupChange::Adopt { member, generation }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let revision = || prop::option::of(0..20_u64);
    let time = || any::<i64>().prop_map(Timestamp::from_millis);
    prop_oneof![
        1 => (any::<[u8; 16]>(), "[a-z0-9]{0,70}")
            .prop_map(|(key, cluster_id)| Command::Bootstrap { cluster_id, ack_key: AckKey::new(key) }),
        3 => (0..4_u64, "[a-z]{0,9}")
            .prop_map(|(node, address)| Command::RegisterNode { node: NodeId::new(node), address }),
        6 => (topic_name(), topic_config(), time())
            .prop_map(|(name, config, created_at)| Command::CreateTopic { name, config, created_at }),
        3 => (topic_name(), revision(), topic_patch())
            .prop_map(|(name, expected_revision, patch)| Command::UpdateTopic { name, expected_revision, patch }),
        1 => (topic_name(), revision())
            .prop_map(|(name, expected_revision)| Command::DeleteTopic { name, expected_revision }),
        6 => (subscription_name(), topic_name(), subscription_config(), time()).prop_map(
            |(name, topic, config, created_at)| Command::CreateSubscription { name, topic, config, created_at }
        ),
        3 => (subscription_name(), revision(), subscription_patch()).prop_map(
            |(name, expected_revision, patch)| Command::UpdateSubscription { name, expected_revision, patch }
        ),
        1 => (subscription_name(), revision())
            .prop_map(|(name, expected_revision)| Command::DeleteSubscription { name, expected_revision }),
        6 => (1..8_u64, proptest::collection::vec(group_change(), 0..6), time()).prop_map(
            |(subscription, changes, at)| Command::ChangeGroup {
                subscription: SubscriptionId::new(subscription), changes, at
            }
        ),
        4 => access_command(),
        12 => cluster::command(),
    ]
}

fn access_command() -> impl Strategy<Value = Command> {
    let name = || "[pqr]".prop_map(|name| PrincipalName::new(&name).unwrap());
    let id = || "k[0-4]".prop_map(|id| KeyId::new(&format!("{id}0000000000")).unwrap());
    let time = || (0..9_i64).prop_map(Timestamp::from_millis);
    let grant = ("[abx]?[*]?", 0..3_u8).prop_map(|(pattern, kind)| match kind {
        0 => Grant::admin(),
        1 => Grant { scope: Scope::Topics(NamePattern::new(pattern)), actions: vec![Action::Publish] },
        _ => Grant { scope: Scope::Subscriptions(NamePattern::new(pattern)), actions: vec![Action::Consume] },
    });
    let config = (proptest::collection::vec(grant, 0..3), prop::option::of(0..9_u64)).prop_map(|(grants, topics)| {
        PrincipalConfig { grants, limits: PrincipalLimits { topics, ..PrincipalLimits::default() } }
    });
    let config = config.boxed();
    let key = (id(), name(), time(), prop::option::of(time())).prop_map(|(id, principal, created_at, expires_at)| {
        ApiKey { id, principal, hash: KeyHash::new([2; 32]), created_at, expires_at }
    });
    prop_oneof![
        4 => (name(), config.clone(), prop::option::of(0..20_u64), time()).prop_map(
            |(name, config, expected_revision, at)| Command::PutPrincipal { name, config, expected_revision, at }
        ),
        1 => (name(), prop::option::of(0..20_u64))
            .prop_map(|(name, expected_revision)| Command::DeletePrincipal { name, expected_revision }),
        6 => (key, prop::option::of(config)).prop_map(|(key, principal)| Command::CreateKey { key, principal }),
        2 => id().prop_map(|id| Command::DeleteKey { id }),
    ]
}

fn topic_name() -> impl Strategy<Value = TopicName> {
    "[ab]".prop_map(|name| TopicName::new(&name).unwrap())
}

fn subscription_name() -> impl Strategy<Value = SubscriptionName> {
    "[xyz]".prop_map(|name| SubscriptionName::new(&name).unwrap())
}

fn topic_config() -> impl Strategy<Value = TopicConfig> {
    (0..6_u32, 0..3_u16, 0..3_u16, prop::option::of(any::<u64>()), any::<bool>()).prop_map(
        |(partitions, replication_factor, min_insync, retention_ms, large)| TopicConfig {
            partitions: if large { partitions + limits::PARTITIONS_PER_TOPIC_MAX - 3 } else { partitions },
            replication_factor,
            min_insync,
            retention_ms,
            ..TopicConfig::default()
        },
    )
}

fn topic_patch() -> impl Strategy<Value = TopicPatch> {
    let factor = prop::option::of(1..4_u16);
    (prop::option::of(0..8_u32), factor, prop::option::of(prop::option::of(any::<u64>()))).prop_map(
        |(partitions, replication_factor, retention_bytes)| TopicPatch {
            partitions: Change::from_option(partitions),
            replication_factor: Change::from_option(replication_factor),
            retention_bytes: Change::from_option(retention_bytes),
            ..TopicPatch::default()
        },
    )
}

fn subscription_config() -> impl Strategy<Value = SubscriptionConfig> {
    (98..103_u64, 0..4_u8, prop::option::of(topic_name()), prop::option::of(".{0,20}")).prop_map(
        |(ack_deadline_ms, kind, dead_letter_topic, filter)| SubscriptionConfig {
            ack_deadline_ms,
            kind: if kind == 0 { SubscriptionKind::Push } else { SubscriptionKind::Pull },
            consumption: if kind == 1 { Consumption::Shared } else { Consumption::Assigned },
            dead_letter_topic,
            filter,
            ..SubscriptionConfig::default()
        },
    )
}

fn subscription_patch() -> impl Strategy<Value = SubscriptionPatch> {
    (prop::option::of(98..103_u64), prop::option::of(prop::option::of(topic_name()))).prop_map(
        |(ack_deadline_ms, dead_letter_topic)| SubscriptionPatch {
            ack_deadline_ms: Change::from_option(ack_deadline_ms),
            dead_letter_topic: Change::from_option(dead_letter_topic),
            ..SubscriptionPatch::default()
        },
    )
}
