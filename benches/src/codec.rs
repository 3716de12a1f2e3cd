//! Batches made of messages, and read again, as they are and compressed.

use bytes::Bytes;
use shard_core::{
    format::record_batch::{Codec, RecordBatch, UnassignedBatch},
    limits::BATCH_BYTES_MAX,
};

use crate::{
    batches::{encode, payloads, stored},
    harness::{Case, Operations},
};

pub(crate) const CASES: &[Case] = &[
    Case::new("codec: encode 1", 1, |operations| encode_with(operations, 1, Codec::None)),
    Case::new("codec: encode 100", 100, |operations| encode_with(operations, 100, Codec::None)),
    Case::new("codec: encode 100, lz4", 100, |operations| encode_with(operations, 100, Codec::Lz4)),
    Case::new("codec: encode 100, snappy", 100, |operations| encode_with(operations, 100, Codec::Snappy)),
    Case::new("codec: decode 1", 1, |operations| decode(operations, 1, Codec::None)),
    Case::new("codec: decode 100", 100, |operations| decode(operations, 100, Codec::None)),
    Case::new("codec: decode 100, lz4", 100, |operations| decode(operations, 100, Codec::Lz4)),
    Case::new("codec: decode 100, snappy", 100, |operations| decode(operations, 100, Codec::Snappy)),
    Case::new("codec: take a publisher's 100", 100, take),
];

/// Payloads to a batch, its checksums included.
fn encode_with(operations: Operations, messages: usize, codec: Codec) {
    let payloads = payloads(messages);
    operations.measure(|_| (), |()| encode(&payloads, codec));
}

/// Bytes to messages, the checksums verified.
fn decode(operations: Operations, messages: usize, codec: Codec) {
    let batch = stored(messages, codec);
    assert_eq!(batch.header().codec, codec, "it is compressed if it was to be");
    let read = |bytes: Bytes| {
        let batch = RecordBatch::parse(bytes).expect("it was encoded here");
        let mut payload_bytes = 0;
        batch.for_each_record(|record| payload_bytes += record.payload.len()).expect("it was encoded here");
        payload_bytes
    };
    operations.measure(|_| batch.bytes().clone(), read);
}

/// A batch that came encoded is checked as a whole.
fn take(operations: Operations) {
    let batch = stored(100, Codec::None);
    operations
        .measure(|_| batch.bytes().to_vec(), |bytes| UnassignedBatch::from_publisher(bytes, BATCH_BYTES_MAX, |_| {}));
}
