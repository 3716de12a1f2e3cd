//! A partition's directory on which whatever was not synced may be old, new or torn by sectors after a power cut.

use std::{collections::BTreeMap, ops::Range};

pub(crate) const BLOCK: usize = 4096;
const SECTOR_BYTES: usize = 512;

/// How a stop treats what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The process dies: completed writes stay, those in flight are torn.
    Kill,
    /// The power goes: completed writes that were not synced are torn too.
    PowerCut,
}

/// The segment files of one partition, as a reader sees them, and what of it is not safe.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    files: BTreeMap<u64, File>,
    /// Never synced: any of them may be torn by a power cut, also long after.
    indexes: BTreeMap<u64, Vec<u8>>,
    /// Removed, and back after a power cut unless the directory is synced before.
    removed: BTreeMap<u64, (File, Vec<u8>)>,
}

#[derive(Clone, Debug, Default)]
struct File {
    /// What a power cut leaves alone.
    safe: Vec<u8>,
    /// Completed, not synced, in order.
    unsynced: Vec<Write>,
    /// How many of them a sync in flight covers.
    syncing: usize,
    /// Started, not completed.
    in_flight: Vec<Write>,
}

#[derive(Clone, Debug)]
struct Write {
    position: usize,
    bytes: Vec<u8>,
    /// Parts that a later, durable write has replaced.
    replaced: Vec<Range<usize>>,
}

/// A stream of choices from one seed.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

#[derive(Clone, Copy)]
enum Sector {
    Old,
    New,
    Garbage,
}

impl Disk {
    /// Starts a write; nothing of it is safe, and nothing of it can be read.
    pub(crate) fn start(&mut self, segment: u64, position: u64, bytes: Vec<u8>) {
        let position = usize::try_from(position).unwrap();
        assert!(position.is_multiple_of(BLOCK) && bytes.len().is_multiple_of(BLOCK), "direct I/O writes whole blocks");
        let file = self.files.entry(segment).or_default();
        let touches = |other: &Write| position < other.end() && other.position < position + bytes.len();
        assert!(!file.in_flight.iter().any(touches), "two writes in flight touch each other");
        file.in_flight.push(Write { position, bytes, replaced: Vec::new() });
    }

    /// Completes the write that starts at `position`.
    pub(crate) fn complete(&mut self, segment: u64, position: u64, durable: bool) {
        let file = self.files.get_mut(&segment).unwrap();
        let position = usize::try_from(position).unwrap();
        let at = file.in_flight.iter().position(|write| write.position == position).unwrap();
        let write = file.in_flight.remove(at);
        if durable {
            // What was written there before and not synced is gone for good; `syncing` counts writes, so none may end.
            for older in &mut file.unsynced {
                older.give_way(&write);
            }
            write.apply(&mut file.safe, |_| Sector::New);
        } else {
            file.unsynced.push(write);
        }
    }

    /// Ends the write that starts at `position` without all of it; with `torn`, some of it is in the file, and not synced.
    pub(crate) fn cut_short(&mut self, segment: u64, position: u64, torn: Option<Random>) {
        let file = self.files.get_mut(&segment).unwrap();
        let position = usize::try_from(position).unwrap();
        let at = file.in_flight.iter().position(|write| write.position == position).unwrap();
        let write = file.in_flight.remove(at);
        if let Some(mut random) = torn {
            let mut bytes = file.visible();
            write.tear(&mut bytes, &mut random);
            let bytes = bytes.get(position..write.end().min(bytes.len())).unwrap_or_default().to_vec();
            file.unsynced.push(Write { position, bytes, replaced: Vec::new() });
        }
    }

    /// Starts a sync; it covers what is completed now.
    pub(crate) fn start_sync(&mut self, segment: u64) {
        let file = self.files.get_mut(&segment).unwrap();
        file.syncing = file.unsynced.len();
    }

    /// Completes the sync that was started.
    pub(crate) fn complete_sync(&mut self, segment: u64) {
        let file = self.files.get_mut(&segment).unwrap();
        for write in file.unsynced.drain(..std::mem::take(&mut file.syncing)) {
            write.apply(&mut file.safe, |_| Sector::New);
        }
    }

    /// Cuts a file and syncs it.
    pub(crate) fn truncate(&mut self, segment: u64, length: u64) {
        let file = self.files.get_mut(&segment).unwrap();
        file.safe = file.visible();
        file.unsynced.clear();
        file.syncing = 0;
        file.safe.truncate(usize::try_from(length).unwrap());
    }

    /// Cuts a file that nothing is written to any more; what was not synced is not synced by that.
    pub(crate) fn seal(&mut self, segment: u64, length: u64) {
        let length = usize::try_from(length).unwrap();
        // It may have been removed meanwhile.
        let Some(file) = self.files.get_mut(&segment) else { return };
        file.safe.truncate(length);
        file.unsynced.retain(|write| write.end() <= length);
    }

