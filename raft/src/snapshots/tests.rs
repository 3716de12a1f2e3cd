//! Which snapshot is read when some are damaged or unfinished.

use super::*;
use crate::{metadata::ClusterState, type_config::LogId};

fn snapshot(index: u64) -> StateSnapshot {
    let mut state = ClusterState::default();
    state.advance_to(index);
    let last_log_id = Some(LogId::new(openraft::CommittedLeaderId::new(1, 1), index));
    StateSnapshot { last_log_id, membership: crate::type_config::Membership::default(), state }
}

fn newest_index(directory: &SnapshotDirectory) -> Option<u64> {
    directory.newest().unwrap().map(|(snapshot, _)| snapshot.state.version())
}

#[test]
fn the_newest_snapshot_is_read_and_two_are_kept() {
    let root = tempfile::tempdir().unwrap();
    let directory = SnapshotDirectory::open(root.path()).unwrap();
    assert_eq!(newest_index(&directory), None);
    for index in [5, 30, 200] {
        directory.write(&snapshot(index)).unwrap();
        assert_eq!(newest_index(&directory), Some(index));
    }
    assert_eq!(directory.files(EXTENSION).unwrap().len(), limits::SNAPSHOTS_KEPT);
}

/// F13.
#[test]
fn behind_a_damaged_snapshot_the_one_before_it_is_read() {
    let root = tempfile::tempdir().unwrap();
    let directory = SnapshotDirectory::open(root.path()).unwrap();
    directory.write(&snapshot(5)).unwrap();
    let mut bytes = directory.write(&snapshot(30)).unwrap();
    let newest = directory.files(EXTENSION).unwrap().pop().unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(newest, bytes).unwrap();
    assert_eq!(newest_index(&directory), Some(5));
}

/// F20.
#[test]
fn when_every_snapshot_is_damaged_that_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let directory = SnapshotDirectory::open(root.path()).unwrap();
    directory.write(&snapshot(5)).unwrap();
    fs::write(directory.files(EXTENSION).unwrap().pop().unwrap(), b"PSRM").unwrap();
    let error = directory.newest().unwrap_err();
    assert!(matches!(error, SnapshotError::Damaged { source: DamagedSnapshot::TooShort { bytes: 4 }, .. }), "{error}");
}

/// F13.
#[test]
fn what_a_crash_left_unfinished_is_cleared_away() {
    let root = tempfile::tempdir().unwrap();
    let directory = SnapshotDirectory::open(root.path()).unwrap();
    directory.write(&snapshot(5)).unwrap();
    let unfinished = root.path().join("00000000000000000030.tmp");
    fs::write(&unfinished, b"half a snapshot").unwrap();
    let directory = SnapshotDirectory::open(root.path()).unwrap();
    assert!(!unfinished.exists());
    assert_eq!(newest_index(&directory), Some(5));
}
