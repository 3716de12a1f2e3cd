//! One executor with a shard and a gateway, and topics that are there from the start.

use std::{net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use futures_channel::oneshot;
use gateway::{
    audit::AuditLog, auth::Authenticator, config::GatewayConfig, context::Context, core_state::CoreState,
    metrics::GatewayMetrics, push::PushBoard, server::serve, shutdown::Shutdown,
};
use glommio::{LocalExecutorBuilder, Placement, net::TcpListener};
use raft::{
    ClusterHandle, GroupHandle, MetadataHandle,
    metadata::{ClusterState, Command, NodeId, StartPosition, SubscriptionConfig, TopicConfig},
};
use shard::{
    MeshPlan, SeekTo, Shard, ShardConfig, StoreConfig,
    command::{PartitionChange, PartitionSettings, ShardCommand, SubscriptionSettings},
    metrics::ShardMetrics,
    store::{EndsConfig, log::LogStoreConfig},
};
use shard_core::{
    delivery::{DeliveryMode, DeliveryOrder},
    layout::EndsOwner,
    log::{Acks, FlushPolicy, IoLimits},
    model::{SubscriptionName, Timestamp, TopicName},
};

use crate::client::{HttpClient, WebSocketClient};

/// Two partitions, messages of at most 1,000 bytes; subscription `sub` reads it from the beginning.
pub(crate) const TOPIC: &str = "orders";
/// One partition, no subscription.
pub(crate) const OTHER_TOPIC: &str = "audit";
/// Reads all of [`TOPIC`].
pub(crate) const SUBSCRIPTION: &str = "sub";

/// What a test talks to.
pub(crate) struct Broker {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: Shutdown,
}

/// Runs `test` beside a broker; when it ends, so does everything.
pub(crate) fn with_broker(test: impl AsyncFnOnce(Rc<Broker>) + Send + 'static) {
    with_broker_of(GatewayConfig::default(), test);
}

/// The same with settings of the test's own.
pub(crate) fn with_broker_of(gateway: GatewayConfig, test: impl AsyncFnOnce(Rc<Broker>) + Send + 'static) {
    with_broker_knowing(gateway, Vec::new(), test);
}

/// The same, whose metadata has these commands applied.
pub(crate) fn with_broker_knowing(
    gateway: GatewayConfig,
    commands: Vec<Command>,
    test: impl AsyncFnOnce(Rc<Broker>) + Send + 'static,
) {
    let known = commands;
    let executor = LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20);
    let thread = executor.spawn(move || async move {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let (commands, receiver) = flume::bounded(16);
        let config = shard_config(directory.path().to_owned());
        let (shard, shards) =
            Shard::start(config, MeshPlan::new(1), receiver, Arc::new(ShardMetrics::default())).await.unwrap();
        glommio::spawn_local(shard.run()).detach();
        let mut state = cluster_state();
        for command in known {
            state.apply(command).unwrap();
        }
        open(&commands, &state).await;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let context = Context {
            shards,
            metadata: MetadataHandle::detached(state),
            groups: GroupHandle::detached(),
            cluster: ClusterHandle::detached(),
            audit: Rc::new(AuditLog::new(None, Arc::default())),
            authenticator: Rc::new(Authenticator::new(gateway.auth)),
            core: Rc::new(CoreState::new().with_outputs(gateway.outputs_bytes_max)),
            config: Rc::new(gateway),
            metrics: Arc::new(GatewayMetrics::default()),
            addresses: None,
            push: PushBoard::default(),
            shutdown: Shutdown::default(),
        };
        let broker = Rc::new(Broker { address, shutdown: context.shutdown.clone() });
        glommio::spawn_local(serve(context, listener, None)).detach();
        test(broker).await;
        drop(commands);
    });
    thread.unwrap().join().unwrap();
}

impl Broker {
    pub(crate) async fn http(&self) -> HttpClient {
        HttpClient::connect(self.address).await
    }

    pub(crate) async fn websocket(&self) -> WebSocketClient {
        WebSocketClient::connect(self.address).await
    }
}

fn cluster_state() -> ClusterState {
    let mut state = ClusterState::default();
    let created_at = Timestamp::default();
    let mut apply = |command| state.apply(command).unwrap();
    apply(Command::RegisterNode { node: NodeId::new(1), address: "localhost:1".to_owned() });
    for (name, partitions) in [(TOPIC, 2), (OTHER_TOPIC, 1)] {
        let config = TopicConfig { partitions, max_message_bytes: 1_000, ..TopicConfig::default() };
        apply(Command::CreateTopic { name: TopicName::new(name).unwrap(), config, created_at });
    }
    apply(Command::CreateSubscription {
        name: SubscriptionName::new(SUBSCRIPTION).unwrap(),
        topic: TopicName::new(TOPIC).unwrap(),
        config: SubscriptionConfig { start: StartPosition::Earliest, ..SubscriptionConfig::default() },
        created_at,
    });
    state
}

/// Tells the shard what the control thread would tell it.
async fn open(commands: &flume::Sender<ShardCommand>, state: &ClusterState) {
    let settings = PartitionSettings {
        flush: FlushPolicy::Always,
        acks: Acks::Quorum,
        retention: None,
        retention_bytes: None,
        dedup_window: Duration::from_mins(2),
    };
    let mut changes = Vec::new();
    for topic in state.topics() {
        for (partition, placed) in topic.placed_partitions() {
            changes.push(PartitionChange::Open { partition, epoch: placed.leader_epoch, settings, replicas: None });
            changes.extend(state.subscriptions_of(topic.id).map(|subscription| {
                let settings = SubscriptionSettings {
                    ordering: DeliveryOrder::None,
                    mode: DeliveryMode::AtLeastOnce,
                    filter: None,
                    dead_letters: None,
                    assignment: None,
                    id: subscription.id,
                    // So long that no test passes by a lease that ran out.
                    ack_deadline: Duration::from_hours(1),
                    backoff_min: Duration::from_millis(1),
                    backoff_max: Duration::from_millis(1),
                    start: SeekTo::Earliest,
                };
                PartitionChange::OpenSubscription { partition, settings }
            }));
        }
    }
    let (done, applied) = oneshot::channel();
    commands.send_async(ShardCommand::Apply { changes, done }).await.unwrap();
    applied.await.unwrap();
}

fn shard_config(data_dir: std::path::PathBuf) -> ShardConfig {
    let ends = EndsConfig::read(&data_dir, EndsOwner::Log, 1).unwrap();
    ShardConfig {
        index: 0,
        count: 1,
        data_dir,
        store: StoreConfig::Log(LogStoreConfig {
            ends,
            segment_bytes_max: 1 << 20,
            reserve_bytes: 0,
            open_files_max: 256,
        }),
        unflushed_bytes_max: 16 << 20,
        tail_cache_bytes_max: 1 << 20,
        dedup_bytes_max: 16 << 20,
        ack_key: [7; 16],
        io_limits: IoLimits::default(),
        peers: None,
        replication: None,
        tracer: shard::tracer::Tracer::default(),
    }
}
