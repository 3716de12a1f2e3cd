//! Waits until partitions have moved, with a bar for whoever watches.

use std::io::{self, IsTerminal as _};

use gateway_api::client::Client;
use gateway_api::cluster::{Cluster, ClusterNode};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, sleep};

use super::cluster;
use crate::error::{CliError, Doing as _};
use crate::limits;

/// Waits until a node owns and keeps no partition, or only such as nobody else can.
pub(super) async fn drained(client: &Client, begun: ClusterNode) -> Result<ClusterNode, CliError> {
    let mut node = begun;
    let mut patience = Patience::new(node.owned.max(node.partitions));
    loop {
        let progress = node.drain.unwrap_or_default();
        // What is stuck may come loose when another node comes back; until then nobody knows how long that is.
        let is_done = progress.left == progress.stuck && progress.kept <= progress.kept_stuck;
        if is_done || node.drain.is_none() {
            return Ok(node);
        }
        patience.wait(progress.left.max(progress.kept), &format!("drain node {}", node.node)).await?;
        node = client.cluster_node(node.node).await.doing(|| format!("look at node {}", node.node))?;
    }
}

/// Waits until no partition has to move any more.
pub(super) async fn even(client: &Client, begun: Cluster) -> Result<Cluster, CliError> {
    let mut shown = begun;
    let mut patience = Patience::new(shown.uneven_partitions);
    while shown.uneven_partitions > 0 {
        patience.wait(shown.uneven_partitions, "rebalance").await?;
        shown = cluster(client).await?;
    }
    Ok(shown)
}

/// Waits as long as something moves now and then.
struct Patience {
    bar: ProgressBar,
    total: u64,
    left: u64,
    moved: Instant,
}

impl Patience {
    fn new(total: u64) -> Self {
        let bar = if io::stderr().is_terminal() { ProgressBar::new(total) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos} of {len} partitions have moved, {elapsed}") {
            bar.set_style(style);
        }
        Self { bar, total, left: total, moved: Instant::now() }
    }

    /// Waits for the next look, unless nothing has moved for so long that nobody knows whether it will.
    async fn wait(&mut self, left: u64, action: &str) -> Result<(), CliError> {
        if left != self.left {
            (self.left, self.moved) = (left, Instant::now());
        }
        self.total = self.total.max(left);
        self.bar.set_length(self.total);
        self.bar.set_position(self.total - left);
        if self.moved.elapsed() > limits::MOVES_STALL {
            let detail = format!("{left} partitions are left, and nothing has moved for a while");
            return Err(CliError::Stalled { action: action.to_owned(), detail });
        }
        sleep(limits::MOVES_LOOK).await;
        Ok(())
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
