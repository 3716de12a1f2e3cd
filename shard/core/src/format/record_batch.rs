//! The record batch: the unit of append, storage, replication and streaming, never re-encoded by a broker.
//!
//! ```text
//!  0 u32 magic "PSRB"                    36 u32 CRC-32C of everything from 40 on
//!  4 u8  version                         40 u32 record count
//!  5 u8  attributes: bits 0-2 codec,     44 u32 first sequence of the producer
//!        bit 3 has a producer,           48 u64 producer id, or the subscription of a relayed batch
//!        bit 4 marked, bit 5 scheduled,
//!        bit 6 relayed
//!  6 u16 producer epoch                  56 u32 last timestamp - base timestamp, ms
//!  8 u32 length of what follows at 64    60 u32 uncompressed length of the records
//! 12 u32 CRC-32C of 0..12 and 16..40     64 the records, one behind the other, perhaps compressed
//! 16 u64 base offset        (broker)
//! 24 i64 base timestamp, ms (broker)
//! 32 u32 leader epoch       (broker)
//! ```
//! The broker fills in the fields marked so and the CRC at 12; the publisher's CRC at 36 stays as it was sent.

mod door;
mod given_ids;
mod passed_on;
mod records;
mod relay;
mod without;

use bytes::Bytes;

pub use self::{given_ids::GivenIds, relay::Relay};
use super::{
    checksum::crc32c,
    record::{Record, RecordError, RecordHead},
};
use crate::{
    limits,
    model::{LeaderEpoch, Offset, OffsetRange, Timestamp},
};

/// The first bytes of every batch, `PSRB`.
pub const MAGIC: u32 = u32::from_le_bytes(*b"PSRB");
/// The version this code writes, and the only one it reads.
pub const VERSION: u8 = 1;
/// The size of a batch's header.
pub const HEADER_BYTES: usize = 64;

const CODEC_MASK: u8 = 0b0000_0111;
const FLAG_PRODUCER: u8 = 0b0000_1000;
/// Some record has a priority of its own, a time to live or a time of delivery: who delivers has to look at the records.
const FLAG_MARKED: u8 = 0b0001_0000;
/// Some record has a time of delivery: who lists them, or lets go of them, has to look at the records.
const FLAG_SCHEDULED: u8 = 0b0010_0000;
/// The broker wrote it itself; a relayed batch has no producer.
const FLAG_RELAYED: u8 = 0b0100_0000;
const FLAGS_KNOWN: u8 = CODEC_MASK | FLAG_PRODUCER | FLAG_MARKED | FLAG_SCHEDULED | FLAG_RELAYED;

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    /// As they are.
    #[default]
    None,
    /// Snappy's raw format.
    Snappy,
    /// LZ4's block format.
    Lz4,
}

/// Who published a batch, for refusing it the second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Producer {
    /// Names the producer.
    pub id: u64,
    /// Rises each time the producer starts anew.
    pub epoch: u16,
    /// The sequence of the batch's first record.
    pub first_sequence: u32,
}

/// The header of a batch, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// How the records are compressed.
    pub codec: Codec,
    /// Who published it, if it said so.
    pub producer: Option<Producer>,
    /// Whether some record has a priority of its own, a time to live or a time of delivery.
    pub marked: bool,
    /// Whether some record has a time of delivery.
    pub scheduled: bool,
    /// Whom the broker wrote it for, if it did so itself.
    pub relay: Option<Relay>,
    /// The offset of the first record.
    pub base_offset: Offset,
    /// When the broker took the first record.
    pub base_timestamp: Timestamp,
    /// The owner that appended it.
    pub leader_epoch: LeaderEpoch,
    /// How many records there are, at least one.
    pub record_count: u32,
    /// The last record's timestamp less the first one's, in milliseconds.
    pub last_timestamp_delta: u32,
    /// The size of the records before compression.
    pub uncompressed_length: u32,
    /// The size of the records as they lie here.
    pub body_length: u32,
}

