//! Settings of the Redis that keeps messages with `store: redis`.

use super::{
    super::value::{SettingValue, assign, assign_within},
    Setting,
};

/// In the order in which they are printed.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "redis.host",
        purpose: "the Redis of `store: redis`: a name or an address of a single master",
        set: |config, raw| assign(&mut config.redis.host, raw),
        get: |config| config.redis.host.show(),
    },
    Setting {
        key: "redis.port",
        purpose: "its port",
        set: |config, raw| assign(&mut config.redis.port, raw),
        get: |config| config.redis.port.show(),
    },
    Setting {
        key: "redis.username",
        purpose: "the user of its access control list; empty is its default user",
        set: |config, raw| assign(&mut config.redis.username, raw),
        get: |config| config.redis.username.show(),
    },
    Setting {
        key: "redis.password",
        purpose: "the password; shown nowhere",
        set: |config, raw| assign(&mut config.redis.password, raw),
        get: |config| config.redis.password.show(),
    },
    Setting {
        key: "redis.database",
        purpose: "the number of the database",
        set: |config, raw| assign_within(&mut config.redis.database, raw, 0..=65_535),
        get: |config| config.redis.database.show(),
    },
    Setting {
        key: "redis.tls",
        purpose: "whether to speak TLS",
        set: |config, raw| assign(&mut config.redis.tls, raw),
        get: |config| config.redis.tls.show(),
    },
    Setting {
        key: "redis.tls_ca_file",
        purpose: "a PEM file with the certificates of its issuer; empty: those that the machine trusts",
        set: |config, raw| assign(&mut config.redis.tls_ca_file, raw),
        get: |config| config.redis.tls_ca_file.show(),
    },
    Setting {
        key: "redis.tls_server_name",
        purpose: "the name on its certificate; empty: `redis.host`",
        set: |config, raw| assign(&mut config.redis.tls_server_name, raw),
        get: |config| config.redis.tls_server_name.show(),
    },
    Setting {
        key: "redis.sentinels",
        purpose: "Sentinels, as `HOST:PORT`, that know which server is the master; then `redis.host` is not used",
        set: |config, raw| assign(&mut config.redis.sentinels, raw),
        get: |config| config.redis.sentinels.show(),
    },
    Setting {
        key: "redis.sentinel_master",
        purpose: "what the Sentinels call the master",
        set: |config, raw| assign(&mut config.redis.sentinel_master, raw),
        get: |config| config.redis.sentinel_master.show(),
    },
    Setting {
        key: "redis.sentinel_password",
        purpose: "the password of the Sentinels themselves; shown nowhere",
        set: |config, raw| assign(&mut config.redis.sentinel_password, raw),
        get: |config| config.redis.sentinel_password.show(),
    },
    Setting {
        key: "redis.cluster",
        purpose: "whether `redis.host` is a server of a Redis Cluster; the others are asked of it",
        set: |config, raw| assign(&mut config.redis.cluster, raw),
        get: |config| config.redis.cluster.show(),
    },
    Setting {
        key: "redis.wait_replicas",
        purpose: "how many of its replicas must have a message before it is acknowledged (`WAIT`)",
        set: |config, raw| assign_within(&mut config.redis.wait_replicas, raw, 0..=64),
        get: |config| config.redis.wait_replicas.show(),
    },
    Setting {
        key: "redis.on_loss",
        purpose: "what is done when Redis has lost acknowledged messages: `continue` behind them, with an error in the log and a metric; `stop`: the partition stays closed",
        set: |config, raw| assign(&mut config.redis.on_loss, raw),
        get: |config| config.redis.on_loss.show(),
    },
    Setting {
        key: "redis.connect_timeout_ms",
        purpose: "how long a connection may take to stand",
        set: |config, raw| assign_within(&mut config.redis.connect_timeout_ms, raw, 10..=60_000),
        get: |config| config.redis.connect_timeout_ms.show(),
    },
    Setting {
        key: "redis.request_timeout_ms",
        purpose: "how long one answer may take; after that the connection is made anew",
        set: |config, raw| assign_within(&mut config.redis.request_timeout_ms, raw, 10..=60_000),
        get: |config| config.redis.request_timeout_ms.show(),
    },
    Setting {
        key: "redis.operation_timeout_ms",
        purpose: "how long a write or a read may take with all its tries; after that clients get 503",
        set: |config, raw| assign_within(&mut config.redis.operation_timeout_ms, raw, 10..=600_000),
        get: |config| config.redis.operation_timeout_ms.show(),
    },
];
