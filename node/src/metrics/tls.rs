//! What handshakes came to, and how the node's certificate stands.

use gateway::tls::HandshakeFailure;
use prometheus::proto::MetricFamily;

use super::family::{Kind, label, labelled, seconds, single};
use crate::{cores::CoreMetrics, tls::TlsStatus};

/// Everything about TLS; there is none of it on a node that speaks none.
pub(super) fn collect(status: &TlsStatus, cores: &[CoreMetrics]) -> Vec<MetricFamily> {
    let failures = HandshakeFailure::ALL.into_iter().map(|failure| {
        let of_core = |core: &CoreMetrics| core.gateway.handshake_failures().find(|(kind, _)| *kind == failure);
        let count = cores.iter().filter_map(of_core).map(|(_, count)| count).sum();
        (vec![label("kind", failure.name())], count)
    });
    let reloads = status.reloads().into_iter().map(|(outcome, count)| (vec![label("outcome", outcome)], count));
    vec![
        single(
            "pubsub_tls_handshakes_total",
            "TLS handshakes that succeeded.",
            Kind::Counter,
            cores.iter().map(|core| core.gateway.tls_handshakes.get()).sum(),
        ),
        labelled(
            "pubsub_tls_handshake_failures_total",
            "TLS handshakes that came to nothing, by kind.",
            Kind::Counter,
            failures.collect(),
        ),
        labelled(
            "pubsub_tls_reloads_total",
            "New certificates that were found, by what came of them.",
            Kind::Counter,
            reloads.collect(),
        ),
        seconds(
            "pubsub_tls_certificate_expiry_seconds",
            "How long the certificate in use is still valid; negative once it is not.",
            status.expires_in(),
        ),
    ]
}
