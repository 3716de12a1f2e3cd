//! What the shards had written down of what is durable, and in which state the files are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Serialize;
use shard_core::format::durable_ends::{DurableEndsError, DurableEndsFile};
use shard_core::layout::{self, EndsOwner};
use shard_core::log::KnownLogs;
use shard_core::model::{Offset, TopicPartition};

use super::directory::{file_names, reading};
use crate::error::CliError;

/// All that is known of the partitions of a directory besides their own files.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// As the node's start reads it, from all files.
    pub(super) logs: KnownLogs,
    /// Partitions in the newest file of a shard: these had not been deleted.
    pub(super) live: BTreeSet<TopicPartition>,
    /// One report for each file.
    pub(super) files: Vec<EndsFile>,
    /// Why a node would not start at all.
    pub(super) refusal: Option<String>,
}

/// The state of one durable-ends file.
#[derive(Debug, Serialize)]
pub(super) struct EndsFile {
    pub(super) file: String,
    #[serde(skip)]
    shard: usize,
    pub(super) sequence: Option<u64>,
    pub(super) partitions: Option<usize>,
    /// What is wrong with it. One of a shard's two files is torn if the node died while it wrote.
    pub(super) error: Option<String>,
}

impl Known {
    /// Reads the durable-ends files of a data directory.
    pub(super) fn read(data_dir: &Path) -> Result<Self, CliError> {
        let mut known = Self::default();
        let mut newest: BTreeMap<usize, DurableEndsFile> = BTreeMap::new();
        for name in file_names(data_dir)? {
            let Some(shard) = layout::durable_ends_shard(EndsOwner::Log, &name) else { continue };
            let path = data_dir.join(&name);
            let mut report = EndsFile { file: name, shard, sequence: None, partitions: None, error: None };
            match DurableEndsFile::decode(&fs::read(&path).map_err(reading(&path))?) {
                Ok(file) => {
                    (report.sequence, report.partitions) = (Some(file.sequence), Some(file.entries.len()));
                    file.entries.iter().for_each(|&end| known.logs.note(end));
                    if newest.get(&shard).is_none_or(|other| other.sequence < file.sequence) {
                        newest.insert(shard, file);
                    }
                }
                Err(error) => {
                    if matches!(error, DurableEndsError::Version { .. }) {
                        known.refusal.get_or_insert(format!("{}: {error}", report.file));
                    }
                    report.error = Some(error.to_string());
                }
            }
            known.files.push(report);
        }
        let ends = newest.values().flat_map(|file| &file.entries);
        known.live = ends.filter(|end| end.durable_end > Offset::ZERO).map(|end| end.partition).collect();
        Ok(known)
    }

    /// Shards neither of whose two files is whole: no crash alone leaves that.
    pub(super) fn forgotten_shards(&self) -> Vec<usize> {
        let of = |shard: usize| self.files.iter().filter(move |file| file.shard == shard);
        let shards: BTreeSet<_> = self.files.iter().map(|file| file.shard).collect();
        shards
            .into_iter()
            .filter(|&shard| of(shard).count() > 1 && of(shard).all(|file| file.error.is_some()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use shard_core::format::durable_ends::DurableEnd;
    use shard_core::model::{LeaderEpoch, PartitionIndex, TopicId};

    use super::*;

    fn partition(index: u32) -> TopicPartition {
        TopicPartition::new(TopicId::new(1), PartitionIndex::new(index))
    }

    fn file(sequence: u64, ends: &[(u32, u64)]) -> Vec<u8> {
        let entry = |&(index, end): &(u32, u64)| DurableEnd {
            partition: partition(index),
            leader_epoch: LeaderEpoch::new(1),
            segment: Offset::ZERO,
            position: 4096,
            durable_end: Offset::new(end),
            log_start: Offset::ZERO,
        };
        DurableEndsFile { sequence, entries: ends.iter().map(entry).collect() }.encode()
    }

    fn read(files: &[(&str, Vec<u8>)]) -> Known {
        let directory = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(directory.path().join(name), bytes).unwrap();
        }
        Known::read(directory.path()).unwrap()
    }

    #[test]
    fn all_files_count_and_the_newest_say_which_partitions_there_are() {
        let known = read(&[
            ("durable-ends.0.a", file(2, &[(0, 20), (1, 7)])),
            ("durable-ends.0.b", file(3, &[(0, 30)])),
            ("durable-ends.1.a", file(2, &[(2, 5), (3, 0)])),
        ]);
        assert_eq!(known.logs.of(partition(1)).durable_end, Offset::new(7));
        assert_eq!(known.live, BTreeSet::from([partition(0), partition(2)]));
        assert_eq!((known.refusal, known.files.len()), (None, 3));
    }

    #[test]
    fn one_torn_file_is_what_a_crash_leaves_and_two_are_damage() {
        let torn = || file(3, &[(0, 30)])[..50].to_vec();
        let known = read(&[("durable-ends.0.a", file(2, &[(0, 20)])), ("durable-ends.0.b", torn())]);
        assert_eq!(known.forgotten_shards(), Vec::<usize>::new());
        assert_eq!(known.logs.of(partition(0)).durable_end, Offset::new(20));
        let known = read(&[("durable-ends.0.a", torn()), ("durable-ends.0.b", torn())]);
        assert_eq!(known.forgotten_shards(), [0]);
    }

    #[test]
    fn an_unknown_version_keeps_a_node_from_starting() {
        let mut newer = file(2, &[(0, 20)]);
        newer[4] = 2;
        let known = read(&[("durable-ends.0.a", newer)]);
        let refusal = known.refusal.unwrap();
        assert_eq!(refusal, "durable-ends.0.a: durable-ends version 2 is unknown, this is version 1");
    }
}
