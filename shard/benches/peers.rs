//! What it costs to publish through another node: two nodes in one process, each on a thread of its own, the memory store,
//! real connections on the loopback device. `cargo bench -p shard --bench peers`
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "it measures, and fails by panicking")]

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_channel::oneshot;
use futures_lite::io::AsyncReadExt as _;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use glommio::{LocalExecutorBuilder, Placement, net::TcpListener};
use shard::{
    MeshPlan, NodeRoute, PartitionRoute, RouteTable, Routes, Shard, ShardConfig, ShardHandle, StoreConfig,
    command::{PartitionChange, PartitionSettings, ShardCommand},
    metrics::ShardMetrics,
    peer::{PeerConfig, PeerServer},
    store::memory::MemoryStoreConfig,
};
use shard_core::{
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, UnassignedBatch},
    },
    link::{ClusterText, LinkIdentity, LinkSecret, PREFACE_BYTES},
    log::{Acks, FlushPolicy, IoLimits},
    model::{LeaderEpoch, PartitionIndex, TopicId, TopicPartition},
};

const PARTITION: TopicPartition = TopicPartition::new(TopicId::new(1), PartitionIndex::new(0));
const PAYLOAD_BYTES: usize = 256;
const SECONDS: u64 = 2;

/// A node's shard, its handle, what serves others, and how it is told of changes.
type Started = (Shard, ShardHandle, PeerServer, flume::Sender<ShardCommand>);

async fn start(node: u64, owner_address: &str) -> Started {
    let us = LinkIdentity { cluster: ClusterText::new("bench"), node: Some(node), incarnation: 1 };
    let route = PartitionRoute { owner: Some(1), epoch: LeaderEpoch::new(1) };
    let owner = NodeRoute { address: owner_address.to_owned(), shard_count: 1, up: true };
    let routes = Routes::new(RouteTable {
        nodes: [(1, owner)].into(),
        topics: [(PARTITION.topic, Arc::from([route]))].into_iter().collect(),
        ..RouteTable::alone(us)
    });
    let config = ShardConfig {
        index: 0,
        count: 1,
        data_dir: std::env::temp_dir(),
        store: StoreConfig::Memory(MemoryStoreConfig { bytes_max: 64 << 20, incarnation: 0 }),
        unflushed_bytes_max: 256 << 20,
        tail_cache_bytes_max: 0,
        dedup_bytes_max: 16 << 20,
        ack_key: [7; 16],
        io_limits: IoLimits::default(),
        peers: Some(PeerConfig { routes, secret: Some(LinkSecret::new(b"correct horse")), tls: None }),
        replication: None,
        tracer: shard::tracer::Tracer::default(),
    };
    let (commands, receiver) = flume::bounded(16);
    let metrics = Arc::new(ShardMetrics::default());
    let started = Shard::start_with_peers(config, MeshPlan::new(1), receiver, metrics).await;
    let (shard, handle, server) = started.unwrap();
    (shard, handle, server.unwrap(), commands)
}

async fn open(commands: &flume::Sender<ShardCommand>) {
    let settings = PartitionSettings {
        flush: FlushPolicy::Always,
        acks: Acks::Quorum,
        retention: None,
        retention_bytes: None,
        dedup_window: Duration::ZERO,
    };
    let change = PartitionChange::Open { partition: PARTITION, epoch: LeaderEpoch::new(1), settings, replicas: None };
    let (done, applied) = oneshot::channel();
    commands.send_async(ShardCommand::Apply { changes: vec![change], done }).await.unwrap();
    applied.await.unwrap();
}

fn batch(messages: usize) -> UnassignedBatch {
    let mut builder = BatchBuilder::new(messages * (PAYLOAD_BYTES + 64));
    for _ in 0..messages {
        let head = RecordHead {
            id: MessageId::Uuid([9; 16]),
            key: None,
            content_type: "text/plain",
            priority: 4,
            ttl_ms: None,
            deliver_at: None,
        };
        let Ok(()) = builder.push(&head, &[], |out| {
            out.resize(out.len() + PAYLOAD_BYTES, b'x');
            Ok::<(), Infallible>(())
        });
    }
    builder.finish(Codec::None, None).unwrap()
}

/// Publishes with so many under way at once, and prints what came of it.
async fn measure(name: &str, handle: &ShardHandle, (under_way, messages): (usize, usize)) {
    let publish = || async {
        let began = Instant::now();
        handle.publish(PARTITION, batch(messages)).await.unwrap();
        began.elapsed()
    };
    let began = Instant::now();
    let mut running: FuturesUnordered<_> = (0..under_way).map(|_| publish()).collect();
    let mut latencies = Vec::new();
    while let Some(latency) = running.next().await {
        latencies.push(latency);
        if began.elapsed() < Duration::from_secs(SECONDS) {
            running.push(publish());
        }
    }
    let elapsed = began.elapsed();
    latencies.sort_unstable();
    let at = |part: usize| latencies.get(latencies.len() * part / 1_000).copied().unwrap_or_default();
    let rate = u128::try_from(latencies.len() * messages).unwrap() * 1_000_000 / elapsed.as_micros();
    println!(
        "{name:<12} {under_way:>4} under way, {messages:>4} a batch: {rate:>9} messages/s, p50 {:?}, p99 {:?}",
        at(500),
        at(990)
    );
}

const LOADS: [(usize, usize); 4] = [(1, 1), (64, 1), (1, 100), (16, 100)];

fn main() {
    let (address, owner_address) = flume::bounded(1);
    let (finished, wait) = flume::bounded::<()>(1);
    let owner = LocalExecutorBuilder::new(Placement::Fixed(0)).io_memory(1 << 20).spawn(|| async move {
        let (shard, handle, server, commands) = start(1, "").await;
        glommio::spawn_local(shard.run()).detach();
        open(&commands).await;
        for load in LOADS {
            measure("at the owner", &handle, load).await;
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        address.send_async(listener.local_addr().unwrap().to_string()).await.unwrap();
        glommio::spawn_local(async move {
            let mut stream = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; PREFACE_BYTES]).await.unwrap();
            stream.set_nodelay(true).unwrap();
            server.serve(stream, 0).await;
        })
        .detach();
        let _ = wait.recv_async().await;
    });
    let asker = LocalExecutorBuilder::new(Placement::Fixed(1)).io_memory(1 << 20).spawn(|| async move {
        let address = owner_address.recv_async().await.unwrap();
        let (shard, handle, _, _commands) = start(2, &address).await;
        glommio::spawn_local(shard.run()).detach();
        for load in LOADS {
            measure("through", &handle, load).await;
        }
        drop(finished);
    });
    asker.unwrap().join().unwrap();
    owner.unwrap().join().unwrap();
}
