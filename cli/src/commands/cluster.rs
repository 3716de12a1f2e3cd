//! `cluster`: how the nodes stand, and what operators do with them.

mod add;
mod await_moves;
mod render;
mod unclean_elect;

use clap::Subcommand;
use gateway_api::client::Client;
use gateway_api::cluster::{Cluster, ClusterNode};
use serde::Serialize;

use self::add::AddArgs;
use self::render::Nodes;
use crate::error::{CliError, Doing as _};
use crate::output::Output;
use crate::watch::{Watch, WatchArgs};

/// What to do with the cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Show the cluster and its nodes
    Status {
        #[command(flatten)]
        watch: WatchArgs,
    },
    /// List the nodes with their addresses
    Nodes,
    /// Print what to run on another machine, so that a node there joins the cluster
    Add(AddArgs),
    /// Have a node's partitions go to others, and give it no new ones
    Drain {
        /// The node's number
        node: u64,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Let a node have partitions again
    Undrain {
        /// The node's number
        node: u64,
    },
    /// Remove a node for good: one that is drained, or down
    Remove {
        /// The node's number
        node: u64,
        /// Remove it with what only it has; it must be down
        #[arg(long)]
        force: bool,
    },
    /// Even the partitions out over the nodes
    Rebalance {
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Let a node own a partition
    Move {
        /// The topic's name
        topic: String,
        /// The partition's number
        partition: u32,
        /// The number of the node
        #[arg(long, value_name = "NODE")]
        to: u64,
    },
    /// Let a node own a partition with what it has: acknowledged messages that it lacks are lost
    UncleanElect {
        /// The topic's name
        topic: String,
        /// The partition's number
        partition: u32,
        /// The number of the node; without it, the first that is up of those that keep the partition
        #[arg(long, value_name = "NODE")]
        node: Option<u64>,
        /// Do not ask; what the node lacks is lost
        #[arg(long)]
        accept_loss: bool,
    },
    /// Let another node lead the cluster's metadata
    TransferLeader {
        /// The number of the node; without it, one that has most of the log
        #[arg(long, value_name = "NODE")]
        to: Option<u64>,
    },
}

/// Whether to wait until all has moved.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct WaitArgs {
    /// Wait until all has moved, and show how far it is
    #[arg(long, visible_alias = "watch")]
    wait: bool,
}

/// Does it.
pub(crate) async fn run(command: ClusterCommand, client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    match command {
        ClusterCommand::Status { watch } => {
            let mut watch = Watch::new(watch)?;
            while watch.next(output).await? {
                output.result(&cluster(client).await?)?;
            }
            Ok(())
        }
        ClusterCommand::Nodes => output.result(&Nodes { items: cluster(client).await?.nodes }),
        ClusterCommand::Add(args) => add::run(&args, &cluster(client).await?, output),
        ClusterCommand::Drain { node, wait } => {
            let begun = drain(client, node, true).await?;
            let shown = if wait.wait { await_moves::drained(client, begun).await? } else { begun };
            show(&shown, &drain_note(&shown), output)
        }
        ClusterCommand::Undrain { node } => {
            let shown = drain(client, node, false).await?;
            show(&shown, &format!("Node {node} takes partitions again."), output)
        }
        ClusterCommand::Remove { node, force } => {
            let removed = client.remove_node(node, force).await.doing(|| format!("remove node {node}"))?;
            show(&removed, &format!("Removed node {node}; its number is never used again."), output)
        }
        ClusterCommand::Rebalance { wait } => {
            let begun = client.rebalance().await.doing(|| "rebalance".to_owned())?;
            let shown = if wait.wait { await_moves::even(client, begun).await? } else { begun };
            let note = match shown.uneven_partitions {
                0 => "All is even.".to_owned(),
                left => format!("{left} partitions are to move; `pubsub-cli cluster status --watch` shows them do so."),
            };
            show(&shown, &note, output)
        }
        ClusterCommand::Move { topic, partition, to } => {
            let action = || format!("move partition {partition} of `{topic}` to node {to}");
            let moved = client.move_partition(&topic, partition, to).await.doing(action)?;
            let epoch = moved.leader_epoch;
            let note = if moved.pending {
                format!("Node {to} fetches partition {partition} of {topic}, and owns it once it has everything.")
            } else {
                format!("Node {to} owns partition {partition} of {topic}, in epoch {epoch}.")
            };
            show(&moved, &note, output)
        }
        ClusterCommand::UncleanElect { topic, partition, node, accept_loss } => {
            unclean_elect::run(client, (&topic, partition, node), accept_loss, output).await
        }
        ClusterCommand::TransferLeader { to } => {
            let led = client.transfer_leadership(to).await.doing(|| "transfer leadership".to_owned())?;
            let leader = led.leader.map_or_else(|| "another node".to_owned(), |leader| format!("node {leader}"));
            show(&led, &format!("Led by {leader}, in term {}.", led.term), output)
        }
    }
}

async fn cluster(client: &Client) -> Result<Cluster, CliError> {
    client.cluster().await.doing(|| "show the cluster".to_owned())
}

async fn drain(client: &Client, node: u64, draining: bool) -> Result<ClusterNode, CliError> {
    let verb = if draining { "drain" } else { "undrain" };
    client.drain_node(node, draining).await.doing(|| format!("{verb} node {node}"))
}

fn drain_note(node: &ClusterNode) -> String {
    let progress = node.drain.unwrap_or_default();
    let number = node.node;
    match (progress.left, progress.kept) {
        (0, 0) => format!("Node {number} has no partition: it may be stopped."),
        (0, kept) if kept == progress.kept_stuck => format!(
            "Node {number} owns no partition and may be stopped. It keeps copies of {kept} for which there is no other node: add \
             one, or lower their `replication_factor`, before you remove it."
        ),
        (left, _) if left == progress.stuck && left > 0 => format!(
            "Node {number} owns {left} partitions that no other node can take: their messages are on its disk alone."
        ),
        (left, kept) => {
            format!("Node {number} is being emptied: it owns {left} partitions still, and keeps {kept}.")
        }
    }
}

/// The object of the API for programs, a sentence for people.
fn show<T: Serialize>(value: &T, note: &str, output: &mut Output<'_>) -> Result<(), CliError> {
    output.note(note)?;
    output.item(value)
}
