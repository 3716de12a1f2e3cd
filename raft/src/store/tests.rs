//! openraft's own suite, and what it does not look at: reopening, damage, limits.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use openraft::{
    CommittedLeaderId, EntryPayload,
    storage::RaftLogStorageExt as _,
    testing::{StoreBuilder, Suite},
};
use tempfile::TempDir;

use super::*;
use crate::{snapshots::SnapshotDirectory, state_machine::StateMachine};

mod killed;

const NODE: u64 = 1;
/// How long sled may take to let go of a log.
const LOCK_WAIT: Duration = Duration::from_secs(30);

struct Builder;

impl StoreBuilder<TypeConfig, LogStore, StateMachine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), StorageError> {
        let root = tempfile::tempdir().unwrap();
        let log = LogStore::open(&root.path().join("log"), NODE).unwrap();
        let snapshots = SnapshotDirectory::open(&root.path().join("snapshots")).unwrap();
        Ok((root, log, StateMachine::open(snapshots).unwrap()))
    }
}

fn log_id(index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(1, NODE), index)
}

fn blank(index: u64) -> Entry {
    Entry { log_id: log_id(index), payload: EntryPayload::Blank }
}

async fn filled(path: &Path, last: u64) -> LogStore {
    let mut store = LogStore::open(path, NODE).unwrap();
    store.blocking_append((1..=last).map(blank)).await.unwrap();
    store
}

/// Opens a log again that this process had open: sled lets go of its lock in a thread of its own, so it is awaited.
async fn open_again(path: &Path, node: u64) -> Result<LogStore, OpenLogError> {
    let is_locked = |opened: &Result<LogStore, OpenLogError>| matches!(opened, Err(OpenLogError::Database { source, .. }) if source.to_string().contains("acquire lock"));
    let until = Instant::now() + LOCK_WAIT;
    let mut opened = LogStore::open(path, node);
    while is_locked(&opened) && Instant::now() < until {
        tokio::task::yield_now().await;
        opened = LogStore::open(path, node);
    }
    opened
}

async fn reopened(path: &Path) -> LogStore {
    open_again(path, NODE).await.unwrap()
}

async fn indexes(store: &mut LogStore) -> Vec<u64> {
    store.try_get_log_entries(..).await.unwrap().iter().map(|entry| entry.log_id.index).collect()
}

#[test]
fn the_store_passes_the_suite_of_openraft() {
    Suite::test_all(Builder).unwrap();
}

#[tokio::test]
async fn what_was_written_is_there_when_the_log_is_opened_again() {
    let root = tempfile::tempdir().unwrap();
    let mut store = filled(&root.path().join("log"), 5).await;
    let vote = Vote::new(3, NODE);
    store.save_vote(&vote).await.unwrap();
    store.save_committed(Some(log_id(4))).await.unwrap();
    store.purge(log_id(2)).await.unwrap();
    store.truncate(log_id(5)).await.unwrap();
    drop(store);

    let mut store = reopened(&root.path().join("log")).await;
    assert_eq!(indexes(&mut store).await, [3, 4]);
    assert_eq!(store.read_vote().await.unwrap(), Some(vote));
    assert_eq!(store.read_committed().await.unwrap(), Some(log_id(4)));
    let state = store.get_log_state().await.unwrap();
    assert_eq!((state.last_purged_log_id, state.last_log_id), (Some(log_id(2)), Some(log_id(4))));
}

/// F13.
#[tokio::test]
async fn a_purge_that_a_crash_interrupted_is_finished() {
    let root = tempfile::tempdir().unwrap();
    let store = filled(&root.path().join("log"), 5).await;
    store.facts.set_purged(log_id(3)).unwrap();
    drop(store);
    let mut store = reopened(&root.path().join("log")).await;
    assert_eq!(indexes(&mut store).await, [4, 5]);
}

#[tokio::test]
async fn more_entries_than_one_deletion_takes_are_purged_and_truncated() {
    let root = tempfile::tempdir().unwrap();
    let last = u64::try_from(limits::DELETE_ENTRIES_MAX).unwrap() * 2 + 10;
    let mut store = filled(&root.path().join("log"), last).await;
    store.purge(log_id(last - 5)).await.unwrap();
    assert_eq!(indexes(&mut store).await, ((last - 4)..=last).collect::<Vec<_>>());
    store.blocking_append(((last + 1)..=(last + last)).map(blank)).await.unwrap();
    store.truncate(log_id(last)).await.unwrap();
    assert_eq!(indexes(&mut store).await, ((last - 4)..last).collect::<Vec<_>>());
}

/// F20.
#[tokio::test]
async fn a_damaged_entry_is_named_when_the_log_is_opened() {
    let root = tempfile::tempdir().unwrap();
    let store = filled(&root.path().join("log"), 5).await;
    let mut value = store.log.get(3_u64.to_be_bytes()).unwrap().unwrap().to_vec();
    *value.last_mut().unwrap() ^= 1;
    store.log.insert(3_u64.to_be_bytes(), value).unwrap();
    drop(store);
    let error = open_again(&root.path().join("log"), NODE).await.unwrap_err();
    let expected = BadEntry::Damaged { index: 3, source: DamagedValue::Checksum };
    assert!(error.to_string().ends_with(&expected.to_string()), "{error}");
}

