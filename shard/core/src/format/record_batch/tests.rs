//! The batch format: frozen bytes, round trips, refusal of everything damaged.

use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::format::{golden::assert_golden, record::MessageId};

fn build(payloads: &[&[u8]], codec: Codec, producer: Option<Producer>) -> UnassignedBatch {
    let mut builder = BatchBuilder::new(0);
    for payload in payloads {
        let head = RecordHead {
            id: MessageId::Uuid(*b"0123456789abcdef"),
            key: Some("k"),
            content_type: "text/plain",
            priority: 4,
            ttl_ms: None,
            deliver_at: None,
        };
        let Ok(()) = builder.push(&head, &[("a", "b")], |out| {
            out.extend_from_slice(payload);
            Ok::<(), Infallible>(())
        });
    }
    builder.finish(codec, producer).unwrap()
}

fn assigned(payloads: &[&[u8]], codec: Codec) -> RecordBatch {
    build(payloads, codec, None).assign(Offset::new(42), LeaderEpoch::new(3), Timestamp::from_millis(1_000))
}

fn payloads(batch: &RecordBatch) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    batch.for_each_record(|record| payloads.push(record.payload.to_vec())).unwrap();
    payloads
}

#[test]
fn record_batch_v1_is_frozen() {
    let producer = Producer { id: 9, epoch: 2, first_sequence: 17 };
    let batch = build(&[b"one", b"two"], Codec::None, Some(producer)).assign(
        Offset::new(42),
        LeaderEpoch::new(3),
        Timestamp::from_millis(1_700_000_000_000),
    );
    assert_golden("record_batch.v1.hex", batch.bytes());
    assert_eq!(RecordBatch::parse(batch.bytes().clone()), Ok(batch));
}

#[test]
fn assigning_leaves_the_publishers_checksum_alone() {
    let unassigned = build(&[b"x"], Codec::None, None);
    let before = u32_at(&unassigned.bytes, 36);
    let batch = unassigned.assign(Offset::new(5), LeaderEpoch::new(1), Timestamp::from_millis(9));
    assert_eq!(u32_at(batch.bytes(), 36), before);
    assert_eq!(batch.offsets(), OffsetRange::new(Offset::new(5), Offset::new(6)));
    assert_eq!(batch.header().last_timestamp(), Timestamp::from_millis(9));
}

#[test]
fn a_batch_is_cut_out_of_what_follows_it() {
    let batch = assigned(&[b"one"], Codec::None);
    let mut bytes = batch.bytes().to_vec();
    bytes.extend_from_slice(b"more");
    assert_eq!(RecordBatch::parse(bytes.into()), Ok(batch));
}

#[test]
fn every_changed_byte_is_noticed() {
    let bytes = assigned(&[b"one", b"two"], Codec::None).bytes().to_vec();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        assert!(RecordBatch::parse(changed.into()).is_err(), "byte {at}");
    }
}

#[test]
fn every_shorter_prefix_is_refused() {
    let bytes = assigned(&[b"one", b"two"], Codec::None).bytes().clone();
    for length in 0..bytes.len() {
        assert!(RecordBatch::parse(bytes.slice(..length)).is_err(), "{length} bytes");
    }
}

#[test]
fn an_empty_batch_is_refused() {
    let empty = BatchBuilder::new(0).finish(Codec::None, None);
    assert_eq!(empty, Err(BatchError::RecordCount { count: 0 }));
}

#[test]
fn an_unknown_version_is_named() {
    let mut bytes = assigned(&[b"x"], Codec::None).bytes().to_vec();
    bytes[4] = 2;
    seal_header(&mut bytes);
    assert_eq!(RecordBatch::parse(bytes.into()), Err(BatchError::Version { found: 2 }));
}

#[test]
fn compressed_records_come_back() {
    let long = vec![b'x'; 10_000];
    for codec in [Codec::Snappy, Codec::Lz4] {
        let batch = assigned(&[&long, b"short"], codec);
        assert_eq!(batch.header().codec, codec);
        assert!(batch.bytes().len() < 1_000, "{codec:?} has {} bytes", batch.bytes().len());
        assert_eq!(payloads(&batch), [long.clone(), b"short".to_vec()]);
    }
}

#[test]
fn records_that_do_not_shrink_are_left_alone() {
    let batch = assigned(&[&[1, 2, 3]], Codec::Lz4);
    assert_eq!(batch.header().codec, Codec::None);
}

