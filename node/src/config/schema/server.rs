//! Settings of how clients are served, and where messages are kept.

use super::{
    super::value::{SettingValue, assign, assign_within},
    Setting,
};

/// In the order in which they are printed.
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
];
