//! The cursor journal's bytes: frozen, round trips, refusal of everything damaged.

use proptest::prelude::*;

use super::*;
use crate::{
    format::golden::assert_golden,
    model::{Offset, OffsetRange, SubscriptionId},
};

const IDENTITY: JournalIdentity =
    JournalIdentity { partition: TopicPartition::new(TopicId::new(7), PartitionIndex::new(3)), generation: 2 };

fn range(start: u64, end: u64) -> OffsetRange {
    OffsetRange::new(Offset::new(start), Offset::new(end))
}

fn one_of_each() -> Vec<(SubscriptionId, CursorChange)> {
    let changes = [
        CursorChange::Opened { start: Offset::new(5) },
        CursorChange::Acked(range(300, 302)),
        CursorChange::AckedBelow { to: Offset::new(200) },
        CursorChange::Reset { to: Offset::new(100), leases_from: 1 << 40 },
        CursorChange::Attempted { offset: Offset::new(101), attempts: 3 },
        CursorChange::Removed,
    ];
    changes.into_iter().map(|change| (SubscriptionId::new(300), change)).collect()
}

fn snapshot() -> CursorChange {
    CursorChange::Snapshot(CursorSnapshot {
        floor: Offset::new(1_000),
        acked: vec![range(1_002, 1_003), range(1_500, 2_500)],
        leases_from: 77,
        attempts: vec![(Offset::new(1_000), 2), (Offset::new(1_001), 5)],
    })
}

fn encode(changes: &[(SubscriptionId, CursorChange)]) -> Vec<u8> {
    let mut entries = Vec::new();
    for (subscription, change) in changes {
        encode_entry(*subscription, change, &mut entries);
    }
    entries
}

fn decode(entries: &[u8]) -> Result<Vec<(SubscriptionId, CursorChange)>, EntryError> {
    let mut changes = Vec::new();
    decode_entries(entries, |subscription, change| changes.push((subscription, change)))?;
    Ok(changes)
}

fn group(sequence: u64, entries: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_group(IDENTITY, sequence, entries, &mut bytes);
    bytes
}

/// A file without the padding of its three blocks, which the other tests hold to be zeros.
#[test]
fn cursor_journal_v1_is_frozen() {
    let head = [(SubscriptionId::new(1), snapshot())];
    let mut file = encode_header(IDENTITY)[..HEADER_BYTES].to_vec();
    file.extend_from_slice(&group(0, &encode(&head))[..GROUP_HEADER_BYTES + encode(&head).len()]);
    let changes = one_of_each();
    file.extend_from_slice(&group(1, &encode(&changes))[..GROUP_HEADER_BYTES + encode(&changes).len()]);
    assert_golden("cursor_journal.v1.hex", &file);
    assert_eq!(decode(&encode(&changes)), Ok(changes));
    assert_eq!(decode(&encode(&head)).unwrap(), head);
}

#[test]
fn headers_and_groups_fill_whole_blocks_with_zeros() {
    let header = encode_header(IDENTITY);
    assert_eq!(header.len(), BLOCK_BYTES);
    assert!(header[HEADER_BYTES..].iter().all(|&byte| byte == 0));
    for length in [0, 1, BLOCK_BYTES - GROUP_HEADER_BYTES, BLOCK_BYTES] {
        let bytes = group(4, &vec![1; length]);
        assert_eq!(bytes.len(), (GROUP_HEADER_BYTES + length).next_multiple_of(BLOCK_BYTES));
        assert!(bytes[GROUP_HEADER_BYTES + length..].iter().all(|&byte| byte == 0));
        let decoded = decode_group(&bytes, IDENTITY).unwrap();
        assert_eq!((decoded.sequence, decoded.padded_bytes), (4, bytes.len()));
        assert_eq!(decoded.entries, vec![1; length]);
    }
}

#[test]
fn every_changed_byte_is_noticed() {
    let header = encode_header(IDENTITY);
    for at in 0..HEADER_BYTES {
        let mut changed = header.clone();
        changed[at] ^= 0x10;
        assert!(check_header(&changed, IDENTITY).is_err(), "header byte {at}");
    }
    let entries = encode(&one_of_each());
    let bytes = group(1, &entries);
    for at in 0..GROUP_HEADER_BYTES + entries.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        assert!(decode_group(&changed, IDENTITY).is_err(), "group byte {at}");
    }
}

#[test]
fn every_shorter_prefix_is_refused() {
    let header = encode_header(IDENTITY);
    for length in 0..HEADER_BYTES {
        let refused = check_header(&header[..length], IDENTITY);
        assert_eq!(refused, Err(HeaderError::Truncated { available: length }));
    }
    let entries = encode(&one_of_each());
    let bytes = group(1, &entries);
    for length in 0..GROUP_HEADER_BYTES + entries.len() {
        assert!(decode_group(&bytes[..length], IDENTITY).is_err(), "{length} bytes");
    }
}