#[test]
fn a_compressed_body_that_lies_about_its_length_is_refused() {
    for codec in [Codec::Snappy, Codec::Lz4] {
        for stated in [1, 9_000, 2_000_000] {
            let mut bytes = build(&[&[b'x'; 10_000]], codec, None).bytes;
            put(&mut bytes, 60, &u32::to_le_bytes(stated));
            let body_crc = crc32c(&[&bytes[40..]]);
            put(&mut bytes, 36, &body_crc.to_le_bytes());
            seal_header(&mut bytes);
            let refused = UnassignedBatch::from_publisher(bytes, usize::MAX, |_| {});
            assert_eq!(refused, Err(BatchError::Compression { uncompressed_length: stated }));
        }
    }
}

#[test]
fn offsets_that_would_overflow_are_refused() {
    let mut bytes = build(&[b"one", b"two"], Codec::None, None).bytes;
    for (base_offset, fits) in [(u64::MAX - 2, true), (u64::MAX - 1, false), (u64::MAX, false)] {
        put(&mut bytes, 16, &base_offset.to_le_bytes());
        seal_header(&mut bytes);
        assert_eq!(
            UnassignedBatch::from_publisher(bytes.clone(), usize::MAX, |_| {}).is_ok(),
            fits,
            "base offset {base_offset}"
        );
    }
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(
        payloads_in in prop::collection::vec(any::<Vec<u8>>(), 1..20),
        codec in prop_oneof![Just(Codec::None), Just(Codec::Snappy), Just(Codec::Lz4)],
    ) {
        let slices: Vec<&[u8]> = payloads_in.iter().map(Vec::as_slice).collect();
        let unassigned = build(&slices, codec, None);
        prop_assert_eq!(UnassignedBatch::from_publisher(unassigned.bytes.clone(), usize::MAX, |_| {}), Ok(unassigned.clone()));
        let batch = unassigned.assign(Offset::ZERO, LeaderEpoch::default(), Timestamp::default());
        prop_assert_eq!(payloads(&batch), payloads_in);
    }

    #[test]
    fn any_bytes_are_safe(mut bytes in any::<Vec<u8>>(), with_magic in any::<bool>()) {
        if with_magic && bytes.len() >= HEADER_BYTES {
            put(&mut bytes, 0, &MAGIC.to_le_bytes());
            bytes[4] = VERSION;
            seal_header(&mut bytes);
        }
        let _ = UnassignedBatch::from_publisher(bytes, usize::MAX, |_| {});
    }
}

#[test]
fn a_relayed_batch_says_for_whom_it_is_and_gives_no_ids() {
    let push = || {
        let mut builder = BatchBuilder::new(0);
        let (id, key, content_type) = (MessageId::Text("given"), None, "text/plain");
        let head = RecordHead { id, key, content_type, priority: 4, ttl_ms: None, deliver_at: None };
        let Ok(()) = builder.push(&head, &[], |_| Ok::<(), Infallible>(()));
        builder
    };
    for relay in [Relay::Everyone, Relay::To(SubscriptionId::new(7))] {
        let batch = push().finish_relayed(relay).unwrap();
        assert!(batch.given_ids().is_empty());
        let batch = batch.assign(Offset::new(5), LeaderEpoch::new(1), Timestamp::from_millis(9));
        assert_eq!((batch.header().relay, batch.header().producer), (Some(relay), None));
        assert_eq!(RecordBatch::parse(batch.bytes().clone()), Ok(batch));
    }
    assert_eq!(push().finish(Codec::None, None).unwrap().given_ids().len(), 1);
}

#[test]
fn the_latest_time_of_delivery_is_bounded() {
    let latest = |times: &[Option<i64>]| {
        let mut builder = BatchBuilder::new(0);
        for time in times {
            let deliver_at = time.map(Timestamp::from_millis);
            let (id, key, content_type) = (MessageId::Text("i"), None, "text/plain");
            let head = RecordHead { id, key, content_type, priority: 4, ttl_ms: None, deliver_at };
            let Ok(()) = builder.push(&head, &[], |_| Ok::<(), Infallible>(()));
        }
        let batch = builder.finish(Codec::Snappy, None).unwrap();
        let batch = batch.assign(Offset::ZERO, LeaderEpoch::new(1), Timestamp::from_millis(100));
        batch.latest_deliver_at().map(Timestamp::as_millis)
    };
    assert_eq!(latest(&[None, None]), None);
    assert_eq!(latest(&[None, Some(7), Some(3)]), Some(7));
    assert_eq!(latest(&[Some(i64::MAX)]), Some(100 + limits::DELAY_MS_MAX));
}
