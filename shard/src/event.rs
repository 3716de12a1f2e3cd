//! All that can happen to a shard: what is not in here can't.

use crate::request::Request;

/// An event of the shard's loop.
#[derive(Debug)]
pub(crate) enum ShardEvent {
    /// A gateway asks, on this core or over the mesh.
    Request(Request),
    /// A deadline may have come.
    Tick,
}
