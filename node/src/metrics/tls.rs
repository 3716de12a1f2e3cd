//! What handshakes came to, and how the node's certificate stands.

use gateway::tls::HandshakeFailure;
use prometheus::proto::MetricFamily;

use super::{
    description::Description,
    family::{labelled, measured, signed, single},
};
use crate::{cores::CoreMetrics, tls::TlsStatus};

const HANDSHAKES: Description = Description::counter(
    "pubsub_tls_handshakes_total",
    "TLS handshakes that succeeded.",
    "Cores are busy and messages few: clients connect anew for each request instead of keeping connections.",
);
const FAILURES: Description = Description::counter(
    "pubsub_tls_handshake_failures_total",
    "TLS handshakes that came to nothing, by kind.",
    "Clients can't connect: `kind` says whether it is their protocol, their certificate, their patience, or no TLS at all.",
)
.by(&["kind"]);
const RELOADS: Description = Description::counter(
    "pubsub_tls_reloads_total",
    "New certificates that were found, by what came of them.",
    "After a certificate was replaced: `failed` means that the old one is still in use.",
)
.by(&["outcome"]);
const EXPIRY: Description = Description::gauge(
    "pubsub_tls_certificate_expiry_seconds",
    "How long the certificate in use is still valid; negative once it is not.",
    "Less than a week: replace it, or clients will refuse it.",
);

pub(super) const ALL: &[Description] = &[HANDSHAKES, FAILURES, RELOADS, EXPIRY];

/// Everything about TLS; there is none of it on a node that speaks none.
pub(super) fn collect(status: &TlsStatus, cores: &[CoreMetrics]) -> Vec<MetricFamily> {
    let failures = HandshakeFailure::ALL.into_iter().map(|failure| {
        let of_core = |core: &CoreMetrics| core.gateway.handshake_failures().find(|(kind, _)| *kind == failure);
        let count = cores.iter().filter_map(of_core).map(|(_, count)| count).sum();
        (vec![failure.name().to_owned()], count)
    });
    let reloads = status.reloads().into_iter().map(|(outcome, count)| (vec![outcome.to_owned()], count));
    vec![
        single(HANDSHAKES, cores.iter().map(|core| core.gateway.tls_handshakes.get()).sum()),
        labelled(FAILURES, failures),
        labelled(RELOADS, reloads),
        measured(EXPIRY, [(Vec::new(), signed(status.expires_in()))]),
    ]
}
