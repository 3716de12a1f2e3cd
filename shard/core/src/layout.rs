//! The names of the files in a data directory: by ids and numbers alone, never by what a client wrote.

use std::path::{Path, PathBuf};

use crate::model::{Offset, PartitionIndex, TopicId, TopicPartition};

/// The file whose lock says that a process has the data directory; it holds the process's id.
pub const LOCK_FILE: &str = "LOCK";

/// Of which store a durable-ends file speaks: a data directory may have been used with one and then with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndsOwner {
    /// The segment files in this data directory.
    Log,
    /// The streams in a Redis.
    Redis,
}

impl EndsOwner {
    const fn file_name(self) -> &'static str {
        match self {
            Self::Log => "durable-ends",
            Self::Redis => "redis-ends",
        }
    }
}

/// The directory of all partitions, which need not exist.
#[must_use]
pub fn partitions_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("partitions")
}

/// The directory of a partition, which need not exist.
#[must_use]
pub fn partition_dir(data_dir: &Path, partition: TopicPartition) -> PathBuf {
    topic_dir(data_dir, partition).join(partition.partition.to_string())
}

/// Where what was found damaged of a partition is put, the first time and later ones, beside the partition.
#[must_use]
pub fn damaged_dir(data_dir: &Path, partition: TopicPartition, number: u32) -> PathBuf {
    topic_dir(data_dir, partition).join(format!("{}.damaged-{number}", partition.partition))
}

/// The directory of a partition's topic.
#[must_use]
pub fn topic_dir(data_dir: &Path, partition: TopicPartition) -> PathBuf {
    partitions_dir(data_dir).join(partition.topic.to_string())
}

/// The segment that begins at `base`; digits in full, so that names sort as offsets do.
#[must_use]
pub fn segment_path(partition_dir: &Path, base: Offset) -> PathBuf {
    partition_dir.join(format!("{:020}.log", base.get()))
}

/// The index of the segment that begins at `base`.
#[must_use]
pub fn index_path(partition_dir: &Path, base: Offset) -> PathBuf {
    partition_dir.join(format!("{:020}.index", base.get()))
}

/// The cursor journal of one generation.
#[must_use]
pub fn journal_path(partition_dir: &Path, generation: u64) -> PathBuf {
    partition_dir.join(format!("cursors.{generation:010}.journal"))
}

/// One of the two files in which a shard writes in turn how far its partitions are safe in a store.
#[must_use]
pub fn durable_ends_path(data_dir: &Path, owner: EndsOwner, shard: usize, sequence: u64) -> PathBuf {
    let turn = if sequence.is_multiple_of(2) { 'a' } else { 'b' };
    data_dir.join(format!("{}.{shard}.{turn}", owner.file_name()))
}

/// The topic in the name of a topic's directory, if it is one.
#[must_use]
pub fn topic_id(file_name: &str) -> Option<TopicId> {
    number(file_name).map(TopicId::new)
}

/// The partition in the name of a partition's directory, if it is one.
#[must_use]
pub fn partition_index(file_name: &str) -> Option<PartitionIndex> {
    u32::try_from(number(file_name)?).ok().map(PartitionIndex::new)
}

/// The base offset in the name of a segment, if it is one.
#[must_use]
pub fn segment_base(file_name: &str) -> Option<Offset> {
    base_offset(file_name.strip_suffix(".log")?)
}

/// The base offset in the name of a segment's index, if it is one.
#[must_use]
pub fn index_base(file_name: &str) -> Option<Offset> {
    base_offset(file_name.strip_suffix(".index")?)
}

/// The generation in the name of a cursor journal, if it is one.
#[must_use]
pub fn journal_generation(file_name: &str) -> Option<u64> {
    file_name.strip_prefix("cursors.")?.strip_suffix(".journal")?.parse().ok()
}

/// The shard in the name of a file in which one writes how far its partitions are safe in a store, if it is one.
#[must_use]
pub fn durable_ends_shard(owner: EndsOwner, file_name: &str) -> Option<usize> {
    let (shard, turn) = file_name.strip_prefix(owner.file_name())?.strip_prefix('.')?.split_once('.')?;
    matches!(turn, "a" | "b").then(|| shard.parse().ok())?
}

fn base_offset(digits: &str) -> Option<Offset> {
    (digits.len() == 20).then(|| digits.parse().ok().map(Offset::new))?
}

/// A number as it is written: no sign, no zeros before it.
fn number(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|number: &u64| number.to_string() == digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let partition = TopicPartition::new(TopicId::new(7), PartitionIndex::new(3));
        let directory = partition_dir(Path::new("data"), partition);
        assert_eq!(directory, Path::new("data/partitions/7/3"));
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(topic_id(&name(topic_dir(Path::new("data"), partition))), Some(partition.topic));
        assert_eq!(partition_index(&name(directory.clone())), Some(partition.partition));
        let aside = damaged_dir(Path::new("data"), partition, 2);
        assert_eq!(
            (aside.as_path(), partition_index(&name(aside.clone()))),
            (Path::new("data/partitions/7/3.damaged-2"), None)
        );
        assert_eq!(segment_base(&name(segment_path(&directory, Offset::new(42)))), Some(Offset::new(42)));
        assert_eq!(index_base(&name(index_path(&directory, Offset::new(42)))), Some(Offset::new(42)));
        assert_eq!(journal_generation(&name(journal_path(&directory, 9))), Some(9));
        for (owner, other) in [(EndsOwner::Log, EndsOwner::Redis), (EndsOwner::Redis, EndsOwner::Log)] {
            let ends = name(durable_ends_path(Path::new("data"), owner, 12, 1));
            assert_eq!((durable_ends_shard(owner, &ends), durable_ends_shard(other, &ends)), (Some(12), None));
        }
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
            assert_eq!(durable_ends_shard(EndsOwner::Log, name), None, "{name}");
        }
        for name in ["", "+1", "01", "1.5", "lost+found", "4294967296000000000000"] {
            assert_eq!((topic_id(name), partition_index(name)), (None, None), "{name}");
        }
        assert_eq!(partition_index("4294967296"), None);
    }
}