/// A batch that no partition has taken yet: it has no offset, epoch or timestamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnassignedBatch {
    bytes: Vec<u8>,
    record_count: u32,
    producer: Option<Producer>,
    given_ids: GivenIds,
}

/// A batch of a partition, its checksums verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordBatch {
    header: BatchHeader,
    bytes: Bytes,
}

/// Collects records into a batch.
#[derive(Debug)]
pub struct BatchBuilder {
    /// Header (blank until `finish`) and records.
    bytes: Vec<u8>,
    record_count: u32,
    marked: bool,
    scheduled: bool,
    given_ids: GivenIds,
}

/// Why bytes are not a batch that this version can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum BatchError {
    #[error("{available} bytes are there, the batch needs {needed}")]
    Truncated { needed: usize, available: usize },
    #[error("a batch starts with PSRB, not with {found:#010x}")]
    Magic { found: u32 },
    #[error("batch version {found} is unknown, this is version {VERSION}")]
    Version { found: u8 },
    #[error("the batch's attributes {attributes:#04x} are unknown")]
    Attributes { attributes: u8 },
    #[error("the header's checksum is {stored:#010x}, its bytes give {computed:#010x}")]
    HeaderChecksum { stored: u32, computed: u32 },
    #[error("the body's checksum is {stored:#010x}, its bytes give {computed:#010x}")]
    BodyChecksum { stored: u32, computed: u32 },
    #[error("the batch has {bytes} bytes, the most is {}", limits::BATCH_BYTES_MAX)]
    TooLarge { bytes: usize },
    #[error("the batch has {count} records, allowed are 1 to {}", limits::BATCH_RECORDS_MAX)]
    RecordCount { count: u32 },
    #[error("{count} records from offset {base_offset} on go beyond the last offset there is")]
    OffsetRange { base_offset: Offset, count: u32 },
    #[error("the records can't be decompressed to the {uncompressed_length} bytes stated")]
    Compression { uncompressed_length: u32 },
    #[error("record {index}: {error}")]
    Record { index: u32, error: RecordError },
    #[error("record {index} has {bytes} bytes, the topic takes {bytes_max}")]
    MessageTooLarge { index: u32, bytes: usize, bytes_max: usize },
    #[error("the batch states when its records were taken, which is not for a publisher to say")]
    Timestamps,
    #[error("that a record has a priority or a time of its own stands in the header, or in a record, alone")]
    Marked,
    #[error("the batch says that a broker has relayed it, which is not for a publisher to say")]
    Relayed,
    #[error("{bytes} bytes follow the last record")]
    TrailingBytes { bytes: usize },
}

