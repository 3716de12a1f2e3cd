//! What traces are told of the front: the requests, the publishes and the deliveries. Never anything of a payload or a key.

mod delivery;
mod publishing;
mod request;

pub(crate) use delivery::{Delivered, TracedMessage, note};
pub(crate) use publishing::{Origin, PublishTrace, with_origins};
pub(crate) use request::{begin, end};

/// What the conventions of OpenTelemetry want to know of every broker: which one it is.
const SYSTEM: (&str, &str) = ("messaging.system", "pubsubring");
