//! The Redis store on a server of the test's own.

use std::{collections::HashMap, sync::Arc};

use redis::{FromRedisValue, Value, cmd};
use shard::{
    metrics::ShardMetrics,
    redis::{ClusterName, OnLoss, RedisConfig, RedisStore, RedisStoreConfig, RedisTimeouts, Topology},
    store::{AppendFault, EndsConfig, MessageStore as _, ShardStore as _, StoreErrorKind},
};
use shard_core::{
    format::record_batch::RecordBatch,
    layout::EndsOwner,
    log::Reached,
    model::{LeaderEpoch, TopicPartition},
    redis::PartitionKeys,
};
use tempfile::TempDir;

use crate::{
    batches::Writer,
    cursors::Cursors,
    factory::{EPOCH, Factory, directory, on_executor, open, partition, read_all},
};

#[path = "../redis/server.rs"]
#[expect(dead_code, reason = "the tests of the Redis store alone use more of it")]
mod server;

use server::RedisServer;

/// A server that syncs before it answers, and a data directory.
pub(crate) struct RedisFactory {
    server: RedisServer,
    directory: TempDir,
}

impl RedisFactory {
    fn cluster() -> ClusterName {
        ClusterName::new("conformance").unwrap()
    }

    fn log_key(&self, partition: TopicPartition) -> String {
        let keys = PartitionKeys::new(&Self::cluster(), partition);
        keys.log_of(&self.server.command::<String>(&["HGET", &keys.metadata, "session"]))
    }
}

impl Factory for RedisFactory {
    type Store = RedisStore;

    const REACHED: Reached = Reached::RedisFsync;
    const SURVIVES: bool = true;

    fn new() -> Self {
        Self { server: RedisServer::start(), directory: directory() }
    }

    async fn start(&self) -> RedisStore {
        let redis = RedisConfig {
            host: "127.0.0.1".to_owned(),
            port: self.server.port(),
            topology: Topology::Single,
            tls: None,
            username: None,
            password: None,
            database: 0,
            cluster: Self::cluster(),
            timeouts: RedisTimeouts::default(),
            wait_replicas: 0,
        };
        let ends = EndsConfig::read(self.directory.path(), EndsOwner::Redis, 1).unwrap();
        let config =
            RedisStoreConfig { redis, on_loss: OnLoss::Continue, ends, first_offsets: Arc::new(HashMap::new()) };
        let store = RedisStore::start(config, Arc::new(ShardMetrics::default())).await.unwrap();
        store.settle().await.unwrap();
        store
    }

    /// Writes the stream anew, as no entry of one can be changed.
    fn damage(&self, batch: &RecordBatch) -> bool {
        type Entry = (String, Vec<(String, Vec<u8>)>);

        let key = self.log_key(partition(0));
        let entries: Value = self.server.command(&["XRANGE", &key, "-", "+"]);
        let entries = Vec::<Entry>::from_redis_value(entries).unwrap();
        let _: u64 = self.server.command(&["DEL", &key]);
        let mut damaged = 0;
        for (id, fields) in entries {
            let mut add = cmd("XADD");
            add.arg(&key).arg(id);
            for (name, mut value) in fields {
                if value == *batch.bytes() {
                    *value.last_mut().unwrap() ^= 1;
                    damaged += 1;
                }
                add.arg(name).arg(value);
            }
            let _: String = self.server.bytes_command(&add);
        }
        assert_eq!(damaged, 1, "the batch is stored as it is");
        true
    }

    fn break_writes(&self, partition: TopicPartition) -> bool {
        self.server.command::<u64>(&["DEL", &self.log_key(partition)]) == 1
    }
}

/// F45, of a planned handover: what it can be sure of, another owner may do again at once.
#[test]
fn whoever_another_owner_has_overtaken_is_told_so() {
    on_executor(RedisFactory::new(), async |factory| {
        let (before, after) = (factory.start().await, factory.start().await);
        let old = open(&before).await;
        let mut writer = Writer::behind(&old.found);
        writer.append(&old.store, 1, 100).await;
        let new = after.open(partition(0), LeaderEpoch::new(EPOCH.get() + 1)).await.unwrap();

        let cursors = old.store.append_cursors(Cursors::default().ack(1, 0)).await.unwrap_err();
        assert_eq!(cursors.kind, StoreErrorKind::Superseded, "{cursors}");
        let refused = old.store.append(vec![writer.next(1, 100)], true).await;
        assert!(matches!(refused, Err(AppendFault::Superseded { .. })), "{refused:?}");
        let opened = before.open(partition(0), EPOCH).await.map(|_| ()).unwrap_err();
        assert_eq!(opened.kind, StoreErrorKind::Superseded, "{opened}");

        writer.cut(new.found.extent.end);
        writer.append(&new.store, 1, 100).await;
        assert_eq!(read_all(&new.store, writer.range()).await, writer.batches);
    });
}