#[tokio::test]
async fn a_missing_entry_is_named_when_the_log_is_opened() {
    let root = tempfile::tempdir().unwrap();
    let store = filled(&root.path().join("log"), 5).await;
    store.log.remove(3_u64.to_be_bytes()).unwrap();
    drop(store);
    let error = open_again(&root.path().join("log"), NODE).await.unwrap_err();
    assert!(matches!(&error, OpenLogError::Entry { source: BadEntry::Missing { missing: 3 }, .. }), "{error}");
}

/// The log's directory as it is now, to be put back later; the files beside it stay as they are.
struct Earlier {
    log: std::path::PathBuf,
    copy: TempDir,
}

impl Earlier {
    fn keep(log: &Path) -> Self {
        let earlier = Self { log: log.to_owned(), copy: tempfile::tempdir().unwrap() };
        copy_files(log, earlier.copy.path());
        earlier
    }

    fn put_back(&self) {
        std::fs::remove_dir_all(&self.log).unwrap();
        copy_files(self.copy.path(), &self.log);
    }
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copy = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_files(&path, &copy);
        } else {
            std::fs::copy(&path, copy).unwrap();
        }
    }
}

/// F27.
#[tokio::test]
async fn a_log_that_comes_back_shorter_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("log");
    drop(filled(&path, 5).await);
    let earlier = Earlier::keep(&path);
    let mut store = reopened(&path).await;
    store.blocking_append((6..=8).map(blank)).await.unwrap();
    drop(store);
    earlier.put_back();
    let error = open_again(&path, NODE).await.unwrap_err();
    assert!(matches!(&error, OpenLogError::Shortened { promised: 8, found: 5, .. }), "{error}");
}

/// F12.
#[tokio::test]
async fn a_vote_that_comes_back_older_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("log");
    let mut store = filled(&path, 5).await;
    store.save_vote(&Vote::new(1, NODE)).await.unwrap();
    drop(store);
    let earlier = Earlier::keep(&path);
    let mut store = reopened(&path).await;
    store.save_vote(&Vote::new(2, NODE)).await.unwrap();
    drop(store);
    earlier.put_back();
    let error = open_again(&path, NODE).await.unwrap_err();
    assert!(matches!(&error, OpenLogError::Shortened { promised: 5, found: 5, .. }), "{error}");
}

#[tokio::test]
async fn a_log_that_was_cut_or_purged_is_no_loss() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("log");
    let mut store = filled(&path, 8).await;
    store.truncate(log_id(6)).await.unwrap();
    drop(store);
    let mut store = reopened(&path).await;
    store.purge(log_id(5)).await.unwrap();
    drop(store);
    // Taken back, but a crash came before anything was deleted.
    let mut store = reopened(&path).await;
    store.blocking_append((6..=8).map(blank)).await.unwrap();
    store.promised_end_max.store(7, Ordering::SeqCst);
    store.flusher.flush().await.unwrap();
    drop(store);
    let mut store = reopened(&path).await;
    assert_eq!(indexes(&mut store).await, [6, 7, 8]);
}

#[tokio::test]
async fn a_log_from_before_promises_were_noted_is_taken_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    drop(filled(&root.path().join("log"), 5).await);
    std::fs::remove_file(root.path().join("reached")).unwrap();
    let mut store = reopened(&root.path().join("log")).await;
    assert_eq!(indexes(&mut store).await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn the_log_of_another_node_is_refused() {
    let root = tempfile::tempdir().unwrap();
    drop(filled(&root.path().join("log"), 1).await);
    let error = open_again(&root.path().join("log"), 2).await.unwrap_err();
    assert!(matches!(&error, OpenLogError::OtherNode { node_id: 2, found: NODE, .. }), "{error}");
}

#[tokio::test]
async fn a_log_that_is_open_can_not_be_opened_again() {
    let root = tempfile::tempdir().unwrap();
    let _open = filled(&root.path().join("log"), 1).await;
    let error = LogStore::open(&root.path().join("log"), NODE).unwrap_err();
    assert!(matches!(&error, OpenLogError::Database { .. }), "{error}");
}

#[tokio::test]
async fn an_entry_too_large_for_sled_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let mut store = filled(&root.path().join("log"), 1).await;
    let address = "x".repeat(limits::STORED_VALUE_BYTES_MAX);
    let command = crate::metadata::Command::RegisterNode { node: crate::metadata::NodeId::new(1), address };
    let payload = EntryPayload::Normal(crate::type_config::CommandBatch(vec![command]));
    let error = store.blocking_append([Entry { log_id: log_id(2), payload }]).await.unwrap_err();
    assert!(error.to_string().contains("at most"), "{error}");
    assert_eq!(indexes(&mut store).await, [1]);
}

#[tokio::test]
async fn a_limited_read_gives_at_least_one_entry() {
    let root = tempfile::tempdir().unwrap();
    let store = filled(&root.path().join("log"), 5).await;
    assert_eq!(entries::read(&store.log, &(2..5), 1).unwrap().len(), 1);
    assert_eq!(entries::read(&store.log, &(2..5), usize::MAX).unwrap().len(), 3);
    #[expect(clippy::reversed_empty_ranges, reason = "openraft may ask for a range that is empty")]
    let empty = entries::read(&store.log, &(5..2), usize::MAX).unwrap();
    assert!(empty.is_empty());
}
