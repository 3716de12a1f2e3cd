//! Walks the raw bytes of a segment from batch to batch, skipping the padding between flushes.

use bytes::Bytes;

use crate::format::{
    record_batch::{BatchError, BatchHeader, HEADER_BYTES, RecordBatch},
    segment_header::BLOCK_BYTES,
};

/// Takes batches off the front of a piece of a segment. The piece starts where a batch or a block starts.
#[derive(Debug)]
pub struct BatchScanner {
    bytes: Bytes,
    /// The position in the file of the piece's first byte.
    start: u64,
    /// How much of the piece was walked.
    walked: usize,
}

/// What a scanner met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scanned {
    /// A whole, verified batch at this position.
    Batch {
        /// Where it lies in the file.
        position: u64,
        /// The batch.
        batch: RecordBatch,
    },
    /// The piece ends within a batch that starts at `position` and needs `needed` bytes from there.
    More {
        /// Where the next piece is to start.
        position: u64,
        /// How long it has to be at least.
        needed: usize,
    },
    /// A block in which nothing was written begins at this position, or the piece ends there.
    Blank {
        /// Where nothing was written.
        position: u64,
    },
    /// What starts at this position is no batch of this version.
    Damage {
        /// Where it lies in the file.
        position: u64,
        /// What is wrong with it.
        error: BatchError,
    },
}

impl BatchScanner {
    /// A scanner of `bytes`, which lie at `start` in the file.
    #[must_use]
    pub const fn new(start: u64, bytes: Bytes) -> Self {
        Self { bytes, start, walked: 0 }
    }

    /// The next thing in the piece. After anything but a batch, it is the same again.
    #[must_use = "a batch is met once"]
    pub fn advance(&mut self) -> Scanned {
        self.skip_padding();
        let position = self.position();
        let rest = self.bytes.slice(self.walked..);
        if rest.is_empty() || starts_blank(&rest) {
            return Scanned::Blank { position };
        }
        let needed = match BatchHeader::decode(&rest) {
            Ok(header) => header.batch_length(),
            Err(BatchError::Truncated { .. }) => HEADER_BYTES,
            Err(error) => return Scanned::Damage { position, error },
        };
        if rest.len() < needed {
            return Scanned::More { position, needed };
        }
        match RecordBatch::parse(rest) {
            Ok(batch) => {
                self.walked += needed;
                Scanned::Batch { position, batch }
            }
            Err(error) => Scanned::Damage { position, error },
        }
    }

    /// The position in the file up to which the piece was walked.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.start + widen(self.walked)
    }

    /// Goes on to the next block if what remains of this one is padding.
    fn skip_padding(&mut self) {
        let in_block = self.position() % widen(BLOCK_BYTES);
        if in_block == 0 {
            return;
        }
        let padding = BLOCK_BYTES - usize::try_from(in_block).expect("less than a block");
        let end = (self.walked + padding).min(self.bytes.len());
        if self.bytes.get(self.walked..end).is_some_and(|padding| padding.iter().all(|&byte| byte == 0)) {
            self.walked = end;
        }
    }
}

/// Whether the block at the start of `bytes` holds nothing at all.
fn starts_blank(bytes: &[u8]) -> bool {
    bytes.get(..BLOCK_BYTES.min(bytes.len())).is_some_and(|block| block.iter().all(|&byte| byte == 0))
}

fn widen(length: usize) -> u64 {
    u64::try_from(length).expect("a length fits in 64 bits")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::log::testing::{batch_at, padded};

    fn scan(bytes: Vec<u8>) -> (Vec<u64>, Scanned) {
        let mut scanner = BatchScanner::new(4096, bytes.into());
        let mut positions = Vec::new();
        loop {
            match scanner.advance() {
                Scanned::Batch { position, .. } => positions.push(position),
                end @ (Scanned::More { .. } | Scanned::Blank { .. } | Scanned::Damage { .. }) => {
                    return (positions, end);
                }
            }
        }
    }

    #[test]
    fn batches_of_a_flush_lie_behind_each_other_and_flushes_on_fresh_blocks() {
        let (first, second, third) = (batch_at(0, 10), batch_at(1, 10), batch_at(2, 10));
        let mut bytes = padded(&[&first, &second]);
        bytes.extend(padded(&[&third]));
        let behind = 4096 + u64::try_from(first.bytes().len()).unwrap();
        assert_eq!(scan(bytes), (vec![4096, behind, 8192], Scanned::Blank { position: 12288 }));
    }

    #[test]
    fn a_blank_block_ends_the_log() {
        let mut bytes = padded(&[&batch_at(0, 10)]);
        bytes.resize(5 * 4096, 0);
        assert_eq!(scan(bytes), (vec![4096], Scanned::Blank { position: 8192 }));
    }

    #[test]
    fn a_cut_batch_asks_for_what_it_needs() {
        let batch = batch_at(0, 10_000);
        let needed = batch.bytes().len();
        let (positions, end) = scan(batch.bytes()[..needed - 1].to_vec());
        assert_eq!((positions, end), (vec![], Scanned::More { position: 4096, needed }));
    }

    #[test]
    fn damage_is_told_with_its_position() {
        let mut bytes = padded(&[&batch_at(0, 10), &batch_at(1, 10)]);
        let second = batch_at(0, 10).bytes().len();
        bytes[second + 70] ^= 1;
        let (positions, end) = scan(bytes);
        assert_eq!(positions, [4096]);
        assert!(matches!(end, Scanned::Damage { position, .. } if position == 4096 + second as u64), "{end:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(bytes in any::<Vec<u8>>()) {
            scan(bytes);
        }
    }
}
