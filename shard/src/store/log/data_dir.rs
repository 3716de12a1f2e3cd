//! The layout of the data directory: named by ids alone, never by what a client wrote.

use std::path::{Path, PathBuf};

use shard_core::model::{Offset, TopicPartition};

/// The directory of a partition, which need not exist.
pub(super) fn partition_dir(data_dir: &Path, partition: TopicPartition) -> PathBuf {
    topic_dir(data_dir, partition).join(partition.partition.to_string())
}

/// The directory of a partition's topic.
pub(super) fn topic_dir(data_dir: &Path, partition: TopicPartition) -> PathBuf {
    data_dir.join("partitions").join(partition.topic.to_string())
}

/// The segment that begins at `base`; digits in full, so that names sort as offsets do.
pub(super) fn segment_path(partition_dir: &Path, base: Offset) -> PathBuf {
    partition_dir.join(format!("{:020}.log", base.get()))
}

/// The index of the segment that begins at `base`.
pub(super) fn index_path(partition_dir: &Path, base: Offset) -> PathBuf {
    partition_dir.join(format!("{:020}.index", base.get()))
}

/// The cursor journal of one generation.
pub(super) fn journal_path(partition_dir: &Path, generation: u64) -> PathBuf {
    partition_dir.join(format!("cursors.{generation:010}.journal"))
}

/// One of the two files in which a shard writes in turn what is durable.
pub(super) fn durable_ends_path(data_dir: &Path, shard: usize, sequence: u64) -> PathBuf {
    let turn = if sequence.is_multiple_of(2) { 'a' } else { 'b' };
    data_dir.join(format!("durable-ends.{shard}.{turn}"))
}

/// The base offset in the name of a segment, if it is one.
pub(super) fn segment_base(file_name: &str) -> Option<Offset> {
    base_offset(file_name.strip_suffix(".log")?)
}

/// The base offset in the name of a segment's index, if it is one.
pub(super) fn index_base(file_name: &str) -> Option<Offset> {
    base_offset(file_name.strip_suffix(".index")?)
}

/// The generation in the name of a cursor journal, if it is one.
pub(super) fn journal_generation(file_name: &str) -> Option<u64> {
    file_name.strip_prefix("cursors.")?.strip_suffix(".journal")?.parse().ok()
}

/// The shard in the name of a file in which one writes what is durable, if it is one.
pub(super) fn durable_ends_shard(file_name: &str) -> Option<usize> {
    let (shard, turn) = file_name.strip_prefix("durable-ends.")?.split_once('.')?;
    matches!(turn, "a" | "b").then(|| shard.parse().ok())?
}

fn base_offset(digits: &str) -> Option<Offset> {
    (digits.len() == 20).then(|| digits.parse().ok().map(Offset::new))?
}

#[cfg(test)]
mod tests {
    use shard_core::model::{PartitionIndex, TopicId};

    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let partition = TopicPartition::new(TopicId::new(7), PartitionIndex::new(3));
        let directory = partition_dir(Path::new("data"), partition);
        assert_eq!(directory, Path::new("data/partitions/7/3"));
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(segment_base(&name(segment_path(&directory, Offset::new(42)))), Some(Offset::new(42)));
        assert_eq!(index_base(&name(index_path(&directory, Offset::new(42)))), Some(Offset::new(42)));
        assert_eq!(journal_generation(&name(journal_path(&directory, 9))), Some(9));
        assert_eq!(durable_ends_shard(&name(durable_ends_path(Path::new("data"), 12, 1))), Some(12));
    }

    #[test]
    fn other_names_are_nothing_of_ours() {
        for name in [
            "1.log",
            "x.log",
            "00000000000000000042.index",
            "00000000000000000042.log.tmp",
            "cursors.journal",
            "durable-ends.x.a",
            "durable-ends.1.c",
        ] {
            assert_eq!((segment_base(name), journal_generation(name)), (None, None), "{name}");
            assert_eq!(durable_ends_shard(name), None, "{name}");
        }
    }
}