impl BatchBuilder {
    /// Starts a batch of about `capacity` bytes of records.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + capacity);
        bytes.extend_from_slice(&[0; HEADER_BYTES]);
        Self { bytes, record_count: 0, marked: false, scheduled: false, given_ids: GivenIds::default() }
    }

    /// Adds a record; `payload` appends its payload bytes.
    ///
    /// # Errors
    /// Those of `payload`; the batch is then as before.
    ///
    /// # Panics
    /// On a field over its limit, which the caller has refused before.
    pub fn push<E>(
        &mut self,
        head: &RecordHead<'_>,
        attributes: &[(&str, &str)],
        payload: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        head.encode(0, attributes, &mut self.bytes, payload)?;
        self.count(head);
        Ok(())
    }

    /// How many records were added.
    #[must_use]
    pub const fn record_count(&self) -> u32 {
        self.record_count
    }

    /// The size of the batch so far, not compressed.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether no record was added.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.record_count == 0
    }

    /// Closes the batch; records that `codec` does not make smaller are left as they are.
    ///
    /// # Errors
    /// An empty batch, and one over its limits, are refused.
    pub fn finish(self, codec: Codec, producer: Option<Producer>) -> Result<UnassignedBatch, BatchError> {
        self.close(codec, producer, None)
    }

    fn close(
        mut self,
        codec: Codec,
        producer: Option<Producer>,
        relay: Option<Relay>,
    ) -> Result<UnassignedBatch, BatchError> {
        check_count(self.record_count)?;
        check_size(self.bytes.len())?;
        let records = self.bytes.get(HEADER_BYTES..).unwrap_or_default();
        let uncompressed_length = narrow(records.len());
        let codec = match compress(codec, records) {
            Some(compressed) => {
                self.bytes.truncate(HEADER_BYTES);
                self.bytes.extend_from_slice(&compressed);
                codec
            }
            None => Codec::None,
        };
        let header = BatchHeader {
            codec,
            producer,
            marked: self.marked,
            scheduled: self.scheduled,
            relay,
            base_offset: Offset::ZERO,
            base_timestamp: Timestamp::default(),
            leader_epoch: LeaderEpoch::default(),
            record_count: self.record_count,
            last_timestamp_delta: 0,
            uncompressed_length,
            body_length: narrow(self.bytes.len() - HEADER_BYTES),
        };
        header.encode(&mut self.bytes);
        let Self { bytes, record_count, given_ids, .. } = self;
        Ok(UnassignedBatch { bytes, record_count, producer, given_ids })
    }

    /// Takes down what the batch as a whole says of a record that was added.
    fn count(&mut self, head: &RecordHead<'_>) {
        self.given_ids.note(self.record_count, head.id);
        self.record_count += 1;
        self.marked |= head.is_marked();
        self.scheduled |= head.deliver_at.is_some();
    }
}

impl UnassignedBatch {
    /// How many records there are.
    #[must_use]
    pub const fn record_count(&self) -> u32 {
        self.record_count
    }

    /// The size of the whole batch.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Always false: a batch has at least one record.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Who published it, if it said so.
    #[must_use]
    pub const fn producer(&self) -> Option<Producer> {
        self.producer
    }

    /// The ids that publishers gave to its messages.
    #[must_use]
    pub const fn given_ids(&self) -> &GivenIds {
        &self.given_ids
    }

    /// Gives the batch its place in a partition.
    ///
    /// # Panics
    /// Never: the header was checked when the batch was made.
    #[must_use]
    pub fn assign(mut self, base_offset: Offset, epoch: LeaderEpoch, now: Timestamp) -> RecordBatch {
        put(&mut self.bytes, 16, &base_offset.get().to_le_bytes());
        put(&mut self.bytes, 24, &now.as_millis().to_le_bytes());
        put(&mut self.bytes, 32, &epoch.get().to_le_bytes());
        seal_header(&mut self.bytes);
        let header = decode_header(&self.bytes).expect("the header was checked when the batch was made");
        RecordBatch { header, bytes: Bytes::from(self.bytes) }
    }
}

impl RecordBatch {
    /// Takes the batch at the start of `bytes`; both checksums are verified.
    ///
    /// # Errors
    /// Says what is wrong with it; any bytes are safe to give.
    pub fn parse(mut bytes: Bytes) -> Result<Self, BatchError> {
        let header = decode_verified(&bytes)?;
        bytes.truncate(header.batch_length());
        Ok(Self { header, bytes })
    }

    /// The decoded header.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch, as it lies on disk and goes over the wire.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The offsets of its records.
    #[must_use]
    pub fn offsets(&self) -> OffsetRange {
        self.header.offsets()
    }

    /// Calls `visit` with each record in order.
    ///
    /// # Errors
    /// Says which record can't be read; those before it were visited.
    pub fn for_each_record(&self, visit: impl FnMut(Record<'_>)) -> Result<(), BatchError> {
        self.header.for_each_record(&self.bytes, visit)
    }

    /// The latest time at which one of its records is to be delivered, if any has one; no later than the longest delay
    /// allows, whatever a record says. Costs nothing for a batch without.
    #[must_use]
    pub fn latest_deliver_at(&self) -> Option<Timestamp> {
        if !self.header.scheduled {
            return None;
        }
        let mut latest = None;
        // What can't be read is not delivered either.
        let _ = self.for_each_record(|record| latest = latest.max(record.head.deliver_at));
        latest.map(|latest| latest.min(self.header.last_timestamp().plus_millis(limits::DELAY_MS_MAX)))
    }
}

impl BatchHeader {
    /// Reads the header at the start of `bytes` and verifies its checksum; the body is not looked at.
    ///
    /// # Errors
    /// Says what is wrong with it; any bytes are safe to give.
    pub fn decode(bytes: &[u8]) -> Result<Self, BatchError> {
        decode_header(bytes)
    }

