//! Two nodes in one process, with real connections between them, and a way to harm these.

use std::{cell::RefCell, convert::Infallible, path::Path, rc::Rc, sync::Arc, time::Duration};

use futures_channel::oneshot;
use futures_lite::io::AsyncReadExt as _;
use glommio::{LocalExecutorBuilder, Placement, net::TcpListener, timer::sleep};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use shard::{
    MeshPlan, NodeRoute, PartitionRoute, PartitionSubscription, PublishError, Published, PullRequest, Pulled, ReadFrom,
    ReadRequest, RouteTable, Routes, SeekTo, Shard, ShardConfig, ShardHandle, StoreConfig,
    command::{PartitionChange, PartitionSettings, ShardCommand, SubscriptionSettings},
    metrics::ShardMetrics,
    peer::{PeerConfig, PeerServer, PeerTls, PeerTlsMaterial},
    store::memory::MemoryStoreConfig,
};
use shard_core::{
    delivery::{DeliveryMode, DeliveryOrder},
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, Producer, RecordBatch, UnassignedBatch},
    },
    link::{ClusterText, Lane, LinkIdentity, LinkSecret, PREFACE_BYTES, Preface},
    log::{Acks, FlushPolicy, IoLimits},
    model::{LeaderEpoch, Offset, PartitionIndex, SubscriptionId, TopicId, TopicPartition},
};
use tempfile::TempDir;

use crate::proxy::Proxy;

pub(crate) const SUBSCRIPTION: SubscriptionId = SubscriptionId::new(5);
/// How many partitions the one topic has.
const PARTITIONS: usize = 8;

/// One node of one core.
pub(crate) struct Node {
    pub(crate) handle: ShardHandle,
    pub(crate) metrics: Arc<ShardMetrics>,
    pub(crate) address: String,
    routes: Routes,
    commands: flume::Sender<ShardCommand>,
    #[expect(dead_code, reason = "it is there for as long as the node")]
    directory: Option<TempDir>,
}

/// Nodes 1 and 2, and what may stand between them.
pub(crate) struct Pair {
    pub(crate) one: Node,
    pub(crate) two: Node,
    /// Where node 1 finds node 2.
    pub(crate) proxy: Proxy,
    owners: RefCell<Vec<Option<u64>>>,
    is_up: RefCell<bool>,
}

/// How a node differs from others.
#[derive(Clone, Copy)]
pub(crate) struct Traits {
    pub(crate) cluster: &'static str,
    pub(crate) secret: Option<&'static [u8]>,
    /// Who issues its certificate, if it has one.
    pub(crate) issuer: Option<&'static Issuer>,
}

/// Issues certificates of nodes.
pub(crate) type Issuer = CertifiedIssuer<'static, KeyPair>;

impl Default for Traits {
    fn default() -> Self {
        Self { cluster: "orders", secret: Some(b"correct horse"), issuer: None }
    }
}

impl Traits {
    /// A certificate for a node that is reached by an address of this machine.
    fn tls(&self) -> Option<PeerTls> {
        let issuer = self.issuer?;
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, issuer).unwrap();
        let material = PeerTlsMaterial {
            certificates: certificate.pem().into_bytes(),
            key: key.serialize_pem().into_bytes(),
            issuers: issuer.pem().into_bytes(),
        };
        Some(PeerTls::new(material.setup().unwrap()))
    }
}

/// A new one, for as long as the tests run.
pub(crate) fn issuer() -> &'static Issuer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Box::leak(Box::new(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()))
}

/// Runs `test` on an executor with two nodes; partition 0 is on node 1, and 1 to 7 are on node 2.
pub(crate) fn with_pair(test: impl AsyncFnOnce(Rc<Pair>) + Send + 'static) {
    with_nodes([Traits::default(); 2], test);
}

/// The same with nodes that differ.
pub(crate) fn with_nodes(traits: [Traits; 2], test: impl AsyncFnOnce(Rc<Pair>) + Send + 'static) {
    let executor = LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20);
    let thread = executor.spawn(move || async move {
        let [one, two] = traits;
        let (one, two) = (node(1, one).await, node(2, two).await);
        let proxy = Proxy::start(two.address.clone());
        let owners = (0..PARTITIONS).map(|index| Some(if index == 0 { 1 } else { 2 })).collect();
        let pair = Pair { one, two, proxy, owners: RefCell::new(owners), is_up: RefCell::new(true) };
        pair.one.open(&[0]).await;
        pair.two.open(&[1, 2, 3, 4, 5, 6, 7]).await;
        pair.publish_routes();
        test(Rc::new(pair)).await;
    });
    thread.unwrap().join().unwrap();
}