#[test]
fn what_belongs_to_another_file_is_refused() {
    let (header, bytes) = (encode_header(IDENTITY), group(1, &[]));
    let partition = TopicPartition::new(TopicId::new(7), PartitionIndex::new(4));
    for other in [JournalIdentity { generation: 3, ..IDENTITY }, JournalIdentity { partition, ..IDENTITY }] {
        assert_eq!(check_header(&header, other), Err(HeaderError::Identity { found: IDENTITY }));
        assert_eq!(decode_group(&bytes, other), Err(GroupError::Identity { found: IDENTITY }));
    }
}

#[test]
fn an_unknown_version_is_told_from_damage() {
    let mut header = encode_header(IDENTITY);
    header[4] = 2;
    assert_eq!(check_header(&header, IDENTITY), Err(HeaderError::Version { found: 2 }));
}

#[test]
fn an_unknown_kind_is_refused_with_its_place() {
    let mut entries = encode(&one_of_each());
    let position = entries.len();
    entries.extend_from_slice(&[8, 1, 0]);
    assert_eq!(decode(&entries), Err(EntryError::Kind { position, kind: 8 }));
}

#[test]
fn malformed_entries_are_refused() {
    for entries in [
        &[OPENED][..],
        &[OPENED, 5, 1, 1],
        &[OPENED, 1, 1],
        &[OPENED, 3, 1, 1, 1],
        // An empty range, one past the last offset, more attempts than a u32 holds, a count without its items.
        &[ACKED, 3, 1, 5, 0],
        &[ACKED, 12, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 1],
        &[ATTEMPTED, 7, 1, 5, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
        &[SNAPSHOT, 12, 1, 5, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
    ] {
        assert_eq!(decode(entries), Err(EntryError::Malformed { position: 0 }), "{entries:?}");
    }
}

const OPENED: u8 = 1;
const ACKED: u8 = 2;
const ATTEMPTED: u8 = 5;
const SNAPSHOT: u8 = 7;

fn any_offset() -> impl Strategy<Value = Offset> {
    any::<u64>().prop_map(Offset::new)
}

fn any_change() -> impl Strategy<Value = CursorChange> {
    prop_oneof![
        any_offset().prop_map(|start| CursorChange::Opened { start }),
        (0..u64::MAX, any::<u64>())
            .prop_map(|(start, length)| CursorChange::Acked(range(start, start.saturating_add(length.max(1))))),
        any_offset().prop_map(|to| CursorChange::AckedBelow { to }),
        (any_offset(), any::<u64>()).prop_map(|(to, leases_from)| CursorChange::Reset { to, leases_from }),
        (any_offset(), any::<u32>()).prop_map(|(offset, attempts)| CursorChange::Attempted { offset, attempts }),
        Just(CursorChange::Removed),
        any_snapshot().prop_map(CursorChange::Snapshot),
    ]
}

fn any_snapshot() -> impl Strategy<Value = CursorSnapshot> {
    let gaps = prop::collection::vec((1..1_000_u64, 1..1_000_u64), 0..20);
    let attempts = prop::collection::btree_map(0..1_000_u64, any::<u32>(), 0..20);
    (0..1_000_000_u64, gaps, any::<u64>(), attempts).prop_map(|(floor, gaps, leases_from, attempts)| {
        let mut end = floor;
        let mut acked = Vec::new();
        for (gap, length) in gaps {
            acked.push(range(end + gap, end + gap + length));
            end += gap + length;
        }
        let attempts = attempts.into_iter().map(|(at, attempts)| (Offset::new(floor + at), attempts)).collect();
        CursorSnapshot { floor: Offset::new(floor), acked, leases_from, attempts }
    })
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(
        changes in prop::collection::vec((any::<u64>().prop_map(SubscriptionId::new), any_change()), 0..20),
    ) {
        prop_assert_eq!(decode(&encode(&changes)), Ok(changes));
    }

    #[test]
    fn any_bytes_are_safe(bytes in any::<Vec<u8>>(), kind in 1..8_u8) {
        let _ = decode(&bytes);
        let mut entry = vec![kind, u8::try_from(bytes.len() % 128).unwrap()];
        entry.extend_from_slice(&bytes);
        let _ = decode(&entry);
        let _ = check_header(&bytes, IDENTITY);
        let _ = decode_group(&bytes, IDENTITY);
        let mut magic = GROUP_MAGIC.to_le_bytes().to_vec();
        magic.extend_from_slice(&bytes);
        let _ = decode_group(&magic, IDENTITY);
    }
}