    /// The size of the whole batch, header included.
    #[must_use]
    pub fn batch_length(&self) -> usize {
        HEADER_BYTES + widen(self.body_length)
    }

    /// The offsets of the batch's records.
    #[must_use]
    pub fn offsets(&self) -> OffsetRange {
        OffsetRange::new(self.base_offset, self.base_offset.plus(u64::from(self.record_count)))
    }

    /// Whether its messages, delivered in their turn, are delivered as they should be: none has a priority or a time of its own,
    /// and all subscriptions get them.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        !self.marked && self.relay.is_none()
    }

    /// When the broker took the last record.
    #[must_use]
    pub fn last_timestamp(&self) -> Timestamp {
        self.base_timestamp.plus_millis(i64::from(self.last_timestamp_delta))
    }

    /// Writes the header over the first bytes of a whole batch, and computes both checksums.
    fn encode(&self, batch: &mut [u8]) {
        let producer = self.producer.unwrap_or(Producer { id: 0, epoch: 0, first_sequence: 0 });
        put(batch, 0, &MAGIC.to_le_bytes());
        put(batch, 4, &[VERSION, self.attributes()]);
        put(batch, 6, &producer.epoch.to_le_bytes());
        put(batch, 8, &self.body_length.to_le_bytes());
        put(batch, 16, &self.base_offset.get().to_le_bytes());
        put(batch, 24, &self.base_timestamp.as_millis().to_le_bytes());
        put(batch, 32, &self.leader_epoch.get().to_le_bytes());
        put(batch, 40, &self.record_count.to_le_bytes());
        put(batch, 44, &producer.first_sequence.to_le_bytes());
        put(batch, 48, &self.relay.map_or(producer.id, Relay::to_bits).to_le_bytes());
        put(batch, 56, &self.last_timestamp_delta.to_le_bytes());
        put(batch, 60, &self.uncompressed_length.to_le_bytes());
        let body_crc = crc32c(&[batch.get(40..).unwrap_or_default()]);
        put(batch, 36, &body_crc.to_le_bytes());
        seal_header(batch);
    }

    fn attributes(&self) -> u8 {
        let flags = [
            (self.producer.is_some(), FLAG_PRODUCER),
            (self.marked, FLAG_MARKED),
            (self.scheduled, FLAG_SCHEDULED),
            (self.relay.is_some(), FLAG_RELAYED),
        ];
        let set = flags.into_iter().filter(|(is_set, _)| *is_set);
        set.fold(self.codec.to_bits(), |attributes, (_, flag)| attributes | flag)
    }
}

impl Codec {
    const fn to_bits(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Snappy => 1,
            Self::Lz4 => 2,
        }
    }

    const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::None),
            1 => Some(Self::Snappy),
            2 => Some(Self::Lz4),
            _ => None,
        }
    }
}