/// A table with one other node, which owns what it owns, for a test that never changes it.
pub(crate) struct Table {
    pub(crate) us: LinkIdentity,
    pub(crate) address: String,
    pub(crate) cores: usize,
    pub(crate) owners: Vec<Option<u64>>,
}

pub(crate) fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

pub(crate) fn identity(traits: Traits, node: u64) -> LinkIdentity {
    LinkIdentity { cluster: ClusterText::new(traits.cluster), node: Some(node), incarnation: 1 }
}

pub(crate) fn peers(traits: Traits, table: &Table) -> PeerConfig {
    let route = |&owner| PartitionRoute { owner, epoch: LeaderEpoch::new(1) };
    let partitions: Arc<[_]> = table.owners.iter().map(route).collect();
    let node = NodeRoute { address: table.address.clone(), shard_count: table.cores, up: true };
    let routes = Routes::new(RouteTable {
        nodes: [(2, node)].into(),
        topics: [(TopicId::new(1), partitions)].into_iter().collect(),
        ..RouteTable::alone(table.us.clone())
    });
    PeerConfig { routes, secret: traits.secret.map(LinkSecret::new), tls: traits.tls() }
}

pub(crate) fn config(directory: &Path, count: usize, peers: PeerConfig) -> ShardConfig {
    ShardConfig {
        index: 0,
        count,
        data_dir: directory.to_owned(),
        store: StoreConfig::Memory(MemoryStoreConfig { bytes_max: 256 << 20, incarnation: 0 }),
        unflushed_bytes_max: 256 << 20,
        tail_cache_bytes_max: 0,
        dedup_bytes_max: 16 << 20,
        ack_key: [7; 16],
        io_limits: IoLimits::default(),
        peers: Some(peers),
        replication: None,
        tracer: shard::tracer::Tracer::default(),
    }
}

/// A node of one core, on this executor.
pub(crate) async fn start(config: ShardConfig) -> Node {
    let routes = config.peers.as_ref().unwrap().routes.clone();
    let (commands, receiver) = flume::bounded(16);
    let metrics = Arc::new(ShardMetrics::default());
    let started = Shard::start_with_peers(config, MeshPlan::new(1), receiver, Arc::clone(&metrics)).await;
    let (shard, handle, server) = started.unwrap();
    glommio::spawn_local(shard.run()).detach();
    Node { handle, metrics, address: listen(server.unwrap()), routes, commands, directory: None }
}

async fn node(id: u64, traits: Traits) -> Node {
    let directory = directory();
    let nobody = Table { us: identity(traits, id), address: String::new(), cores: 1, owners: Vec::new() };
    let node = start(config(directory.path(), 1, peers(traits, &nobody))).await;
    Node { directory: Some(directory), ..node }
}

/// Takes connections as the control thread does; the address of it.
fn listen(server: PeerServer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    glommio::spawn_local(async move {
        loop {
            let mut stream = listener.accept().await.unwrap();
            let server = server.clone();
            glommio::spawn_local(async move {
                let mut preface = [0; PREFACE_BYTES];
                if stream.read_exact(&mut preface).await.is_ok() {
                    assert_eq!(Preface::decode(&preface).unwrap().lane, Lane::Shard(0));
                    server.serve(stream, 0).await;
                }
            })
            .detach();
        }
    })
    .detach();
    address
}

impl Pair {
    /// Makes a node the owner of a partition, in the tables of both.
    pub(crate) fn give(&self, index: u32, owner: Option<u64>) {
        self.owners.borrow_mut()[usize::try_from(index).unwrap()] = owner;
        self.publish_routes();
    }

    /// Has node 1 be connected with node 2: what is asked next is on its way when it was polled once.
    pub(crate) async fn connect(&self) {
        self.one.handle.status(partition(2)).await.unwrap();
    }

    /// Says whether node 2 counts as alive.
    pub(crate) fn set_up(&self, up: bool) {
        *self.is_up.borrow_mut() = up;
        self.publish_routes();
    }

    fn publish_routes(&self) {
        let route = |&owner| PartitionRoute { owner, epoch: LeaderEpoch::new(1) };
        let partitions: Arc<[_]> = self.owners.borrow().iter().map(route).collect();
        let node = |address: &str, up| NodeRoute { address: address.to_owned(), shard_count: 1, up };
        let up = *self.is_up.borrow();
        for place in [&self.one, &self.two] {
            let table = RouteTable {
                nodes: [(1, node(&self.one.address, true)), (2, node(&self.proxy.address, up))].into(),
                topics: [(TopicId::new(1), Arc::clone(&partitions))].into_iter().collect(),
                ..RouteTable::alone(place.routes.load().us.clone())
            };
            place.routes.publish(table);
        }
    }
}

