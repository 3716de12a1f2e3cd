//! Runs shards on real executors over a temporary directory on a real disk.

use std::{convert::Infallible, path::Path, rc::Rc, sync::Arc, time::Duration};

use futures_channel::oneshot;
use glommio::{LocalExecutorBuilder, Placement};
use shard::{
    Claim, MeshPlan, PublishError, Published, PullRequest, Pulled, ReadFrom, ReadRequest, SeekTo, Shard, ShardConfig,
    ShardHandle, StoreConfig, SubscriptionError,
    command::{PartitionChange, PartitionSettings, ShardCommand, SubscriptionSettings},
    metrics::ShardMetrics,
    shard_of,
    store::{
        EndsConfig,
        log::LogStoreConfig,
        memory::{MemoryStoreConfig, next_incarnation},
    },
};
use shard_core::{
    delivery::{DeliveryMode, DeliveryOrder},
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, RecordBatch, UnassignedBatch},
    },
    layout::EndsOwner,
    log::{Acks, FlushPolicy, IoLimits},
    model::{LeaderEpoch, PartitionIndex, SubscriptionId, TopicId, TopicPartition},
};
use tempfile::TempDir;

pub(crate) const SUBSCRIPTION: SubscriptionId = SubscriptionId::new(5);

/// What a test has of the shard it talks to.
pub(crate) struct Running {
    pub(crate) handle: ShardHandle,
    /// One queue for each shard.
    pub(crate) commands: Vec<flume::Sender<ShardCommand>>,
}

pub(crate) fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

pub(crate) fn partition(index: u32) -> TopicPartition {
    TopicPartition::new(TopicId::new(1), PartitionIndex::new(index))
}

/// Runs `test` beside one shard; when `test` ends, so does the executor, as a killed process does.
pub(crate) fn with_shard<T: Send + 'static>(
    directory: &Path,
    test: impl AsyncFnOnce(Rc<Running>) -> T + Send + 'static,
) -> T {
    with_shard_of(config(directory, 1), test)
}

/// Runs `test` beside one shard with a memory store of `bytes_max`.
pub(crate) fn with_memory_shard<T: Send + 'static>(
    directory: &Path,
    bytes_max: u64,
    test: impl AsyncFnOnce(Rc<Running>) -> T + Send + 'static,
) -> T {
    let incarnation = next_incarnation(directory).unwrap();
    let store = StoreConfig::Memory(MemoryStoreConfig { bytes_max, incarnation });
    with_shard_of(ShardConfig { store, tail_cache_bytes_max: 0, ..config(directory, 1) }, test)
}

fn with_shard_of<T: Send + 'static>(
    config: ShardConfig,
    test: impl AsyncFnOnce(Rc<Running>) -> T + Send + 'static,
) -> T {
    let executor = LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20);
    let thread = executor.spawn(move || async move {
        let (commands, receiver) = flume::bounded(16);
        let metrics = Arc::new(ShardMetrics::default());
        let (shard, handle) = Shard::start(config, MeshPlan::new(1), receiver, metrics).await.unwrap();
        glommio::spawn_local(shard.run()).detach();
        test(Rc::new(Running { handle, commands: vec![commands] })).await
    });
    thread.unwrap().join().unwrap()
}

/// Runs `test` on the first of two shards, and gives how many messages each of them has appended.
pub(crate) fn with_two_shards(directory: &Path, test: impl AsyncFnOnce(Rc<Running>) + Send + 'static) -> [u64; 2] {
    let plan = MeshPlan::new(2);
    let metrics = [Arc::new(ShardMetrics::default()), Arc::new(ShardMetrics::default())];
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..2).map(|_| flume::bounded(16)).unzip();
    let (finished, wait_for_finish) = flume::bounded::<()>(1);
    let mut tests = Some((test, senders.clone(), finished));
    let mut threads = Vec::new();
    for ((index, commands), metrics) in receivers.into_iter().enumerate().zip(&metrics) {
        let config = config(directory, 2).of_shard(index);
        let (plan, metrics, senders) = (plan.clone(), Arc::clone(metrics), senders.clone());
        let test = tests.take();
        let wait_for_finish = wait_for_finish.clone();
        let executor = LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20);
        let thread = executor.spawn(move || async move {
            let (shard, handle) = Shard::start(config, plan, commands, metrics).await.unwrap();
            glommio::spawn_local(shard.run()).detach();
            if let Some((test, senders, finished)) = test {
                test(Rc::new(Running { handle, commands: senders })).await;
                drop(finished);
            } else {
                let _ = wait_for_finish.recv_async().await;
            }
            drop(senders);
        });
        threads.push(thread.unwrap());
    }
    for thread in threads {
        thread.join().unwrap();
    }
    metrics.map(|metrics| metrics.messages_appended.get())
}

