//! Settings of the data directory and the memory in front of it.

use super::{
    super::value::{SettingValue, assign, assign_within},
    Setting,
};

/// In the order in which they are printed.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "storage.data_dir",
        purpose: "where everything durable is kept; a directory on a local disk",
        set: |config, raw| assign(&mut config.storage.data_dir, raw),
        get: |config| config.storage.data_dir.show(),
    },
    Setting {
        key: "storage.segment_bytes",
        purpose: "how long a segment file grows before the next one is begun",
        set: |config, raw| assign_within(&mut config.storage.segment_bytes, raw, 1 << 20..=4 << 30),
        get: |config| config.storage.segment_bytes.show(),
    },
    Setting {
        key: "storage.reserve_bytes",
        purpose: "how much room is kept on the disk: with less, publishes are refused, while reads and acks go on",
        set: |config, raw| assign_within(&mut config.storage.reserve_bytes, raw, 0..=1 << 50),
        get: |config| config.storage.reserve_bytes.show(),
    },
    Setting {
        key: "storage.memory_bytes_max",
        purpose: "how much the memory store holds over all shards; beyond it publishers are put off",
        set: |config, raw| assign_within(&mut config.storage.memory_bytes_max, raw, 1 << 20..=1 << 40),
        get: |config| config.storage.memory_bytes_max.show(),
    },
    Setting {
        key: "storage.unflushed_bytes_max",
        purpose: "how much one partition may hold that waits for the store; beyond it publishers are put off",
        set: |config, raw| assign_within(&mut config.storage.unflushed_bytes_max, raw, 1 << 20..=4 << 30),
        get: |config| config.storage.unflushed_bytes_max.show(),
    },
    Setting {
        key: "storage.tail_cache_bytes",
        purpose: "memory for the newest batches over all shards, so that consumers who keep up don't read the disk",
        set: |config, raw| assign_within(&mut config.storage.tail_cache_bytes, raw, 0..=1 << 40),
        get: |config| config.storage.tail_cache_bytes.show(),
    },
    Setting {
        key: "storage.dedup_bytes_max",
        purpose: "memory for recognising what is published again, over all shards; beyond it ids are forgotten before their time",
        set: |config, raw| assign_within(&mut config.storage.dedup_bytes_max, raw, 0..=1 << 40),
        get: |config| config.storage.dedup_bytes_max.show(),
    },
    Setting {
        key: "storage.flush_interval_ms",
        purpose: "how long a message of a topic with `flush: interval` may wait for its sync",
        set: |config, raw| assign_within(&mut config.storage.flush_interval_ms, raw, 1..=60_000),
        get: |config| config.storage.flush_interval_ms.show(),
    },
    Setting {
        key: "storage.open_files_max",
        purpose: "how many files may be open for partitions, over all shards; those used longest ago are closed first; 0 takes what the process's limit leaves",
        set: |config, raw| assign_within(&mut config.storage.open_files_max, raw, 0..=10_000_000),
        get: |config| config.storage.open_files_max.show(),
    },
    Setting {
        key: "storage.io_slow_ms",
        purpose: "how long an operation on the disk may take before a warning is logged",
        set: |config, raw| assign_within(&mut config.storage.io_slow_ms, raw, 1..=3_600_000),
        get: |config| config.storage.io_slow_ms.show(),
    },
    Setting {
        key: "storage.io_stuck_ms",
        purpose: "how long an operation on the disk may take before publishes to its shard are refused, until it ends",
        set: |config, raw| assign_within(&mut config.storage.io_stuck_ms, raw, 1..=3_600_000),
        get: |config| config.storage.io_stuck_ms.show(),
    },
];
