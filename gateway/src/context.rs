//! What every connection of a core shares.

use std::{rc::Rc, sync::Arc};

use raft::MetadataHandle;
use shard::ShardHandle;

use crate::{config::GatewayConfig, core_state::CoreState, metrics::GatewayMetrics, shutdown::Shutdown};

/// A core's ways to the rest of the node. Clones are cheap and stay on their core.
#[derive(Clone, Debug)]
pub struct Context {
    /// The partitions, on whichever core they are.
    pub shards: ShardHandle,
    /// Topics and subscriptions.
    pub metadata: MetadataHandle,
    /// The settings.
    pub config: Rc<GatewayConfig>,
    /// This core's counts.
    pub metrics: Arc<GatewayMetrics>,
    /// What operations remember from call to call.
    pub core: Rc<CoreState>,
    /// Says when the node stops.
    pub shutdown: Shutdown,
}
