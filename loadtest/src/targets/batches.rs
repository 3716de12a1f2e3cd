//! Batches as they are stored: made for publishing, and taken apart when they are delivered.

use std::convert::Infallible;

use bytes::Bytes;
use shard_core::format::record::{CONTENT_TYPE_DEFAULT, MessageId, Record, RecordHead};
use shard_core::format::record_batch::{BatchBuilder, BatchError, BatchHeader, Codec, RecordBatch};
use shard_core::limits::PRIORITY_DEFAULT;
use shard_core::model::{LeaderEpoch, Offset, Timestamp};

use crate::stamp::{STAMP_BYTES, Stamp};
use crate::targets::TargetError;
use crate::template::filler;
use crate::workload::BatchCodec;

/// What a record takes besides its payload, at most, with the keys made here.
const RECORD_OVERHEAD_BYTES: usize = 64;

/// Makes batches of one connection's messages.
#[derive(Debug)]
pub struct BatchMaker {
    payload: Vec<u8>,
    keys: u64,
    codec: Codec,
}

impl BatchMaker {
    /// For messages of at most so many bytes.
    #[must_use]
    pub fn new(payload_bytes_max: usize, keys: u64, codec: BatchCodec) -> Self {
        let codec = match codec {
            BatchCodec::None => Codec::None,
            BatchCodec::Snappy => Codec::Snappy,
            BatchCodec::Lz4 => Codec::Lz4,
        };
        Self { payload: filler(payload_bytes_max).collect(), keys, codec }
    }

    /// A batch of messages of these sizes, stamped one after the other from `first` on.
    ///
    /// # Errors
    ///
    /// When it is over the format's limits.
    pub fn make(&self, sizes: &[usize], first: Stamp) -> Result<Bytes, BatchError> {
        let payload_bytes: usize = sizes.iter().sum();
        let mut builder = BatchBuilder::new(payload_bytes + RECORD_OVERHEAD_BYTES * sizes.len());
        for (sequence, payload_bytes) in (first.sequence..).zip(sizes) {
            let key = sequence.checked_rem(self.keys).map(|key| format!("k{key:08}"));
            let head = RecordHead {
                id: MessageId::Uuid(id(Stamp { sequence, ..first })),
                key: key.as_deref(),
                content_type: CONTENT_TYPE_DEFAULT,
                priority: PRIORITY_DEFAULT,
                ttl_ms: None,
                deliver_at: None,
            };
            let Ok(()) = builder.push(&head, &[], |out| {
                let filler = self.payload.get(..*payload_bytes).unwrap_or_default();
                let rest = match filler.get(STAMP_BYTES..) {
                    None => filler,
                    Some(rest) => {
                        out.extend_from_slice(&Stamp { sequence, ..first }.encode());
                        rest
                    }
                };
                out.extend_from_slice(rest);
                Ok::<_, Infallible>(())
            });
        }
        // Where it will be is for the broker to say.
        let batch = builder.finish(self.codec, None)?;
        Ok(batch.assign(Offset::ZERO, LeaderEpoch::default(), Timestamp::default()).bytes().clone())
    }
}

/// A message's id: unique, and none that a broker remembers to recognise repetitions.
fn id(stamp: Stamp) -> [u8; 16] {
    let stream = (u64::from(stamp.run) << 32) | u64::from(stamp.stream);
    ((u128::from(stream) << 64) | u128::from(stamp.sequence)).to_be_bytes()
}

/// Calls `visit` with each record of batches that lie one behind the other.
///
/// # Errors
///
/// When they can't be read.
pub fn for_each_record(batches: &[u8], mut visit: impl FnMut(&Record<'_>)) -> Result<(), TargetError> {
    let mut rest = Bytes::copy_from_slice(batches);
    while !rest.is_empty() {
        let batch = RecordBatch::parse(rest.clone()).map_err(unreadable)?;
        let length = batch.bytes().len();
        batch.for_each_record(|record| visit(&record)).map_err(unreadable)?;
        rest = rest.split_off(length);
    }
    Ok(())
}

/// What records have besides their payloads: prefix, id, key, content type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overhead {
    bytes: u64,
    records: u64,
}

impl Overhead {
    /// That of the first of these batches, which is looked into; `None` if there is none.
    ///
    /// # Errors
    ///
    /// When it can't be read.
    pub fn of_first(batches: &[u8]) -> Result<Option<Self>, TargetError> {
        if batches.is_empty() {
            return Ok(None);
        }
        let header = BatchHeader::decode(batches).map_err(unreadable)?;
        let first = batches.get(..header.batch_length()).ok_or_else(cut_off)?;
        let mut found = Self { bytes: u64::from(header.uncompressed_length), records: 0 };
        for_each_record(first, |record| {
            found.records += 1;
            found.bytes = found.bytes.saturating_sub(record.payload.len() as u64);
        })?;
        Ok(Some(found))
    }

    /// That of so many records.
    fn of(self, records: u64) -> u64 {
        self.bytes.saturating_mul(records).checked_div(self.records).unwrap_or(0)
    }
}