impl Node {
    /// Opens partitions, and the subscription on each.
    pub(crate) async fn open(&self, partitions: &[u32]) {
        tell(&self.commands, partitions.iter().copied().flat_map(opening).collect()).await;
    }

    /// Has the subscription on a partition deliver in another way.
    pub(crate) async fn deliver(&self, index: u32, mode: DeliveryMode) {
        let settings = SubscriptionSettings { mode, ..subscription() };
        tell(&self.commands, vec![PartitionChange::OpenSubscription { partition: partition(index), settings }]).await;
    }

    /// Has a partition no more.
    pub(crate) async fn close(&self, index: u32) {
        tell(&self.commands, vec![PartitionChange::Delete { partition: partition(index) }]).await;
    }

    pub(crate) async fn publish(&self, index: u32, payload: &[u8]) -> Result<Published, PublishError> {
        self.handle.publish(partition(index), batch(&[payload], None)).await
    }

    pub(crate) async fn pull(&self, index: u32) -> Pulled {
        self.handle.pull(cursor(index), pull_request()).await.unwrap()
    }

    /// Reads all payloads.
    pub(crate) async fn read_all(&self, index: u32) -> Vec<Vec<u8>> {
        let mut payloads = Vec::new();
        let mut from = Offset::ZERO;
        loop {
            let read = ReadRequest { from: ReadFrom::Offset(from), bytes_max: 64 << 10, wait: Duration::ZERO };
            let reply = self.handle.read(partition(index), read).await.unwrap();
            let Some(last) = reply.batches.last() else { return payloads };
            payloads.extend(reply.batches.iter().flat_map(contents));
            from = last.offsets().end;
        }
    }
}

/// What opens a partition, and the subscription on it.
pub(crate) fn opening(index: u32) -> [PartitionChange; 2] {
    let settings = PartitionSettings {
        flush: FlushPolicy::Always,
        acks: Acks::Quorum,
        retention: None,
        retention_bytes: None,
        dedup_window: Duration::from_mins(2),
    };
    let (partition, epoch) = (partition(index), LeaderEpoch::new(1));
    [
        PartitionChange::Open { partition, epoch, settings, replicas: None },
        PartitionChange::OpenSubscription { partition, settings: subscription() },
    ]
}

/// Tells a shard of changes, as the control thread does.
pub(crate) async fn tell(commands: &flume::Sender<ShardCommand>, changes: Vec<PartitionChange>) {
    let (done, applied) = oneshot::channel();
    commands.send_async(ShardCommand::Apply { changes, done }).await.unwrap();
    applied.await.unwrap();
}

pub(crate) async fn stop(commands: &flume::Sender<ShardCommand>) {
    let (done, stopped) = oneshot::channel();
    commands.send_async(ShardCommand::Stop { done }).await.unwrap();
    stopped.await.unwrap();
}

/// Returns when `holds`; the test runner ends a test for which it never does.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        sleep(Duration::from_millis(1)).await;
    }
}

pub(crate) fn partition(index: u32) -> TopicPartition {
    TopicPartition::new(TopicId::new(1), PartitionIndex::new(index))
}

pub(crate) fn cursor(index: u32) -> PartitionSubscription {
    PartitionSubscription { partition: partition(index), subscription: SUBSCRIPTION }
}

pub(crate) fn pull_request() -> PullRequest {
    let consumer = shard::ConsumerId(9);
    PullRequest { messages_max: 10, bytes_max: 1 << 20, ack_deadline: None, consumer, claim: None }
}

fn subscription() -> SubscriptionSettings {
    SubscriptionSettings {
        id: SUBSCRIPTION,
        ack_deadline: Duration::from_secs(30),
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(1),
        ordering: DeliveryOrder::None,
        mode: DeliveryMode::AtLeastOnce,
        filter: None,
        dead_letters: None,
        assignment: None,
        start: SeekTo::Earliest,
    }
}

pub(crate) fn batch(payloads: &[&[u8]], producer: Option<Producer>) -> UnassignedBatch {
    batch_of(payloads, producer, MessageId::Uuid([9; 16]))
}

pub(crate) fn batch_of(payloads: &[&[u8]], producer: Option<Producer>, id: MessageId<'_>) -> UnassignedBatch {
    let mut builder = BatchBuilder::new(0);
    for payload in payloads {
        let head =
            RecordHead { id, key: None, content_type: "text/plain", priority: 4, ttl_ms: None, deliver_at: None };
        let Ok(()) = builder.push(&head, &[], |out| {
            out.extend_from_slice(payload);
            Ok::<(), Infallible>(())
        });
    }
    builder.finish(Codec::None, producer).unwrap()
}

pub(crate) fn contents(batch: &RecordBatch) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    batch.for_each_record(|record| payloads.push(record.payload.to_vec())).unwrap();
    payloads
}
