//! A directory of journal files on which a write that was not synced may be old, new or torn by sectors.

use std::collections::BTreeMap;

use shard_core::{
    delivery::{JournalFile, JournalWrite, RecoveredJournal, recover},
    model::TopicPartition,
};

const SECTOR_BYTES: usize = 512;

/// The journal files of one partition.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    files: BTreeMap<u64, Vec<u8>>,
    in_flight: Option<JournalWrite>,
}

impl Disk {
    /// Starts a write or a creation; its bytes are not safe before `sync`.
    pub(crate) fn start(&mut self, write: JournalWrite) {
        assert!(self.in_flight.is_none(), "one write is in flight at a time");
        self.in_flight = Some(write);
    }

    /// Completes what was started; returns whether there was anything.
    pub(crate) fn sync(&mut self) -> bool {
        let Some(write) = self.in_flight.take() else { return false };
        self.persist(write, |_| Sector::New);
        true
    }

    /// Deletes a file, which must be there.
    pub(crate) fn delete(&mut self, generation: u64) {
        assert!(self.files.remove(&generation).is_some(), "no generation {generation}");
    }

    /// Loses power: of what is in flight, the bits of `sectors` say what each sector holds.
    pub(crate) fn crash(&mut self, sectors: u64) {
        let Some(write) = self.in_flight.take() else { return };
        self.persist(write, |index| match (sectors.rotate_right(u32::try_from(index * 2 % 64).unwrap())) & 3 {
            0 => Sector::Old,
            1 => Sector::Garbage,
            _ => Sector::New,
        });
    }

    /// Reads the files as a start does, and deletes the obsolete ones.
    pub(crate) fn recover(&mut self, partition: TopicPartition) -> RecoveredJournal {
        let files: Vec<_> = self.files.iter().map(|(&generation, bytes)| JournalFile { generation, bytes }).collect();
        let recovered = recover(partition, &files).expect("a crash is not damage");
        for generation in &recovered.obsolete {
            self.files.remove(generation);
        }
        recovered
    }

    fn persist(&mut self, write: JournalWrite, sector: impl Fn(usize) -> Sector) {
        let (generation, start, bytes) = match write {
            JournalWrite::Create { generation, bytes } => (generation, 0, bytes),
            JournalWrite::Write { generation, position, bytes } => {
                (generation, usize::try_from(position).unwrap(), bytes)
            }
        };
        assert!(start % 4096 == 0 && bytes.len() % 4096 == 0, "{start}, {} bytes", bytes.len());
        let file = self.files.entry(generation).or_default();
        let synced = file.get(start..).unwrap_or_default().iter().any(|&byte| byte != 0);
        assert!(!synced, "a write touched bytes that were synced");
        for (index, new) in bytes.chunks(SECTOR_BYTES).enumerate() {
            let at = start + index * SECTOR_BYTES;
            let end = at + new.len();
            match sector(index) {
                // A file that was not extended is shorter; one that was, reads as zeros.
                Sector::Old => {}
                Sector::New => {
                    file.resize(file.len().max(end), 0);
                    file[at..end].copy_from_slice(new);
                }
                Sector::Garbage => {
                    file.resize(file.len().max(end), 0);
                    file[at..end].fill(0xA5);
                }
            }
        }
    }
}

/// What a sector holds after a crash.
#[derive(Clone, Copy, Debug)]
enum Sector {
    Old,
    New,
    Garbage,
}