/// What is in batches, told from their headers alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Messages from the offset asked for on.
    pub messages: u64,
    /// Their payload bytes: their share of the bytes of the records without the overhead.
    pub payload_bytes: u64,
    /// The first offset behind them.
    pub end: Option<u64>,
}

/// The extent of batches that lie one behind the other, read from `offset` on; their records have this overhead.
///
/// # Errors
///
/// When a header can't be read.
pub fn extent(mut batches: &[u8], offset: u64, overhead: Overhead) -> Result<Extent, TargetError> {
    let mut extent = Extent::default();
    while !batches.is_empty() {
        let header = BatchHeader::decode(batches).map_err(unreadable)?;
        let offsets = header.offsets();
        let records = offsets.end.get().saturating_sub(offsets.start.get());
        let messages = offsets.end.get().saturating_sub(offsets.start.get().max(offset));
        let payload_bytes = u64::from(header.uncompressed_length).saturating_sub(overhead.of(records));
        extent.messages += messages;
        extent.payload_bytes += payload_bytes.saturating_mul(messages).checked_div(records).unwrap_or(0);
        extent.end = Some(offsets.end.get());
        batches = batches.get(header.batch_length()..).ok_or_else(cut_off)?;
    }
    Ok(extent)
}

fn cut_off() -> TargetError {
    TargetError::protocol("a batch that is cut off")
}

fn unreadable(error: BatchError) -> TargetError {
    TargetError::protocol(format!("not a batch: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Stamp = Stamp { run: 1, stream: 2, sequence: 30, intended_micros: 4 };

    fn records(batches: &[u8]) -> Vec<(Option<u64>, usize, Option<String>)> {
        let mut records = Vec::new();
        for_each_record(batches, |record| {
            let sequence = Stamp::decode(record.payload).map(|stamp| stamp.sequence);
            records.push((sequence, record.payload.len(), record.head.key.map(str::to_owned)));
        })
        .unwrap();
        records
    }

    #[test]
    fn a_batch_holds_the_messages_that_were_asked_for() {
        for codec in [BatchCodec::None, BatchCodec::Snappy, BatchCodec::Lz4] {
            let maker = BatchMaker::new(100, 4, codec);
            let batch = maker.make(&[100, 10, 48], FIRST).unwrap();
            let key = |number: u32| Some(format!("k{number:08}"));
            let expected = [(Some(30), 100, key(2)), (None, 10, key(3)), (Some(32), 48, key(0))];
            assert_eq!(records(&batch), expected, "{codec:?}");
        }
    }

    #[test]
    fn no_two_messages_have_the_same_id() {
        let maker = BatchMaker::new(10, 0, BatchCodec::None);
        let mut ids = std::collections::BTreeSet::new();
        for stream in [2, 3] {
            let batch = maker.make(&[10, 10], Stamp { stream, ..FIRST }).unwrap();
            for_each_record(&batch, |record| assert!(ids.insert(record.head.id.to_string()))).unwrap();
        }
        assert_eq!(ids.len(), 4);
    }

    #[test]
    fn several_batches_are_read_as_one() {
        let maker = BatchMaker::new(50, 0, BatchCodec::None);
        let (one, two) = (maker.make(&[50, 50], FIRST).unwrap(), maker.make(&[50], FIRST).unwrap());
        let both = [one.as_ref(), two.as_ref()].concat();
        assert_eq!(records(&both).len(), 3);
        let extent = extent(&both, 1, Overhead::default()).unwrap();
        assert_eq!((extent.messages, extent.end), (1, Some(1)), "all begin at offset 0 here");
    }

    #[test]
    fn the_extent_has_the_bytes_of_payloads_alone() {
        for (keys, codec) in [(0, BatchCodec::None), (4, BatchCodec::None), (4, BatchCodec::Lz4)] {
            let maker = BatchMaker::new(300, keys, codec);
            let batches = [[100, 300].as_slice(), &[60, 60, 60]].map(|sizes| maker.make(sizes, FIRST).unwrap());
            let both = batches.each_ref().map(AsRef::as_ref).concat();
            let overhead = Overhead::of_first(&both).unwrap().unwrap();
            assert_eq!(extent(&both, 0, overhead).unwrap().payload_bytes, 580, "{keys} {codec:?}");
            let from_the_second = extent(&both, 1, overhead).unwrap();
            assert_eq!(from_the_second.payload_bytes, 200 + 120, "its share of each batch: all begin at offset 0 here");
        }
        assert_eq!(Overhead::of_first(b"").unwrap(), None);
    }

    #[test]
    fn what_is_no_batch_is_an_error() {
        let batch = BatchMaker::new(50, 0, BatchCodec::None).make(&[50], FIRST).unwrap();
        assert!(for_each_record(&batch[..batch.len() - 1], |_| ()).is_err());
        assert!(extent(&batch[..batch.len() - 1], 0, Overhead::default()).is_err());
        assert!(extent(b"nonsense", 0, Overhead::default()).is_err());
        assert!(Overhead::of_first(&batch[..batch.len() - 1]).is_err());
    }
}
