//! Comparing what the replicas of a partition hold: each says a checksum of the same stretch of its log, as it is on its disk.

use crate::{
    format::{checksum::Crc64, record_batch::RecordBatch},
    model::{Offset, OffsetRange, TopicPartition},
};

/// What a replica is asked for a checksum of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct DigestQuery {
    /// The partition.
    pub partition: TopicPartition,
    /// From the batch that begins here.
    pub from: Offset,
    /// To here, where a batch ends. None of the owner, which says how far it went: a few megabytes, below the high watermark.
    pub to: Option<Offset>,
}

/// What a replica says of a stretch of its log.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct LogDigest {
    /// Where its log starts, and where what is committed ends as far as it knows.
    pub readable: OffsetRange,
    /// How far it read.
    pub to: Offset,
    /// How many bytes of batches these are.
    pub bytes: u64,
    /// The CRC-64/NVME of them, one behind the other.
    pub crc64: u64,
    /// Why it read no further, if something is wrong.
    pub damage: Option<String>,
}

/// Takes batches for a digest.
#[derive(Debug)]
pub struct Digester {
    to: Offset,
    bytes: u64,
    crc64: Crc64,
}

impl Digester {
    /// Nothing was read yet of what begins at `from`.
    #[must_use]
    pub fn new(from: Offset) -> Self {
        Self { to: from, bytes: 0, crc64: Crc64::default() }
    }

    /// Takes those batches that go on where the last one ended, and end at `end` or before.
    pub fn take(&mut self, batches: &[RecordBatch], end: Offset) {
        for batch in batches {
            let offsets = batch.offsets();
            // A log may start within a batch, whose beginning is of no use any more.
            let goes_on = if self.bytes == 0 { offsets.start <= self.to } else { offsets.start == self.to };
            if !goes_on || offsets.end <= self.to || offsets.end > end {
                break;
            }
            self.crc64.update(batch.bytes());
            self.bytes += u64::try_from(batch.bytes().len()).unwrap_or(u64::MAX);
            self.to = offsets.end;
        }
    }

    /// How far it has come.
    #[must_use]
    pub const fn to(&self) -> Offset {
        self.to
    }

    /// How many bytes that was.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What there is to say.
    #[must_use]
    pub fn finish(self, readable: OffsetRange, damage: Option<String>) -> LogDigest {
        LogDigest { readable, to: self.to, bytes: self.bytes, crc64: self.crc64.finish(), damage }
    }
}

impl LogDigest {
    /// Whether another replica holds the same.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.to, self.bytes, self.crc64) == (other.to, other.bytes, other.crc64)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::{
        format::{
            record::{MessageId, RecordHead},
            record_batch::{BatchBuilder, Codec},
        },
        model::{LeaderEpoch, Timestamp},
    };

    /// Two records of an epoch.
    fn batch_of(base: u64, epoch: u32) -> RecordBatch {
        let id = MessageId::Text("id");
        let head =
            RecordHead { id, key: None, content_type: "text/plain", priority: 4, ttl_ms: None, deliver_at: None };
        let mut builder = BatchBuilder::new(100);
        for _ in 0..2 {
            let Ok(()) = builder.push(&head, &[], |out| {
                out.extend(b"some text");
                Ok::<(), Infallible>(())
            });
        }
        let batch = builder.finish(Codec::None, None).unwrap();
        batch.assign(Offset::new(base), LeaderEpoch::new(epoch), Timestamp::from_millis(1))
    }

    fn batch(base: u64) -> RecordBatch {
        batch_of(base, 1)
    }

    fn digest(from: u64, end: u64, pieces: &[&[RecordBatch]]) -> LogDigest {
        let mut digester = Digester::new(Offset::new(from));
        for piece in pieces {
            digester.take(piece, Offset::new(end));
        }
        digester.finish(OffsetRange::new(Offset::ZERO, Offset::new(end)), None)
    }

    #[test]
    fn the_same_batches_have_the_same_digest_however_they_were_read() {
        let batches = [batch(0), batch(2), batch(4)];
        let whole = digest(0, 6, &[&batches]);
        assert_eq!(whole.to, Offset::new(6));
        assert!(whole.is_same(&digest(0, 6, &[&batches[..1], &batches[1..]])));
        assert!(!whole.is_same(&digest(0, 4, &[&batches])), "it ends before");
        assert!(!whole.is_same(&digest(2, 6, &[&batches[1..]])));
        assert!(!whole.is_same(&digest(0, 6, &[&batches[..2], &[batch_of(4, 2)]])), "of another epoch");
    }

    #[test]
    fn what_does_not_go_on_where_the_last_one_ended_is_not_taken() {
        assert_eq!(digest(0, 9, &[&[batch(0)], &[batch(4)]]).to, Offset::new(2));
        assert_eq!(digest(3, 9, &[&[batch(0)]]).to, Offset::new(3));
        assert_eq!(digest(1, 9, &[&[batch(0)]]).to, Offset::new(2), "it begins within a batch");
    }
}
