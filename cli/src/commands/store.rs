//! `store`: what lies in the data directory of a stopped node, read with the code by which the node recovers it.

mod directory;
mod inspect;
mod known;
mod partition_files;
mod progress;
mod segment_file;
mod start;
mod survey;
mod verify;

use std::path::PathBuf;

use clap::Subcommand;
use shard_core::model::TopicPartition;

use self::inspect::InspectArgs;
use crate::error::CliError;
use crate::output::Output;

/// What to do with a data directory; nothing of it is ever changed.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Read all of a stopped node's log, check every checksum, and say what the node's next start would do
    Verify(PlaceArgs),
    /// Show what a stopped node's log holds: segments and cursors, or the batches and records of one segment
    Inspect(InspectArgs),
}

/// Where to look.
#[derive(Debug, clap::Args)]
pub(crate) struct PlaceArgs {
    /// The node's data directory, `data` where the node was started unless it was told another
    dir: PathBuf,
    /// Only this topic, by the number of its directory
    #[arg(long, value_name = "N")]
    topic_id: Option<u64>,
    /// Only this partition
    #[arg(long, value_name = "N")]
    partition: Option<u32>,
}

/// Does it.
pub(crate) fn run(command: StoreCommand, output: &mut Output<'_>) -> Result<(), CliError> {
    match command {
        StoreCommand::Verify(place) => verify::run(&place, output),
        StoreCommand::Inspect(args) => inspect::run(&args, output),
    }
}

impl PlaceArgs {
    /// Whether the partition is asked for.
    fn contains(&self, partition: TopicPartition) -> bool {
        self.topic_id.is_none_or(|topic| topic == partition.topic.get())
            && self.partition.is_none_or(|index| index == partition.partition.get())
    }

    /// There may be no partitions at all, but those that were named should be there.
    fn check_found(&self, found: &[TopicPartition]) -> Result<(), CliError> {
        if !found.is_empty() || (self.topic_id.is_none() && self.partition.is_none()) {
            return Ok(());
        }
        let part = |what: &str, number: Option<String>| number.map(|number| format!("{what} {number}"));
        let topic = part("topic", self.topic_id.map(|id| id.to_string()));
        let partition = part("partition", self.partition.map(|index| index.to_string()));
        let named: Vec<_> = partition.into_iter().chain(topic).collect();
        let detail = format!("{} has no {}", self.dir.display(), named.join(" of "));
        Err(CliError::NotThere { detail })
    }
}
