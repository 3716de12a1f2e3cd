//! Settings of traces.

use super::{
    super::value::{SettingValue, assign, assign_within},
    Setting,
};

/// In the order in which they are printed.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "tracing.enabled",
        purpose: "whether traces are recorded and sent to an OpenTelemetry collector",
        set: |config, raw| assign(&mut config.tracing.enabled, raw),
        get: |config| config.tracing.enabled.show(),
    },
    Setting {
        key: "tracing.otlp_endpoint",
        purpose: "the collector's address, `http://` or `https://`; with `http` as protocol, `/v1/traces` is added if there is no path",
        set: |config, raw| assign(&mut config.tracing.otlp_endpoint, raw),
        get: |config| config.tracing.otlp_endpoint.show(),
    },
    Setting {
        key: "tracing.otlp_protocol",
        purpose: "how the collector is spoken to: `grpc`, or `http` for protobuf over HTTP",
        set: |config, raw| assign(&mut config.tracing.otlp_protocol, raw),
        get: |config| config.tracing.otlp_protocol.show(),
    },
    Setting {
        key: "tracing.ca_file",
        purpose: "a PEM file with certificates of issuers that the collector's certificate may have, besides those that the machine trusts",
        set: |config, raw| assign(&mut config.tracing.ca_file, raw),
        get: |config| config.tracing.ca_file.show(),
    },
    Setting {
        key: "tracing.sample_ratio",
        purpose: "which share of the traces that begin at this node is recorded, from 0 to 1; those that clients begin are recorded as they say",
        set: |config, raw| assign(&mut config.tracing.sample_ratio, raw),
        get: |config| config.tracing.sample_ratio.show(),
    },
    Setting {
        key: "tracing.service_name",
        purpose: "what the node is called in traces (`service.name`)",
        set: |config, raw| assign(&mut config.tracing.service_name, raw),
        get: |config| config.tracing.service_name.show(),
    },
    Setting {
        key: "tracing.queue_spans_max",
        purpose: "how many spans of a core may wait to be exported; more are dropped and counted",
        set: |config, raw| assign_within(&mut config.tracing.queue_spans_max, raw, 1..=1 << 20),
        get: |config| config.tracing.queue_spans_max.show(),
    },
];
