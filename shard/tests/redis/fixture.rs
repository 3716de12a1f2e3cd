//! Executors, settings, batches and checks that the tests share.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_lite::future;
use glommio::{LocalExecutorBuilder, Placement, timer::Timer};
use shard::redis::{
    Acknowledged, ClusterName, LogReader, Outcome, RedisConfig, RedisLink, RedisPartition, RedisTimeouts, Refusal,
    Topology, WriteError, open,
};
use shard_core::{
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, RecordBatch},
    },
    model::{LeaderEpoch, Offset, OffsetRange, PartitionIndex, Timestamp, TopicId, TopicPartition},
};

pub(crate) const PARTITION: TopicPartition = TopicPartition::new(TopicId::new(7), PartitionIndex::new(3));
pub(crate) const METADATA: &str = "{pubsub:test:7:3}:metadata";
pub(crate) const CURSORS: &str = "{pubsub:test:7:3}:cursors";
pub(crate) const EPOCH: LeaderEpoch = LeaderEpoch::new(5);

use crate::server::RedisServer;

/// How long a test may take before it is taken for hung.
const TEST_MAX: Duration = Duration::from_mins(1);

/// Runs a test on an executor of its own.
pub(crate) fn on_executor<T: Send + 'static>(test: impl AsyncFnOnce() -> T + Send + 'static) -> T {
    let executor = LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20).name("redis-test");
    let thread = executor.spawn(|| async {
        let late = async {
            Timer::new(TEST_MAX).await;
            panic!("the test hangs");
        };
        future::or(Box::pin(test()), late).await
    });
    thread.unwrap().join().unwrap()
}

/// Settings with deadlines that only a fault meets.
pub(crate) fn config(port: u16) -> RedisConfig {
    let timeouts = RedisTimeouts { operation: Duration::from_secs(20), ..RedisTimeouts::default() };
    RedisConfig {
        host: "127.0.0.1".to_owned(),
        port,
        topology: Topology::Single,
        tls: None,
        username: None,
        password: None,
        database: 0,
        cluster: ClusterName::new("test").unwrap(),
        timeouts,
        wait_replicas: 0,
    }
}

/// Settings for a test that waits for deadlines to pass.
pub(crate) fn impatient(port: u16) -> RedisConfig {
    let timeouts = RedisTimeouts {
        connect: Duration::from_millis(300),
        request: Duration::from_millis(300),
        operation: Duration::from_secs(1),
    };
    RedisConfig { timeouts, ..config(port) }
}

pub(crate) fn link(port: u16) -> RedisLink {
    RedisLink::start(config(port))
}

/// Opens the partition that the tests use, at its end whatever that is.
pub(crate) async fn open_new(link: &RedisLink) -> RedisPartition {
    open(link, PARTITION, EPOCH, Offset::ZERO).await.unwrap()
}

/// A batch of records whose payloads are any bytes but for their number, which differs with the offset.
pub(crate) fn batch(base: u64, records: u64, time: i64) -> RecordBatch {
    batch_of(base, records, time, 100)
}

pub(crate) fn batch_of(base: u64, records: u64, time: i64, payload_bytes: usize) -> RecordBatch {
    let head = RecordHead {
        id: MessageId::Text("id"),
        key: None,
        content_type: "application/octet-stream",
        priority: 4,
        ttl_ms: None,
        deliver_at: None,
    };
    let mut builder = BatchBuilder::new(payload_bytes);
    for record in 0..records {
        let Ok(()) = builder.push(&head, &[], |out| {
            let seed = (base + record).to_le_bytes();
            out.extend((0..payload_bytes).map(|at| seed[at % 8] ^ u8::try_from(at % 256).unwrap()));
            Ok::<_, Infallible>(())
        });
    }
    let unassigned = builder.finish(Codec::None, None).unwrap();
    unassigned.assign(Offset::new(base), EPOCH, Timestamp::from_millis(time))
}

/// Appends one batch of so many records at the end, at a time that is the offset.
pub(crate) async fn append(partition: &mut RedisPartition, records: u64) -> (RecordBatch, Acknowledged) {
    let base = partition.log.offsets().end.get();
    let batch = batch(base, records, i64::try_from(base).unwrap());
    let acknowledged = partition.log.append(std::slice::from_ref(&batch)).await.unwrap();
    (batch, acknowledged)
}

/// Everything from `start` to the end of the log, in the pieces in which it was appended.
pub(crate) async fn read_all(reader: &LogReader, start: u64) -> Vec<RecordBatch> {
    let mut batches = Vec::new();
    let mut next = Offset::new(start);
    loop {
        let page = reader.read(next, 64 << 10).await.unwrap();
        let Some(last) = page.last() else { return batches };
        next = last.offsets().end;
        batches.extend(page);
    }
}

/// Nothing was done, and for this reason.
pub(crate) fn refused(refusal: Refusal) -> WriteError {
    WriteError::Refused { refusal, outcome: Outcome::NotApplied }
}

/// Why Redis did nothing, whatever an earlier try did.
pub(crate) fn refusal(error: WriteError) -> Refusal {
    let WriteError::Refused { refusal, .. } = error else { panic!("{error}") };
    refusal
}

/// The key of the log as it was opened last.
pub(crate) fn log_key(server: &RedisServer) -> String {
    let session: String = server.command(&["HGET", METADATA, "session"]);
    format!("{{pubsub:test:7:3}}:log:{session}")
}

pub(crate) fn range(start: u64, end: u64) -> OffsetRange {
    OffsetRange::new(Offset::new(start), Offset::new(end))
}

pub(crate) fn entries(texts: &[&str]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::from((*text).to_owned())).collect()
}
