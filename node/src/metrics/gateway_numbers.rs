//! The numbers of the gateways, each summed over the cores.

use gateway::metrics::GatewayMetrics;

use super::description::Description;

/// One number of a gateway.
pub(super) struct GatewayNumber {
    pub(super) description: Description,
    pub(super) read: fn(&GatewayMetrics) -> u64,
}

macro_rules! gateway_numbers {
    ($($name:literal $field:ident $help:literal $look:literal)*) => {
        &[$(GatewayNumber {
            description: Description::counter(concat!("pubsub_", $name), $help, $look),
            read: |metrics| metrics.$field.get(),
        }),*]
    };
}

/// Messages, as clients count them.
pub(super) const MESSAGES: &[GatewayNumber] = gateway_numbers! {
    "messages_published_total" messages_published
        "Messages stored for publishers."
        "The throughput that publishers see at this node, wherever the partitions are."
    "messages_consumed_total" messages_consumed
        "Messages delivered to consumers or read."
        "The throughput that consumers see at this node; more than is published where topics have several subscriptions."
};

/// Connections and what comes over them.
pub(super) const CLIENTS: &[GatewayNumber] = gateway_numbers! {
    "connections_accepted_total" connections_accepted
        "Connections accepted."
        "Near the number of requests: clients don't keep their connections."
    "connections_refused_total" connections_refused
        "Connections turned away because there were too many."
        "It rises: raise `server.connections_max`, or look for an address that takes them all."
    "accept_errors_total" accept_errors
        "Accepts that failed."
        "It rises: the process has no files left."
    "connection_panics_total" connection_panics
        "Connections that ended by a panic."
        "Any: it is a defect of the broker, and the log has where."
    "connection_timeouts_total" connection_timeouts
        "Connections closed because a deadline had passed."
        "Clients see connections end: they send or read too slowly, or leave them idle."
    "slow_consumers_total" slow_consumers
        "Connections closed because their client did not read the messages it was sent."
        "Consumers over WebSocket or streams are cut off: they take messages more slowly than they ask for them."
    "http_malformed_requests_total" malformed_requests
        "Requests that could not be read as HTTP."
        "It rises: something else than HTTP is spoken to the port, TLS perhaps."
    "audit_events_lost_total" audit_events_lost
        "Events that are missing in the audit log because they came too fast."
        "Any: the audit log is not complete."
    "received_bytes_total" received_bytes
        "Bytes received from clients."
        "Sizing the network."
    "sent_bytes_total" sent_bytes
        "Bytes sent to clients."
        "Sizing the network."
};