    /// Writes one block and syncs it.
    pub(crate) fn overwrite(&mut self, segment: u64, position: u64, block: &[u8]) {
        let position = usize::try_from(position).unwrap();
        let write = Write { position, bytes: block.to_vec(), replaced: Vec::new() };
        write.apply(&mut self.files.get_mut(&segment).unwrap().safe, |_| Sector::New);
    }

    /// Leaves an index beside a segment.
    pub(crate) fn write_index(&mut self, segment: u64, index: Vec<u8>) {
        if !index.is_empty() {
            self.indexes.insert(segment, index);
        }
    }

    /// A segment's index, if there is one.
    pub(crate) fn index(&self, segment: u64) -> &[u8] {
        self.indexes.get(&segment).map(Vec::as_slice).unwrap_or_default()
    }

    /// Removes a file and its index.
    pub(crate) fn remove(&mut self, segment: u64) {
        if let Some(file) = self.files.remove(&segment) {
            self.removed.insert(segment, (file, self.indexes.remove(&segment).unwrap_or_default()));
        }
    }

    /// Makes removals durable.
    pub(crate) fn sync_directory(&mut self) {
        self.removed.clear();
    }

    /// The files that are there, in order.
    pub(crate) fn segments(&self) -> Vec<u64> {
        self.files.keys().copied().collect()
    }

    /// A file as a reader sees it.
    pub(crate) fn read(&self, segment: u64) -> Option<Vec<u8>> {
        self.files.get(&segment).map(File::visible)
    }

    /// Stops everything, and keeps one of the images that the stop may leave.
    pub(crate) fn stop(&mut self, stop: Stop, random: &mut Random) {
        for (segment, (file, index)) in std::mem::take(&mut self.removed) {
            // In any order: nothing was synced between one and the next.
            if stop == Stop::PowerCut && random.below(2) == 0 {
                self.files.insert(segment, file);
                self.write_index(segment, index);
            }
        }
        if stop == Stop::PowerCut {
            self.indexes.retain(|_, index| {
                index.truncate(random.below(index.len() * 2));
                !index.is_empty()
            });
        }
        self.files.retain(|_, file| {
            let unsynced = std::mem::take(&mut file.unsynced);
            file.syncing = 0;
            for write in unsynced {
                match stop {
                    Stop::Kill => write.apply(&mut file.safe, |_| Sector::New),
                    Stop::PowerCut => write.tear(&mut file.safe, random),
                }
            }
            for write in std::mem::take(&mut file.in_flight) {
                write.tear(&mut file.safe, random);
            }
            // A file whose creation was not finished may be empty, or not be there at all.
            !file.safe.is_empty() || random.below(2) == 0
        });
    }
}

impl File {
    fn visible(&self) -> Vec<u8> {
        let mut bytes = self.safe.clone();
        for write in &self.unsynced {
            write.apply(&mut bytes, |_| Sector::New);
        }
        bytes
    }
}

impl Write {
    fn end(&self) -> usize {
        self.position + self.bytes.len()
    }

    fn give_way(&mut self, newer: &Self) {
        self.replaced.push(newer.position..newer.end());
    }

    fn tear(&self, file: &mut Vec<u8>, random: &mut Random) {
        // Most random are of one kind, as when a write has not begun or has all but ended; the mixed ones are the worst.
        let kind = random.below(5);
        let mut sector = |_| match kind {
            0 => Sector::Old,
            1 => Sector::New,
            _ => random.sector(),
        };
        self.apply(file, &mut sector);
    }

    fn apply(&self, file: &mut Vec<u8>, mut sector: impl FnMut(usize) -> Sector) {
        for (index, new) in self.bytes.chunks(SECTOR_BYTES).enumerate() {
            let at = self.position + index * SECTOR_BYTES;
            let end = at + new.len();
            let sector = sector(index);
            if matches!(sector, Sector::Old) || self.replaced.iter().any(|replaced| replaced.contains(&at)) {
                continue;
            }
            // The length of a file that direct I/O extends is one of whole blocks.
            file.resize(file.len().max(end.next_multiple_of(BLOCK)), 0);
            match sector {
                Sector::Old | Sector::New => file[at..end].copy_from_slice(new),
                Sector::Garbage => file[at..end].fill(0xA5),
            }
        }
    }
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    /// What a sector of a torn write holds.
    fn sector(&mut self) -> Sector {
        match self.below(4) {
            0 => Sector::Old,
            1 => Sector::Garbage,
            _ => Sector::New,
        }
    }

    /// The next number of `SplitMix64`.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
