//! Frozen bytes of a snapshot, and damaged ones.

use proptest::prelude::*;

use super::*;
use crate::{
    golden::{assert_golden, golden},
    metadata::arbitrary,
};

fn snapshot() -> StateSnapshot {
    let last_log_id = Some(LogId::new(openraft::CommittedLeaderId::new(3, 7), 42));
    let nodes = std::collections::BTreeMap::from([(7, openraft::BasicNode::new("127.0.0.1:7081"))]);
    let membership = openraft::Membership::new(vec![[7].into()], nodes);
    StateSnapshot { last_log_id, membership: Membership::new(last_log_id, membership), state: arbitrary::small_state() }
}

#[test]
fn snapshot_v2_is_frozen() {
    let bytes = snapshot().encode().unwrap();
    assert_golden("metadata_snapshot.v2.hex", &bytes);
    assert_eq!(StateSnapshot::decode(&bytes), Ok(snapshot()));
}

#[test]
fn a_snapshot_without_node_epochs_is_still_read() {
    let bytes = golden("metadata_snapshot.v1.hex");
    let state = arbitrary::state_without_node_epochs();
    assert_eq!(StateSnapshot::decode(&bytes), Ok(StateSnapshot { state, ..snapshot() }));
}

#[test]
fn an_unknown_version_is_refused_by_its_number() {
    let mut bytes = snapshot().encode().unwrap();
    bytes[4] = 3;
    let checksum = crc32c(&[&bytes[..HEADER_CHECKED_BYTES]]);
    bytes[HEADER_CHECKED_BYTES..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(StateSnapshot::decode(&bytes), Err(DamagedSnapshot::Version { version: 3 }));
}

#[test]
fn a_state_of_another_log_entry_is_refused() {
    let bytes = StateSnapshot { last_log_id: None, ..snapshot() }.encode().unwrap();
    assert_eq!(StateSnapshot::decode(&bytes), Err(DamagedSnapshot::Position { version: 42, index: 0 }));
}

#[test]
fn a_snapshot_cut_anywhere_is_refused() {
    let bytes = snapshot().encode().unwrap();
    for end in 0..bytes.len() {
        assert!(StateSnapshot::decode(&bytes[..end]).is_err(), "cut at {end}");
    }
}

proptest! {
    #[test]
    fn a_flipped_bit_is_noticed(at in any::<prop::sample::Index>(), bit in 0..8) {
        let mut bytes = snapshot().encode().unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(StateSnapshot::decode(&bytes).is_err());
    }

    #[test]
    fn any_body_under_a_right_header_is_read_or_refused(
        version in 1..=VERSION,
        body in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut bytes = [&MAGIC[..], &version.to_le_bytes(), &[0, 0]].concat();
        bytes.extend_from_slice(&u64::try_from(body.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(&crc32c(&[&body]).to_le_bytes());
        bytes.extend_from_slice(&crc32c(&[&bytes]).to_le_bytes());
        bytes.extend_from_slice(&body);
        drop(StateSnapshot::decode(&bytes));
    }
}
