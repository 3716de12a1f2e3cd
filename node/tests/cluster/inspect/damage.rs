//! Ways to damage a partition, and what has to be said of each.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use shard_core::format::{offset_index::OffsetIndexFile, segment_header::BLOCK_BYTES};

pub(super) const TORN_TAIL: u64 = 5;
pub(super) const MISLED: u64 = 10;
/// Where the index of that partition leads astray.
pub(super) const MISLED_OFFSET: u64 = 8;
pub(super) const UNFINISHED_SEGMENT: u64 = 11;
pub(super) const TORN_JOURNAL: u64 = 12;

/// The partitions of the one topic in a data directory.
pub(super) struct Stored {
    topic: PathBuf,
}

/// What is to be said of a partition.
pub(super) struct Expected {
    outcome: &'static str,
    state: &'static str,
    /// Words that stand somewhere in what is said of it.
    said: &'static [&'static str],
    /// How many places of the log are damaged.
    damaged: u64,
}

impl Expected {
    pub(super) fn check(&self, report: &Value) {
        assert_eq!(report["start"]["outcome"], self.outcome, "{report:#}");
        assert_eq!(report["state"], self.state, "{report:#}");
        assert_eq!(report["damaged"], self.damaged, "{report:#}");
        let text = report.to_string();
        for said in self.said {
            assert!(text.contains(said), "`{said}` is not said: {report:#}");
        }
    }
}

impl Stored {
    pub(super) fn new(data_dir: &Path) -> Self {
        let found = fs::read_dir(data_dir.join("partitions")).unwrap().map(|entry| entry.unwrap().path());
        let topics: Vec<_> = found.filter(|path| path.is_dir()).collect();
        assert_eq!(topics.len(), 1);
        Self { topic: topics[0].clone() }
    }

    /// Damages each partition in another way, but for the first.
    pub(super) fn damage_all(&self) -> Vec<(u64, Expected)> {
        const CLOSED: (&str, &str) = ("stays_closed", "damaged");
        let expected = |(outcome, state), damaged, said| Expected { outcome, state, said, damaged };
        // An old segment with an index is not read by a start: what is in it shows when it is read.
        flip(&self.segments(1)[0], BLOCK_BYTES + 200);
        flip(&self.segments(2)[0], BLOCK_BYTES + 200);
        fs::remove_file(self.segments(2)[0].with_extension("index")).unwrap();
        self.truncate(3, 1);
        flip(&self.segments(4)[1].with_extension("index"), 40);
        self.tear_tail(TORN_TAIL);
        self.damage_journal(6);
        self.swap_segments(7, 8);
        self.tear_journal(TORN_JOURNAL);
        change(&self.segments(9)[2], |bytes| bytes[4] = 2);
        self.mislead();
        fs::write(self.directory(UNFINISHED_SEGMENT).join("00000000000000000104.log"), []).unwrap();
        vec![
            (0, expected(("opens", "whole"), 0, &[])),
            (
                1,
                expected(
                    ("opens", "damaged"),
                    1,
                    &["the body's checksum is", "\"lost_end\":4,\"lost_start\":0,\"position\":4096"],
                ),
            ),
            (2, expected(CLOSED, 1, &["segment 0 is damaged at position 4096, offset 0: the body's checksum is"])),
            (3, expected(CLOSED, 1, &["offset 40: the file ends within a batch", "\"lost_end\":56,\"lost_start\":40"])),
            (4, expected(("opens", "whole"), 0, &["the index's checksum is", "\"rebuilt\":true"])),
            (TORN_TAIL, expected(("cuts_tail", "torn_tail"), 0, &["\"bytes\":1000,", "\"offset\":104"])),
            (6, expected(CLOSED, 0, &["cursor journal 1 is damaged at 4096, before its end"])),
            (
                7,
                expected(
                    CLOSED,
                    1,
                    &["segment 0 is damaged at position 0, offset 0: it is segment 0 of partition 1/8"],
                ),
            ),
            (8, expected(CLOSED, 1, &["it is segment 0 of partition 1/7"])),
            (9, expected(CLOSED, 1, &["segment version 2 is unknown, this is version 1"])),
            (MISLED, expected(("opens", "damaged"), 0, &["\"rebuilt\":false", "no batch begins at position"])),
            (TORN_JOURNAL, expected(("opens", "torn_tail"), 0, &["cursor journal 1 is torn at position"])),
            (UNFINISHED_SEGMENT, expected(("opens", "whole"), 0, &["00000000000000000104.log"])),
        ]
    }

    fn directory(&self, partition: u64) -> PathBuf {
        self.topic.join(partition.to_string())
    }

    /// The segments of a partition, in order.
    fn segments(&self, partition: u64) -> Vec<PathBuf> {
        self.with_extension(partition, "log")
    }

    fn with_extension(&self, partition: u64, extension: &str) -> Vec<PathBuf> {
        let paths = fs::read_dir(self.directory(partition)).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
        paths.sort();
        paths
    }

    fn truncate(&self, partition: u64, segment: usize) {
        change(&self.segments(partition)[segment], |bytes| bytes.truncate(bytes.len() / 2));
        fs::remove_file(self.segments(partition)[segment].with_extension("index")).unwrap();
    }

    /// Leaves the first bytes of one more batch behind the last one.
    fn tear_tail(&self, partition: u64) {
        let first = fs::read(&self.segments(partition)[0]).unwrap();
        let last = self.segments(partition).pop().unwrap();
        change(&last, |bytes| bytes.extend(&first[BLOCK_BYTES..BLOCK_BYTES + 1_000]));
    }

    /// Damages the first group of the journal, which others follow.
    fn damage_journal(&self, partition: u64) {
        change(&self.journal(partition), |bytes| {
            assert!(bytes[2 * BLOCK_BYTES..].starts_with(b"PSCG"), "there is a second group");
            bytes[BLOCK_BYTES + 32] ^= 1;
        });
    }

    /// Leaves the beginning of one more group behind the last one.
    fn tear_journal(&self, partition: u64) {
        change(&self.journal(partition), |bytes| {
            let blank = bytes.chunks(BLOCK_BYTES).position(|block| block.iter().all(|&byte| byte == 0));
            let (from, to) = (BLOCK_BYTES, blank.unwrap() * BLOCK_BYTES);
            bytes.copy_within(from..from + 20, to);
        });
    }

    fn journal(&self, partition: u64) -> PathBuf {
        let journals = self.with_extension(partition, "journal");
        assert_eq!(journals.len(), 1);
        journals[0].clone()
    }

    /// Swaps the first segments of two partitions.
    fn swap_segments(&self, one: u64, other: u64) {
        let (one, other) = (self.segments(one)[0].clone(), self.segments(other)[0].clone());
        let (of_one, of_other) = (fs::read(&one).unwrap(), fs::read(&other).unwrap());
        fs::write(one, of_other).unwrap();
        fs::write(other, of_one).unwrap();
    }

    /// Has the index of the first segment say something else than the segment, with a checksum that is right.
    fn mislead(&self) {
        let path = self.misleading_index();
        let mut index = OffsetIndexFile::decode(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(index.entries[2].offset.get(), MISLED_OFFSET);
        index.entries[2].position += 4_096;
        fs::write(path, index.encode()).unwrap();
    }

    /// The index that leads astray.
    pub(super) fn misleading_index(&self) -> PathBuf {
        self.segments(MISLED)[0].with_extension("index")
    }
}

fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

fn flip(file: &Path, at: usize) {
    change(file, |bytes| bytes[at] ^= 1);
}
