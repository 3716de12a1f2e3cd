//! Every setting in one table: its key, what it does, how it is read and shown.

use serde_yaml_ng::Value as Yaml;

use super::{
    Config,
    value::{Raw, SettingValue, assign, assign_within},
};

/// One setting. Its environment variable is its key in capitals, dots as underscores, after `PUBSUB_`.
pub(super) struct Setting {
    /// Where it stands in the file, such as `server.port`.
    pub key: &'static str,
    /// What it does, in one sentence for the documentation.
    pub purpose: &'static str,
    /// Reads it into its place; the error says what was expected.
    pub set: fn(&mut Config, &Raw) -> Result<(), String>,
    /// Shows it as the file would hold it.
    pub get: fn(&Config) -> Yaml,
}

impl Setting {
    /// The environment variable that sets it.
    pub(super) fn variable(&self) -> String {
        variable_of(self.key)
    }
}

/// All settings, in the order in which they are printed.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "auth",
        purpose: "`loopback`: no keys on a loopback address, on any other one they are asked for; `required`: they are asked for everywhere; `none`: no keys, any address",
        set: |config, raw| assign(&mut config.auth, raw),
        get: |config| config.auth.show(),
    },
    Setting {
        key: "store",
        purpose: "where messages are kept: `log`, segment files below the data directory; `redis`, see `redis.host`; `memory`, for development: nothing survives a restart",
        set: |config, raw| assign(&mut config.store, raw),
        get: |config| config.store.show(),
    },
    Setting {
        key: "server.host",
        purpose: "the address to listen on",
        set: |config, raw| assign(&mut config.server.host, raw),
        get: |config| config.server.host.show(),
    },
    Setting {
        key: "server.port",
        purpose: "the port to listen on; 0 lets the system choose one",
        set: |config, raw| assign(&mut config.server.port, raw),
        get: |config| config.server.port.show(),
    },
    Setting {
        key: "server.shards",
        purpose: "how many shards, each on its own core; 0 is all cores",
        set: |config, raw| assign_within(&mut config.server.shards, raw, 0..=1024),
        get: |config| config.server.shards.show(),
    },
    Setting {
        key: "server.connections_max",
        purpose: "the most connections at a time, over all shards; further ones are refused",
        set: |config, raw| assign_within(&mut config.server.connections_max, raw, 1..=10_000_000),
        get: |config| config.server.connections_max.show(),
    },
    Setting {
        key: "server.connections_per_address_max",
        purpose: "the most connections at a time from one address (of IPv6: one network of 64 bits); 0 is no bound: needed behind a proxy, whose address is that of all",
        set: |config, raw| assign_within(&mut config.server.connections_per_address_max, raw, 0..=10_000_000),
        get: |config| config.server.connections_per_address_max.show(),
    },
    Setting {
        key: "server.head_bytes_max",
        purpose: "the largest request head",
        set: |config, raw| assign_within(&mut config.server.head_bytes_max, raw, 1 << 10..=1 << 20),
        get: |config| config.server.head_bytes_max.show(),
    },
    Setting {
        key: "server.body_bytes_max",
        purpose: "the largest request body and WebSocket message",
        set: |config, raw| assign_within(&mut config.server.body_bytes_max, raw, 1 << 10..=64 << 20),
        get: |config| config.server.body_bytes_max.show(),
    },
    Setting {
        key: "server.bodies_bytes_max",
        purpose: "memory for request bodies and WebSocket messages over all shards; beyond it requests are put off",
        set: |config, raw| assign_within(&mut config.server.bodies_bytes_max, raw, 1 << 20..=1 << 40),
        get: |config| config.server.bodies_bytes_max.show(),
    },
    Setting {
        key: "server.outputs_bytes_max",
        purpose: "memory for what clients leave unread over all shards; beyond it long answers are put off",
        set: |config, raw| assign_within(&mut config.server.outputs_bytes_max, raw, 1 << 20..=1 << 40),
        get: |config| config.server.outputs_bytes_max.show(),
    },
    Setting {
        key: "server.idle_timeout_ms",
        purpose: "how long a connection may be idle between requests",
        set: |config, raw| assign_within(&mut config.server.idle_timeout_ms, raw, 100..=86_400_000),
        get: |config| config.server.idle_timeout_ms.show(),
    },
    Setting {
        key: "server.handshake_timeout_ms",
        purpose: "how long a TLS handshake may take, from the accepting of the connection",
        set: |config, raw| assign_within(&mut config.server.handshake_timeout_ms, raw, 100..=86_400_000),
        get: |config| config.server.handshake_timeout_ms.show(),
    },
    Setting {
        key: "server.head_timeout_ms",
        purpose: "how long a request head may take to arrive",
        set: |config, raw| assign_within(&mut config.server.head_timeout_ms, raw, 100..=86_400_000),
        get: |config| config.server.head_timeout_ms.show(),
    },
    Setting {
        key: "server.body_timeout_ms",
        purpose: "how long a request body may pause while it arrives",
        set: |config, raw| assign_within(&mut config.server.body_timeout_ms, raw, 100..=86_400_000),
        get: |config| config.server.body_timeout_ms.show(),
    },
    Setting {
        key: "server.write_timeout_ms",
        purpose: "how long a client may take to read a part of an answer",
        set: |config, raw| assign_within(&mut config.server.write_timeout_ms, raw, 100..=86_400_000),
        get: |config| config.server.write_timeout_ms.show(),
    },
    Setting {
        key: "server.ping_interval_ms",
        purpose: "how often a WebSocket is pinged; one that is silent, or takes nothing of what waits for it, from one ping to the next is closed",
        set: |config, raw| assign_within(&mut config.server.ping_interval_ms, raw, 100..=86_400_000),
        get: |config| config.server.ping_interval_ms.show(),
    },
    Setting {
        key: "server.allowed_origins",
        purpose: "origins besides the node's own whose pages may read answers and open WebSockets",
        set: |config, raw| assign(&mut config.server.allowed_origins, raw),
        get: |config| config.server.allowed_origins.show(),
    },
    Setting {
        key: "server.insecure",
        purpose: "whether keys may come in without TLS from other machines, because a proxy or a mesh in front of the node ends it; `--insecure` does the same",
        set: |config, raw| assign(&mut config.server.insecure, raw),
        get: |config| config.server.insecure.show(),
    },
    Setting {
        key: "tls.cert_file",
        purpose: "a PEM file with the certificate of this node and those of its issuers; empty: no TLS, see [TLS](tls.md)",
        set: |config, raw| assign(&mut config.tls.cert_file, raw),
        get: |config| config.tls.cert_file.show(),
    },
    Setting {
        key: "tls.key_file",
        purpose: "a PEM file with its key",
        set: |config, raw| assign(&mut config.tls.key_file, raw),
        get: |config| config.tls.key_file.show(),
    },
    Setting {
        key: "tls.client_ca_file",
        purpose: "a PEM file with the issuers of the certificates that clients show",
        set: |config, raw| assign(&mut config.tls.client_ca_file, raw),
        get: |config| config.tls.client_ca_file.show(),
    },
    Setting {
        key: "tls.client_auth",
        purpose: "whether clients show a certificate: `none`, `optional`, `required`",
        set: |config, raw| assign(&mut config.tls.client_auth, raw),
        get: |config| config.tls.client_auth.show(),
    },
    Setting {
        key: "tls.min_version",
        purpose: "the oldest version of TLS that is spoken: `1.3` or `1.2`",
        set: |config, raw| assign(&mut config.tls.min_version, raw),
        get: |config| config.tls.min_version.show(),
    },
    Setting {
        key: "tls.reload_interval_ms",
        purpose: "how often the files, and those of `cluster.tls`, are looked at; SIGHUP has it done at once",
        set: |config, raw| assign_within(&mut config.tls.reload_interval_ms, raw, 100..=86_400_000),
        get: |config| config.tls.reload_interval_ms.show(),
    },
    Setting {
        key: "jwt.issuer",
        purpose: "who issues the JWT that clients may show (`iss`); empty: none are taken, see [JWT](tls.md#jwt)",
        set: |config, raw| assign(&mut config.jwt.issuer, raw),
        get: |config| config.jwt.issuer.show(),
    },
    Setting {
        key: "jwt.audience",
        purpose: "what tokens for this node name as theirs (`aud`)",
        set: |config, raw| assign(&mut config.jwt.audience, raw),
        get: |config| config.jwt.audience.show(),
    },
    Setting {
        key: "jwt.jwks_file",
        purpose: "a file with the public keys of the issuer, as a JWK Set",
        set: |config, raw| assign(&mut config.jwt.jwks_file, raw),
        get: |config| config.jwt.jwks_file.show(),
    },
    Setting {
        key: "jwt.jwks_url",
        purpose: "where they are fetched from instead: https, or this machine",
        set: |config, raw| assign(&mut config.jwt.jwks_url, raw),
        get: |config| config.jwt.jwks_url.show(),
    },
    Setting {
        key: "jwt.ca_file",
        purpose: "a PEM file with issuers of certificates to trust there, besides those that the machine trusts",
        set: |config, raw| assign(&mut config.jwt.ca_file, raw),
        get: |config| config.jwt.ca_file.show(),
    },
    Setting {
        key: "jwt.hmac_secret_file",
        purpose: "a file with the one secret of `HS256`, instead of public keys",
        set: |config, raw| assign(&mut config.jwt.hmac_secret_file, raw),
        get: |config| config.jwt.hmac_secret_file.show(),
    },
    Setting {
        key: "jwt.algorithms",
        purpose: "by which algorithms tokens may be signed: `RS256`, `PS256`, `ES256`, `EdDSA`, or `HS256` with the secret; empty: all that the keys allow",
        set: |config, raw| assign(&mut config.jwt.algorithms, raw),
        get: |config| config.jwt.algorithms.show(),
    },
    Setting {
        key: "jwt.refresh_interval_ms",
        purpose: "how often the keys are read again",
        set: |config, raw| assign_within(&mut config.jwt.refresh_interval_ms, raw, 1_000..=86_400_000),
        get: |config| config.jwt.refresh_interval_ms.show(),
    },
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
    Setting {
        key: "push.allow_http",
        purpose: "whether push subscriptions may send to `http://` as well",
        set: |config, raw| assign(&mut config.push.allow_http, raw),
        get: |config| config.push.allow_http.show(),
    },
    Setting {
        key: "push.allow_private_networks",
        purpose: "whether push subscriptions may send to addresses that are not public: whoever may create one reaches whatever this node reaches, but its own ports",
        set: |config, raw| assign(&mut config.push.allow_private_networks, raw),
        get: |config| config.push.allow_private_networks.show(),
    },
    Setting {
        key: "push.ca_file",
        purpose: "a PEM file with certificates of issuers that push endpoints may have, besides those that the machine trusts",
        set: |config, raw| assign(&mut config.push.ca_file, raw),
        get: |config| config.push.ca_file.show(),
    },
    Setting {
        key: "push.memory_bytes_max",
        purpose: "memory for messages on their way to push endpoints, each counted as 64 KiB at least; beyond it each subscription sends one at a time",
        set: |config, raw| assign_within(&mut config.push.memory_bytes_max, raw, 1 << 20..=1 << 40),
        get: |config| config.push.memory_bytes_max.show(),
    },
    Setting {
        key: "metrics.enabled",
        purpose: "whether `/metrics` is served",
        set: |config, raw| assign(&mut config.metrics.enabled, raw),
        get: |config| config.metrics.enabled.show(),
    },
    Setting {
        key: "metrics.host",
        purpose: "the address to serve `/metrics` on",
        set: |config, raw| assign(&mut config.metrics.host, raw),
        get: |config| config.metrics.host.show(),
    },
    Setting {
        key: "metrics.port",
        purpose: "the port to serve `/metrics` on; 0 lets the system choose one",
        set: |config, raw| assign(&mut config.metrics.port, raw),
        get: |config| config.metrics.port.show(),
    },
    Setting {
        key: "limits.messages_per_s",
        purpose: "messages published in a second, of each principal that has no such limit of its own; 0 is any number",
        set: |config, raw| assign_within(&mut config.limits.messages_per_s, raw, 0..=1 << 50),
        get: |config| config.limits.messages_per_s.show(),
    },
    Setting {
        key: "limits.bytes_per_s",
        purpose: "bytes of requests in a second, of each principal that has no such limit of its own; 0 is any number",
        set: |config, raw| assign_within(&mut config.limits.bytes_per_s, raw, 0..=1 << 50),
        get: |config| config.limits.bytes_per_s.show(),
    },
    Setting {
        key: "limits.requests_per_s",
        purpose: "requests, and frames over WebSocket, in a second, of each principal that has no such limit of its own; 0 is any number",
        set: |config, raw| assign_within(&mut config.limits.requests_per_s, raw, 0..=1 << 50),
        get: |config| config.limits.requests_per_s.show(),
    },
    Setting {
        key: "limits.connections",
        purpose: "WebSockets at a time, of each principal that has no such limit of its own; 0 is any number",
        set: |config, raw| assign_within(&mut config.limits.connections, raw, 0..=1 << 50),
        get: |config| config.limits.connections.show(),
    },
    Setting {
        key: "limits.topics",
        purpose: "topics that it manages, of each principal that has no such limit of its own; 0 is any number",
        set: |config, raw| assign_within(&mut config.limits.topics, raw, 0..=1 << 50),
        get: |config| config.limits.topics.show(),
    },
    Setting {
        key: "limits.subscriptions",
        purpose: "subscriptions that it manages, of each principal that has no such limit of its own; 0 is any number",
        set: |config, raw| assign_within(&mut config.limits.subscriptions, raw, 0..=1 << 50),
        get: |config| config.limits.subscriptions.show(),
    },
    Setting {
        key: "limits.in_flight",
        purpose: "requests under way at a time, of each principal that has no such limit of its own; 0 is any number",
        set: |config, raw| assign_within(&mut config.limits.in_flight, raw, 0..=1 << 50),
        get: |config| config.limits.in_flight.show(),
    },
    Setting {
        key: "audit.enabled",
        purpose: "whether `audit.log` in the data directory says who did what",
        set: |config, raw| assign(&mut config.audit.enabled, raw),
        get: |config| config.audit.enabled.show(),
    },
    Setting {
        key: "audit.file_bytes_max",
        purpose: "how long it grows before the next one is begun",
        set: |config, raw| assign_within(&mut config.audit.file_bytes_max, raw, 1 << 10..=1 << 40),
        get: |config| config.audit.file_bytes_max.show(),
    },
    Setting {
        key: "audit.files_kept",
        purpose: "how many full ones are kept, as `audit.log.1` and so on; older ones are deleted",
        set: |config, raw| assign_within(&mut config.audit.files_kept, raw, 0..=1_000),
        get: |config| config.audit.files_kept.show(),
    },
    Setting {
        key: "log.level",
        purpose: "what is logged: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,gateway=debug`",
        set: |config, raw| assign(&mut config.log.level, raw),
        get: |config| config.log.level.show(),
    },
    Setting {
        key: "log.format",
        purpose: "how a log line looks: `text` or `json`",
        set: |config, raw| assign(&mut config.log.format, raw),
        get: |config| config.log.format.show(),
    },
    Setting {
        key: "cluster.node_id",
        purpose: "the number of this node; never give it to another one",
        set: |config, raw| assign_within(&mut config.cluster.node_id, raw, 1..=u64::MAX),
        get: |config| config.cluster.node_id.show(),
    },
    Setting {
        key: "cluster.listen",
        purpose: "where to listen for other nodes, as ADDRESS:PORT; empty for a node that is a cluster by itself",
        set: |config, raw| assign(&mut config.cluster.listen, raw),
        get: |config| config.cluster.listen.show(),
    },
    Setting {
        key: "cluster.advertise",
        purpose: "where other nodes reach this one, as HOST:PORT; `cluster.listen` if empty",
        set: |config, raw| assign(&mut config.cluster.advertise, raw),
        get: |config| config.cluster.advertise.show(),
    },
    Setting {
        key: "cluster.advertise_http",
        purpose: "where clients reach this node, as HOST:PORT, for `pubsub-cli cluster nodes`; the data port's address if empty",
        set: |config, raw| assign(&mut config.cluster.advertise_http, raw),
        get: |config| config.cluster.advertise_http.show(),
    },
    Setting {
        key: "cluster.seeds",
        purpose: "where nodes are that may know the cluster, as HOST:PORT; the same list on every node",
        set: |config, raw| assign(&mut config.cluster.seeds, raw),
        get: |config| config.cluster.seeds.show(),
    },
    Setting {
        key: "cluster.init",
        purpose: "whether to found the cluster if no seed knows one; the same as `--cluster-init`, for the first node alone",
        set: |config, raw| assign(&mut config.cluster.init, raw),
        get: |config| config.cluster.init.show(),
    },
    Setting {
        key: "cluster.secret",
        purpose: "what nodes prove to each other that they know; where `cluster.listen` is no loopback address, this or `cluster.tls` is needed; shown nowhere",
        set: |config, raw| assign(&mut config.cluster.secret, raw),
        get: |config| config.cluster.secret.show(),
    },
    Setting {
        key: "cluster.tls.cert_file",
        purpose: "a PEM file with the certificate that this node shows others, and those of its issuers; empty: no TLS between nodes, see [a cluster](cluster.md#tls-between-nodes)",
        set: |config, raw| assign(&mut config.cluster.tls.cert_file, raw),
        get: |config| config.cluster.tls.cert_file.show(),
    },
    Setting {
        key: "cluster.tls.key_file",
        purpose: "a PEM file with its key",
        set: |config, raw| assign(&mut config.cluster.tls.key_file, raw),
        get: |config| config.cluster.tls.key_file.show(),
    },
    Setting {
        key: "cluster.tls.ca_file",
        purpose: "a PEM file with the issuers of all nodes' certificates, who issue none to anybody else",
        set: |config, raw| assign(&mut config.cluster.tls.ca_file, raw),
        get: |config| config.cluster.tls.ca_file.show(),
    },
    Setting {
        key: "cluster.rack",
        purpose: "what this node shares with some nodes and not with others, as a power supply: partitions are spread over racks",
        set: |config, raw| assign(&mut config.cluster.rack, raw),
        get: |config| config.cluster.rack.show(),
    },
];

