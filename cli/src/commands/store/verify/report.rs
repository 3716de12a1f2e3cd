//! What a verification has found.

use std::path::Path;

use serde::Serialize;

use super::super::known::{EndsFile, Known};
use super::super::start::Start;

/// Of a whole data directory, or what was asked for of it.
#[derive(Debug, Serialize)]
pub(super) struct VerifyReport {
    pub(super) directory: String,
    /// Nothing is damaged, and nothing is of a version that is not known here.
    pub(super) whole: bool,
    pub(super) bytes_read: u64,
    /// Why no node of this version starts on the directory at all.
    pub(super) start_refused: Option<String>,
    pub(super) durable_ends: Vec<EndsFile>,
    /// Shards of which nothing is known any more: a torn tail of their partitions can't be told from damage.
    pub(super) forgotten_shards: Vec<usize>,
    pub(super) partitions: Vec<PartitionReport>,
}

/// Of one partition.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PartitionReport {
    pub(super) topic_id: u64,
    pub(super) partition: u32,
    pub(super) segments: usize,
    pub(super) bytes: u64,
    /// Those that are whole.
    pub(super) records: u64,
    pub(super) log_start: u64,
    pub(super) log_end: u64,
    pub(super) durable_end: u64,
    pub(super) subscriptions: usize,
    pub(super) state: State,
    pub(super) start: Start,
    /// How many places of the log are damaged; the first of them are listed.
    pub(super) damaged: u64,
    pub(super) damage: Vec<DamageReport>,
    pub(super) indexes: Vec<IndexReport>,
    pub(super) torn_journal: Option<String>,
    pub(super) damaged_journal: Option<String>,
    /// Files that a start removes, since they are of no use.
    pub(super) removes: Vec<String>,
    pub(super) is_missing: bool,
}

/// In short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// All of it is as it was written.
    Whole,
    /// A crash has left an end that nobody was told of; all that was acknowledged is there.
    TornTail,
    /// Something that was acknowledged is not as it was written.
    Damaged,
}

/// One damaged place of a log.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DamageReport {
    pub(super) segment: u64,
    pub(super) position: u64,
    /// The offsets from here on can't be read,
    pub(super) lost_start: u64,
    /// up to here; none if the two are equal.
    pub(super) lost_end: u64,
    pub(super) reason: String,
}

/// An index that does not fit its segment.
#[derive(Clone, Debug, Serialize)]
pub(super) struct IndexReport {
    pub(super) segment: u64,
    pub(super) reason: String,
    /// A start notices and reads the segment instead; otherwise it would believe the index.
    pub(super) rebuilt: bool,
}

impl VerifyReport {
    pub(super) fn new(directory: &Path, known: Known, partitions: Vec<PartitionReport>, bytes_read: u64) -> Self {
        let mut report = Self {
            directory: directory.display().to_string(),
            whole: false,
            bytes_read,
            forgotten_shards: known.forgotten_shards(),
            start_refused: known.refusal,
            durable_ends: known.files,
            partitions,
        };
        report.whole = report.verdict().is_none();
        report
    }

    /// What is wrong in one sentence; `None` if nothing is.
    pub(super) fn verdict(&self) -> Option<String> {
        if let Some(reason) = &self.start_refused {
            return Some(format!("no node of this version starts on it: {reason}"));
        }
        let damaged = self.count(State::Damaged);
        if damaged > 0 {
            return Some(format!("{damaged} of {} partitions are damaged", self.partitions.len()));
        }
        let shard = self.forgotten_shards.first()?;
        Some(format!("neither file of what shard {shard} had made durable is whole"))
    }

    /// How many partitions there are of each kind, as a sentence without its end.
    pub(super) fn sentence(&self) -> String {
        let counts = [(State::Whole, "whole"), (State::TornTail, "with a torn tail"), (State::Damaged, "damaged")];
        let counts = counts.map(|(state, words)| (self.count(state), words));
        let shown: Vec<_> = counts.iter().filter(|(count, _)| *count > 0).collect();
        if shown.is_empty() {
            return "There are no partitions".to_owned();
        }
        let shown: Vec<_> = shown.iter().map(|(count, words)| format!("{count} {words}")).collect();
        format!("Partitions: {}", shown.join(", "))
    }

    fn count(&self, state: State) -> usize {
        self.partitions.iter().filter(|partition| partition.state == state).count()
    }
}