pub(crate) fn config(directory: &Path, count: usize) -> ShardConfig {
    let ends = EndsConfig::read(directory, EndsOwner::Log, count).unwrap();
    let log = LogStoreConfig { ends, segment_bytes_max: 1 << 20, reserve_bytes: 0, open_files_max: 256 };
    ShardConfig {
        index: 0,
        count,
        data_dir: directory.to_owned(),
        store: StoreConfig::Log(log),
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

impl Running {
    /// Opens partitions, and the subscription on each.
    pub(crate) async fn open(&self, partitions: &[u32]) {
        let settings = PartitionSettings {
            flush: FlushPolicy::Always,
            acks: Acks::Quorum,
            retention: None,
            retention_bytes: None,
            dedup_window: Duration::from_mins(2),
        };
        let mut changes = Vec::new();
        for &index in partitions {
            let (partition, epoch) = (partition(index), LeaderEpoch::new(1));
            changes.push(PartitionChange::Open { partition, epoch, settings, replicas: None });
            changes.push(PartitionChange::OpenSubscription { partition, settings: subscription() });
        }
        self.apply(changes).await;
    }

    /// Tells each shard what concerns its own partitions, as the control thread does.
    pub(crate) async fn apply(&self, changes: Vec<PartitionChange>) {
        for (index, commands) in self.commands.iter().enumerate() {
            let is_here = |change: &PartitionChange| shard_of(change.partition(), self.commands.len()) == index;
            let changes = changes.iter().filter(|change| is_here(change)).cloned().collect();
            let (done, applied) = oneshot::channel();
            commands.send_async(ShardCommand::Apply { changes, done }).await.unwrap();
            applied.await.unwrap();
        }
    }

    pub(crate) async fn stop(&self) {
        for commands in &self.commands {
            let (done, stopped) = oneshot::channel();
            commands.send_async(ShardCommand::Stop { done }).await.unwrap();
            stopped.await.unwrap();
        }
    }

    pub(crate) async fn publish(&self, index: u32, payloads: &[&[u8]]) -> Result<Published, PublishError> {
        self.handle.publish(partition(index), batch(payloads)).await
    }

    pub(crate) async fn pull(&self, index: u32, messages_max: u32) -> Pulled {
        self.pull_by(index, messages_max, None).await.unwrap()
    }

    pub(crate) async fn pull_by(
        &self,
        index: u32,
        messages_max: u32,
        claim: Option<Claim>,
    ) -> Result<Pulled, SubscriptionError> {
        let consumer = shard::ConsumerId(0);
        let pull = PullRequest { messages_max, bytes_max: 1 << 20, ack_deadline: None, consumer, claim };
        self.handle.pull(cursor(index), pull).await
    }

    /// Reads all payloads from `from` on.
    pub(crate) async fn read_all(&self, index: u32, from: u64) -> Vec<Vec<u8>> {
        let mut payloads = Vec::new();
        let mut from = shard_core::model::Offset::new(from);
        loop {
            let read = ReadRequest { from: ReadFrom::Offset(from), bytes_max: 64 << 10, wait: Duration::ZERO };
            let reply = self.handle.read(partition(index), read).await.unwrap();
            let Some(last) = reply.batches.last() else { return payloads };
            for batch in &reply.batches {
                payloads.extend(contents(batch));
            }
            from = last.offsets().end;
        }
    }
}

pub(crate) fn cursor(index: u32) -> shard::PartitionSubscription {
    shard::PartitionSubscription { partition: partition(index), subscription: SUBSCRIPTION }
}

pub(crate) fn subscription() -> SubscriptionSettings {
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

pub(crate) fn batch(payloads: &[&[u8]]) -> UnassignedBatch {
    let mut builder = BatchBuilder::new(0);
    for payload in payloads {
        let head = RecordHead {
            id: MessageId::Uuid([9; 16]),
            key: None,
            content_type: "text/plain",
            priority: 4,
            ttl_ms: None,
            deliver_at: None,
        };
        let Ok(()) = builder.push(&head, &[], |out| {
            out.extend_from_slice(payload);
            Ok::<(), Infallible>(())
        });
    }
    builder.finish(Codec::None, None).unwrap()
}

pub(crate) fn contents(batch: &RecordBatch) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    batch.for_each_record(|record| payloads.push(record.payload.to_vec())).unwrap();
    payloads
}
