//! The keys that tokens are verified by.

use prometheus::proto::MetricFamily;

use super::family::{Kind, label, labelled, single};
use crate::jwt::JwtStatus;

/// Everything about tokens; there is none of it on a node that takes none.
pub(super) fn collect(status: &JwtStatus) -> Vec<MetricFamily> {
    let refreshes = status.refreshes().into_iter().map(|(outcome, count)| (vec![label("outcome", outcome)], count));
    let keys = u64::try_from(status.verifier().key_count()).unwrap_or(u64::MAX);
    vec![
        single("pubsub_jwt_keys", "Keys that JWT are verified by.", Kind::Gauge, keys),
        labelled(
            "pubsub_jwt_refreshes_total",
            "How often the keys for JWT were read, by what came of it.",
            Kind::Counter,
            refreshes.collect(),
        ),
    ]
}
