//! Settings of metrics, limits, the audit log and the log.

use super::{
    super::value::{SettingValue, assign, assign_within},
    Setting,
};

/// In the order in which they are printed.
pub(super) const SETTINGS: &[Setting] = &[
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
        key: "metrics.topics_max",
        purpose: "how many topics have series of their own, the oldest first; the others are one series, `__other`",
        set: |config, raw| assign_within(&mut config.metrics.topics_max, raw, 0..=100_000),
        get: |config| config.metrics.topics_max.show(),
    },
    Setting {
        key: "metrics.subscriptions_max",
        purpose: "how many subscriptions have series of their own, the oldest first; the others are one series, `__other`",
        set: |config, raw| assign_within(&mut config.metrics.subscriptions_max, raw, 0..=100_000),
        get: |config| config.metrics.subscriptions_max.show(),
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
        key: "log.repeats_max",
        purpose: "lines of one place in the code, of level `info` and above, that are written in `log.repeats_window_ms`; those beyond are counted, and one line says how many they were; 0 is any number",
        set: |config, raw| assign_within(&mut config.log.repeats_max, raw, 0..=1_000_000),
        get: |config| config.log.repeats_max.show(),
    },
    Setting {
        key: "log.repeats_window_ms",
        purpose: "see `log.repeats_max`",
        set: |config, raw| assign_within(&mut config.log.repeats_window_ms, raw, 100..=3_600_000),
        get: |config| config.log.repeats_window_ms.show(),
    },
];