fn decode_header(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
    let header: &[u8; HEADER_BYTES] =
        bytes.first_chunk().ok_or(BatchError::Truncated { needed: HEADER_BYTES, available: bytes.len() })?;
    let found = u32_at(header, 0);
    if found != MAGIC {
        return Err(BatchError::Magic { found });
    }
    let (stored, computed) = (u32_at(header, 12), header_checksum(header));
    if stored != computed {
        return Err(BatchError::HeaderChecksum { stored, computed });
    }
    // The checksum stays where it is in every version, so that an unknown one is told from torn bytes.
    let [version, attributes] = array_at(header, 4);
    if version != VERSION {
        return Err(BatchError::Version { found: version });
    }
    let (relayed, has_producer) = (attributes & FLAG_RELAYED != 0, attributes & FLAG_PRODUCER != 0);
    let is_known = attributes & !FLAGS_KNOWN == 0 && !(relayed && has_producer);
    let codec = Codec::from_bits(attributes & CODEC_MASK).filter(|_| is_known);
    let record_count = u32_at(header, 40);
    let header = BatchHeader {
        codec: codec.ok_or(BatchError::Attributes { attributes })?,
        producer: has_producer.then(|| Producer {
            id: u64::from_le_bytes(array_at(header, 48)),
            epoch: u16::from_le_bytes(array_at(header, 6)),
            first_sequence: u32_at(header, 44),
        }),
        marked: attributes & FLAG_MARKED != 0,
        scheduled: attributes & FLAG_SCHEDULED != 0,
        relay: relayed.then(|| Relay::from_bits(u64::from_le_bytes(array_at(header, 48)))),
        base_offset: Offset::new(u64::from_le_bytes(array_at(header, 16))),
        base_timestamp: Timestamp::from_millis(i64::from_le_bytes(array_at(header, 24))),
        leader_epoch: LeaderEpoch::new(u32_at(header, 32)),
        record_count,
        last_timestamp_delta: u32_at(header, 56),
        uncompressed_length: u32_at(header, 60),
        body_length: u32_at(header, 8),
    };
    check_count(record_count)?;
    if header.base_offset.get().checked_add(u64::from(record_count)).is_none() {
        return Err(BatchError::OffsetRange { base_offset: header.base_offset, count: record_count });
    }
    check_size(header.batch_length())?;
    check_size(HEADER_BYTES + widen(header.uncompressed_length))?;
    Ok(header)
}

/// Reads the header of the batch at the start of `bytes`, and verifies both checksums.
fn decode_verified(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
    let header = decode_header(bytes)?;
    let length = header.batch_length();
    let Some(batch) = bytes.get(..length) else {
        return Err(BatchError::Truncated { needed: length, available: bytes.len() });
    };
    let (stored, computed) = (u32_at(batch, 36), crc32c(&[batch.get(40..).unwrap_or_default()]));
    if stored != computed {
        return Err(BatchError::BodyChecksum { stored, computed });
    }
    Ok(header)
}

fn check_count(count: u32) -> Result<(), BatchError> {
    if count == 0 || widen(count) > limits::BATCH_RECORDS_MAX {
        return Err(BatchError::RecordCount { count });
    }
    Ok(())
}

fn check_size(bytes: usize) -> Result<(), BatchError> {
    if bytes > limits::BATCH_BYTES_MAX { Err(BatchError::TooLarge { bytes }) } else { Ok(()) }
}

fn compress(codec: Codec, records: &[u8]) -> Option<Vec<u8>> {
    let compressed = match codec {
        Codec::None => return None,
        Codec::Snappy => snap::raw::Encoder::new().compress_vec(records).ok()?,
        Codec::Lz4 => lz4_flex::block::compress(records),
    };
    (compressed.len() < records.len()).then_some(compressed)
}

fn seal_header(batch: &mut [u8]) {
    let crc = batch.first_chunk().map(header_checksum).expect("a batch is longer than its header");
    put(batch, 12, &crc.to_le_bytes());
}

fn header_checksum(header: &[u8; HEADER_BYTES]) -> u32 {
    let (before, after) = header.split_at(12);
    crc32c(&[before, after.get(4..28).unwrap_or_default()])
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes.get_mut(at..at + field.len()).expect("the field lies in the header").copy_from_slice(field);
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied().expect("the field lies in the header")
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn narrow(length: usize) -> u32 {
    u32::try_from(length).expect("a batch is smaller than 4 GiB")
}

fn widen(length: u32) -> usize {
    usize::try_from(length).expect("usize has at least 32 bits")
}

#[cfg(test)]
mod tests;