/// Settings that are reserved: they would do nothing yet, so they are refused wherever they are set.
pub(super) const RESERVED: &[&str] = &["tracing.enabled", "tracing.otlp_endpoint"];

/// The environment variable of a key.
pub(super) fn variable_of(key: &str) -> String {
    format!("PUBSUB_{}", key.replace('.', "_").to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::documentation_table;

    #[test]
    fn the_names_that_others_rely_on_exist() {
        let promised = [
            "PUBSUB_SERVER_PORT",
            "PUBSUB_STORE",
            "PUBSUB_REDIS_HOST",
            "PUBSUB_REDIS_PORT",
            "PUBSUB_REDIS_PASSWORD",
            "PUBSUB_METRICS_ENABLED",
            "PUBSUB_METRICS_PORT",
        ];
        for variable in promised {
            assert!(SETTINGS.iter().any(|setting| setting.variable() == variable), "{variable}");
        }
        let reserved = ["PUBSUB_TRACING_ENABLED", "PUBSUB_TRACING_OTLP_ENDPOINT"];
        for variable in reserved {
            assert!(RESERVED.iter().any(|key| variable_of(key) == variable), "{variable}");
        }
    }

    #[test]
    fn keys_and_variables_are_unique() {
        for (index, setting) in SETTINGS.iter().enumerate() {
            for other in &SETTINGS[index + 1..] {
                assert_ne!(setting.key, other.key);
                assert_ne!(setting.variable(), other.variable());
            }
            assert!(!RESERVED.contains(&setting.key));
        }
    }

    #[test]
    fn each_setting_reads_what_it_shows_and_writes_its_own_place() {
        let defaults = Config::default();
        for setting in SETTINGS {
            let mut config = Config::default();
            let raw = Raw::from_yaml(&(setting.get)(&defaults)).unwrap();
            assert_eq!((setting.set)(&mut config, &raw), Ok(()), "{}", setting.key);
            assert_eq!(config, defaults, "{}", setting.key);
        }
    }

    #[test]
    fn the_documentation_lists_every_setting() {
        let page = include_str!("../../../docs/configuration.md");
        assert!(page.contains(&documentation_table()), "docs/configuration.md should hold:\n{}", documentation_table());
        for key in RESERVED {
            assert!(page.contains(&format!("`{key}`")), "docs/configuration.md should name `{key}` as reserved");
        }
    }
}
