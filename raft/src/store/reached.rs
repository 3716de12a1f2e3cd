//! A file beside the log that says how far the log and the vote had come when that was promised: whatever sled finds
//! when it opens the database, a node whose log ends before that has lost something and must not go on.
//!
//! Two slots, 4096 bytes apart, are written in turn, so that a torn write leaves the one before it.
//!
//! ```text
//!  0  [u8;4]  magic, "PSRR"
//!  4  u16     version, 1              (all numbers little-endian)
//!  6  u8      reserved, 0
//!  7  u8      1 there was a vote, 2 it was committed
//!  8  u64     sequence, higher in the newer slot
//! 16  u64     end of the log: the index after its last entry
//! 24  u64     term of the vote
//! 32  u64     node of the vote
//! 40  u32     CRC-32C of bytes 0..40
//! ```

use std::{
    cmp::Ordering,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
};

use crate::{checksum::crc32c, type_config::Vote};

const MAGIC: [u8; 4] = *b"PSRR";
const VERSION: u16 = 1;
const CHECKED_BYTES: usize = 40;
const SLOT_BYTES: usize = CHECKED_BYTES + 4;
const SLOT_DISTANCE: u64 = 4096;
const SLOTS: u64 = 2;
const UNFINISHED_EXTENSION: &str = "tmp";

/// What a log holds at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reached {
    /// The index after the last entry.
    pub(super) end: u64,
    pub(super) vote: Option<Vote>,
}

/// The file, opened.
#[derive(Debug)]
pub(super) struct ReachedFile {
    file: File,
    sequence: u64,
    newest: Reached,
}

/// Why the file can't be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum ReachedError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is damaged")]
    Damaged,
    #[error("its version is {version}, this program knows {VERSION}")]
    Version { version: u16 },
}

/// One slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    sequence: u64,
    reached: Reached,
}

impl Reached {
    /// Whether a log and a vote that are there can be those that were promised, or what came of them.
    pub(super) fn is_kept_by(&self, found: &Self) -> bool {
        let vote_is_kept = match (&self.vote, &found.vote) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(promised), Some(found)) => {
                matches!(found.partial_cmp(promised), Some(Ordering::Equal | Ordering::Greater))
            }
        };
        vote_is_kept && self.end <= found.end
    }
}

impl ReachedFile {
    /// Opens the file, or makes one that promises nothing. Its directory is the caller's to sync.
    pub(super) fn open(path: &Path) -> Result<Self, ReachedError> {
        if !path.try_exists()? {
            create(path)?;
        }
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut newest: Option<Slot> = None;
        for number in 0..SLOTS {
            let mut bytes = [0; SLOT_BYTES];
            file.read_exact_at(&mut bytes, number * SLOT_DISTANCE).map_err(damaged_if_short)?;
            match Slot::decode(&bytes) {
                Ok(slot) => newest = newest.filter(|known| known.sequence > slot.sequence).or(Some(slot)),
                // The write that tore it was never answered.
                Err(ReachedError::Damaged) => {}
                Err(error) => return Err(error),
            }
        }
        let Slot { sequence, reached } = newest.ok_or(ReachedError::Damaged)?;
        Ok(Self { file, sequence, newest: reached })
    }

    /// What was promised.
    pub(super) const fn newest(&self) -> Reached {
        self.newest
    }

    /// Promises something else; durable on return. The log must hold it already.
    pub(super) fn write(&mut self, reached: Reached) -> io::Result<()> {
        if reached == self.newest {
            return Ok(());
        }
        let slot = Slot { sequence: self.sequence + 1, reached };
        self.file.write_all_at(&slot.encode(), slot.sequence % SLOTS * SLOT_DISTANCE)?;
        self.file.sync_data()?;
        self.sequence = slot.sequence;
        self.newest = reached;
        Ok(())
    }
}

impl Slot {
    fn encode(&self) -> [u8; SLOT_BYTES] {
        let vote = self.reached.vote;
        let flags = vote.map_or(0, |vote| if vote.committed { 3 } else { 1 });
        let (term, node) = vote.map_or((0, 0), |vote| (vote.leader_id.term, vote.leader_id.node_id));
        let mut bytes = Vec::with_capacity(SLOT_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0, flags]);
        for number in [self.sequence, self.reached.end, term, node] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let checksum = crc32c(&[&bytes]);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes.try_into().expect("the fields fill a slot")
    }

    fn decode(bytes: &[u8; SLOT_BYTES]) -> Result<Self, ReachedError> {
        let (checked, checksum) = bytes.split_first_chunk::<CHECKED_BYTES>().ok_or(ReachedError::Damaged)?;
        if checksum != crc32c(&[checked]).to_le_bytes() {
            return Err(ReachedError::Damaged);
        }
        let (start, numbers) = checked.split_first_chunk::<8>().ok_or(ReachedError::Damaged)?;
        let [magic @ .., v0, v1, _, flags] = *start;
        if magic != MAGIC {
            return Err(ReachedError::Damaged);
        }
        let version = u16::from_le_bytes([v0, v1]);
        if version != VERSION {
            return Err(ReachedError::Version { version });
        }
        let mut numbers = numbers.chunks_exact(8).map(|bytes| bytes.try_into().map_or(0, u64::from_le_bytes));
        let mut next = || numbers.next().ok_or(ReachedError::Damaged);
        let (sequence, end, term, node) = (next()?, next()?, next()?, next()?);
        let vote = match flags {
            0 => None,
            1 => Some(Vote::new(term, node)),
            3 => Some(Vote::new_committed(term, node)),
            _ => return Err(ReachedError::Damaged),
        };
        Ok(Self { sequence, reached: Reached { end, vote } })
    }
}

