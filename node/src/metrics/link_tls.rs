//! What handshakes with other nodes came to, and how the certificate for them stands.

use prometheus::proto::MetricFamily;
use shard::peer::PeerTls;

use super::family::{Kind, label, labelled, seconds, single};
use crate::tls::TlsStatus;

/// Everything about TLS between nodes; there is none of it where nodes speak none.
pub(super) fn collect(status: &TlsStatus, tls: &PeerTls) -> Vec<MetricFamily> {
    let (succeeded, failed) = tls.handshakes();
    let reloads = status.reloads().into_iter().map(|(outcome, count)| (vec![label("outcome", outcome)], count));
    vec![
        single(
            "pubsub_link_tls_handshakes_total",
            "TLS handshakes with other nodes that succeeded.",
            Kind::Counter,
            succeeded,
        ),
        single(
            "pubsub_link_tls_handshake_failures_total",
            "TLS handshakes with other nodes that came to nothing, and connections to the port for nodes without TLS.",
            Kind::Counter,
            failed,
        ),
        labelled(
            "pubsub_link_tls_reloads_total",
            "New certificates for other nodes that were found, by what came of them.",
            Kind::Counter,
            reloads.collect(),
        ),
        seconds(
            "pubsub_link_tls_certificate_expiry_seconds",
            "How long the certificate for other nodes is still valid; negative once it is not.",
            status.expires_in(),
        ),
    ]
}
