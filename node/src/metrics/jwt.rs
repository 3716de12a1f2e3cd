//! The keys that tokens are verified by.

use prometheus::proto::MetricFamily;

use super::{
    description::Description,
    family::{labelled, single},
};
use crate::jwt::JwtStatus;

const KEYS: Description = Description::gauge(
    "pubsub_jwt_keys",
    "Keys that JWT are verified by.",
    "Clients with tokens get 401: at 0 no key was read yet.",
);
const REFRESHES: Description = Description::counter(
    "pubsub_jwt_refreshes_total",
    "How often the keys for JWT were read, by what came of it.",
    "`failed` rises: the issuer or the file can't be read, and keys that were replaced there are not known here.",
)
.by(&["outcome"]);

pub(super) const ALL: &[Description] = &[KEYS, REFRESHES];

/// Everything about tokens; there is none of it on a node that takes none.
pub(super) fn collect(status: &JwtStatus) -> Vec<MetricFamily> {
    let refreshes = status.refreshes().into_iter().map(|(outcome, count)| (vec![outcome.to_owned()], count));
    let keys = u64::try_from(status.verifier().key_count()).unwrap_or(u64::MAX);
    vec![single(KEYS, keys), labelled(REFRESHES, refreshes)]
}