/// Writes a file with both slots, whole or not at all, so that later writes change no size.
fn create(path: &Path) -> io::Result<()> {
    let unfinished = path.with_extension(UNFINISHED_EXTENSION);
    let mut file = File::create(&unfinished)?;
    for sequence in 0..SLOTS {
        let mut block = Slot { sequence, reached: Reached::default() }.encode().to_vec();
        block.resize(usize::try_from(SLOT_DISTANCE).unwrap_or(SLOT_BYTES), 0);
        file.write_all(&block)?;
    }
    file.sync_data()?;
    fs::rename(unfinished, path)
}

fn damaged_if_short(error: io::Error) -> ReachedError {
    if error.kind() == io::ErrorKind::UnexpectedEof { ReachedError::Damaged } else { error.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::golden::assert_golden;

    const REACHED: Reached = Reached { end: 42, vote: None };

    #[test]
    fn reached_v1_is_frozen() {
        let reached = Reached { end: 42, vote: Some(Vote::new_committed(7, 3)) };
        let slot = Slot { sequence: 9, reached };
        assert_golden("metadata_reached.v1.hex", &slot.encode());
        assert_eq!(Slot::decode(&slot.encode()).unwrap(), slot);
    }

    #[test]
    fn what_was_written_last_is_read_and_a_torn_slot_is_the_one_before() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("reached");
        let mut file = ReachedFile::open(&path).unwrap();
        assert_eq!(file.newest(), Reached::default());
        for end in 1..=5 {
            file.write(Reached { end, vote: Some(Vote::new(end, 1)) }).unwrap();
            assert_eq!(ReachedFile::open(&path).unwrap().newest().end, end);
        }
        // 5 was the sixth write behind 0 and 1: sequence 6, in the first slot.
        file.file.write_all_at(&[0xff], 20).unwrap();
        assert_eq!(ReachedFile::open(&path).unwrap().newest().end, 4);
        file.file.write_all_at(&[0xff], SLOT_DISTANCE + 20).unwrap();
        assert!(matches!(ReachedFile::open(&path), Err(ReachedError::Damaged)));
        file.file.set_len(10).unwrap();
        assert!(matches!(ReachedFile::open(&path), Err(ReachedError::Damaged)));
    }

    #[test]
    fn a_shorter_log_and_an_older_vote_are_a_loss() {
        let reached = |end, vote| Reached { end, vote };
        let promised = reached(5, Some(Vote::new(2, 1)));
        assert!(promised.is_kept_by(&promised));
        assert!(promised.is_kept_by(&reached(6, Some(Vote::new_committed(2, 1)))));
        assert!(promised.is_kept_by(&reached(5, Some(Vote::new(3, 2)))));
        assert!(!promised.is_kept_by(&reached(4, Some(Vote::new(2, 1)))));
        assert!(!promised.is_kept_by(&reached(5, Some(Vote::new(1, 9)))));
        assert!(!promised.is_kept_by(&reached(5, None)));
        assert!(Reached::default().is_kept_by(&Reached::default()));
    }

    #[test]
    fn an_unknown_version_is_refused_by_its_number() {
        let mut bytes = Slot { sequence: 1, reached: REACHED }.encode();
        bytes[4] = 2;
        let checksum = crc32c(&[&bytes[..CHECKED_BYTES]]);
        bytes[CHECKED_BYTES..].copy_from_slice(&checksum.to_le_bytes());
        assert!(matches!(Slot::decode(&bytes), Err(ReachedError::Version { version: 2 })));
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_noticed(end: u64, at in 0..SLOT_BYTES, bit in 0..8) {
            let mut bytes = Slot { sequence: 1, reached: Reached { end, vote: None } }.encode();
            bytes[at] ^= 1_u8 << bit;
            prop_assert!(Slot::decode(&bytes).is_err());
        }

        #[test]
        fn any_slot_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), SLOT_BYTES)) {
            drop(Slot::decode(&bytes.try_into().unwrap()));
        }
    }
}
