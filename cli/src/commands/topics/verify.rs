//! `topics verify`: whether all nodes that keep a topic's partitions hold the same, while they serve.

use std::io::{self, IsTerminal as _};

use gateway_api::client::Client;
use gateway_api::verify::{ReplicaState, ReplicaVerdict, Verified};
use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::error::{CliError, Doing as _};
use crate::output::{Output, Render, Table, or_dash};

const TEMPLATE: &str = "partition {msg}: {wide_bar} offset {pos} of {len}";

/// What to compare.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// The topic's name
    topic: String,
    /// Only this partition
    #[arg(long, value_name = "N")]
    partition: Option<u32>,
}

/// How all replicas of a topic compare.
#[derive(Debug, Serialize)]
struct Comparison {
    partitions: Vec<PartitionComparison>,
}

/// How those of one partition compare.
#[derive(Debug, Serialize)]
struct PartitionComparison {
    partition: u32,
    from_offset: u64,
    /// Everything below was compared.
    to_offset: u64,
    bytes: u64,
    /// The worst that was found of each.
    replicas: Vec<ReplicaVerdict>,
}

/// Compares what the arguments name.
pub(super) async fn run(args: &VerifyArgs, client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    let topic = client.topic(&args.topic).await.doing(|| format!("describe topic `{}`", args.topic))?.value;
    let named = |partition: &u32| args.partition.is_none_or(|named| named == *partition);
    let partitions: Vec<u32> = topic.layout.iter().map(|layout| layout.partition).filter(named).collect();
    if let (Some(named), true) = (args.partition, partitions.is_empty()) {
        return Err(CliError::NotThere { detail: format!("topic `{}` has no partition {named}", args.topic) });
    }
    let mut comparison = Comparison { partitions: Vec::new() };
    for partition in partitions {
        comparison.partitions.push(compare(client, &args.topic, partition).await?);
    }
    output.result(&comparison)?;
    let bytes = comparison.partitions.iter().map(|compared| compared.bytes).sum();
    let wrong = comparison.wrong();
    output.note(&format!(
        "\nCompared {} of each replica; {wrong} replicas differ or are damaged.",
        DecimalBytes(bytes)
    ))?;
    if wrong == 0 {
        return Ok(());
    }
    Err(CliError::Differs { topic: args.topic.clone(), replicas: wrong })
}

/// Compares a partition, stretch by stretch, up to what is committed when it comes there.
async fn compare(client: &Client, topic: &str, partition: u32) -> Result<PartitionComparison, CliError> {
    let action = || format!("compare the replicas of partition {partition} of `{topic}`");
    let first = client.verify_partition(topic, partition, None).await.doing(action)?;
    let (bar, end) = (bar(partition, first.high_watermark), first.high_watermark);
    let from_offset = first.from_offset;
    let mut compared =
        PartitionComparison { partition, from_offset, to_offset: from_offset, bytes: 0, replicas: Vec::new() };
    let mut stretch = first;
    loop {
        let goes_on = stretch.next_offset > stretch.from_offset && stretch.next_offset < end;
        compared.take(stretch);
        bar.set_position(compared.to_offset);
        if !goes_on {
            break;
        }
        stretch = client.verify_partition(topic, partition, Some(compared.to_offset)).await.doing(action)?;
    }
    bar.finish_and_clear();
    Ok(compared)
}

fn bar(partition: u32, end: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(end).with_message(partition.to_string());
    if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
        bar.set_style(style);
    }
    bar
}

/// How much a finding matters; what is worse hides what is not.
const fn weight(state: ReplicaState) -> u8 {
    match state {
        ReplicaState::Same => 0,
        ReplicaState::StartsLater => 1,
        ReplicaState::Behind => 2,
        ReplicaState::Unavailable => 3,
        ReplicaState::Damaged => 4,
        ReplicaState::Differs => 5,
    }
}

impl PartitionComparison {
    fn take(&mut self, stretch: Verified) {
        self.to_offset = stretch.next_offset;
        self.bytes += stretch.bytes;
        for found in stretch.replicas {
            match self.replicas.iter_mut().find(|known| known.node == found.node) {
                Some(known) if weight(found.state) > weight(known.state) => *known = found,
                Some(_) => {}
                None => self.replicas.push(found),
            }
        }
    }
}

impl Comparison {
    fn wrong(&self) -> usize {
        let replicas = self.partitions.iter().flat_map(|partition| &partition.replicas);
        replicas.filter(|replica| matches!(replica.state, ReplicaState::Differs | ReplicaState::Damaged)).count()
    }
}

impl Render for Comparison {
    fn table(&self) -> Table {
        let mut table = Table::columns(&["PARTITION", "OFFSETS", "NODE", "STATE", "DETAIL"]);
        for compared in &self.partitions {
            for replica in &compared.replicas {
                table.row([
                    compared.partition.to_string(),
                    format!("{} to {}", compared.from_offset, compared.to_offset),
                    replica.node.to_string(),
                    replica.state.as_str().to_owned(),
                    or_dash(replica.detail.clone()),
                ]);
            }
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(from: u64, to: u64, states: [ReplicaState; 2]) -> Verified {
        let replicas = (1..).zip(states).map(|(node, state)| ReplicaVerdict { node, state, detail: None }).collect();
        let (topic, partition, bytes, high_watermark) = ("orders".to_owned(), 0, 100, 90);
        Verified { topic, partition, from_offset: from, next_offset: to, high_watermark, bytes, replicas }
    }

    #[test]
    fn the_worst_that_was_found_of_a_replica_is_told() {
        let (partition, from_offset, to_offset, bytes, replicas) = (0, 5, 5, 0, Vec::new());
        let mut compared = PartitionComparison { partition, from_offset, to_offset, bytes, replicas };
        compared.take(stretch(5, 40, [ReplicaState::Same, ReplicaState::StartsLater]));
        compared.take(stretch(40, 60, [ReplicaState::Differs, ReplicaState::Same]));
        compared.take(stretch(60, 90, [ReplicaState::Damaged, ReplicaState::Behind]));
        let states: Vec<_> = compared.replicas.iter().map(|replica| replica.state).collect();
        assert_eq!(states, [ReplicaState::Differs, ReplicaState::Behind]);
        assert_eq!((compared.from_offset, compared.to_offset, compared.bytes), (5, 90, 300));
        assert_eq!(Comparison { partitions: vec![compared] }.wrong(), 1, "who is behind will come");
    }
}
