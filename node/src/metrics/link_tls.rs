//! What handshakes with other nodes came to, and how the certificate for them stands.

use prometheus::proto::MetricFamily;

use super::{
    description::Description,
    family::{labelled, measured, signed, single},
};
use crate::tls::TlsStatus;

const HANDSHAKES: Description = Description::counter(
    "pubsub_link_tls_handshakes_total",
    "TLS handshakes with other nodes that succeeded.",
    "It rises all the time: connections between nodes don't stay.",
);
const FAILURES: Description = Description::counter(
    "pubsub_link_tls_handshake_failures_total",
    "TLS handshakes with other nodes that came to nothing, and connections to the port for nodes without TLS.",
    "After certificates were replaced, or when a node does not come into its cluster; the log says why.",
);
const RELOADS: Description = Description::counter(
    "pubsub_link_tls_reloads_total",
    "New certificates for other nodes that were found, by what came of them.",
    "After certificates were replaced: `failed` means that the old one is still in use.",
)
.by(&["outcome"]);
const EXPIRY: Description = Description::gauge(
    "pubsub_link_tls_certificate_expiry_seconds",
    "How long the certificate for other nodes is still valid; negative once it is not.",
    "Less than a week: replace it, or the node will be cut off from the others.",
);

pub(super) const ALL: &[Description] = &[HANDSHAKES, FAILURES, RELOADS, EXPIRY];

/// Everything about TLS between nodes; there is none of it where nodes speak none.
pub(super) fn collect(status: &TlsStatus, (succeeded, failed): (u64, u64)) -> Vec<MetricFamily> {
    let reloads = status.reloads().into_iter().map(|(outcome, count)| (vec![outcome.to_owned()], count));
    vec![
        single(HANDSHAKES, succeeded),
        single(FAILURES, failed),
        labelled(RELOADS, reloads),
        measured(EXPIRY, [(Vec::new(), signed(status.expires_in()))]),
    ]
}
