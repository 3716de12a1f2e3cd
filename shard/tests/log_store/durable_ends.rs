//! What shards write down of what is durable: no crash and no change of their number loses any of it.

use std::{collections::BTreeMap, path::PathBuf};

use shard::store::{MessageStore as _, ShardStore as _};
use shard_core::{format::durable_ends::DurableEndsFile, model::LeaderEpoch};

use crate::rig::{Rig, batch, on_executor, owner, partition};

const PARTITIONS: u32 = 6;

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// What has to be known of each partition, whatever happens, and the files before the write that is looked at.
struct Oracle {
    known: Vec<u64>,
    before: Files,
}

impl Oracle {
    /// Looks at every image that a crash during the last step may leave.
    fn check(&mut self, after: Files, what: &str) {
        for (path, new) in &after {
            let old = self.before.get(path).cloned().unwrap_or_default();
            if *new == old {
                continue;
            }
            for written in (0..new.len()).step_by(7) {
                // Written over in place: a torn file is new at the front and old behind.
                let mut torn = new[..written].to_vec();
                torn.extend(old.get(written..).unwrap_or_default());
                let mut image = self.before.clone();
                image.insert(path.clone(), torn);
                self.check_image(&image, &format!("{what}, {} torn at {written}", path.display()));
            }
        }
        self.check_image(&after, what);
        self.before = after;
    }

    fn check_image(&self, image: &Files, what: &str) {
        let files: Vec<_> = image.values().filter_map(|bytes| DurableEndsFile::decode(bytes).ok()).collect();
        for (index, &known) in (0..).zip(&self.known) {
            let entries = files.iter().flat_map(|file| &file.entries).filter(|end| end.partition == partition(index));
            let found = entries.map(|end| end.durable_end.get()).max().unwrap_or(0);
            assert!(found >= known, "{what}: partition {index} was durable up to {known}, {found} is known");
        }
    }
}

#[test]
fn no_crash_and_no_number_of_shards_loses_what_was_written_down() {
    on_executor(async || {
        let rig = Rig::new();
        let mut oracle = Oracle { known: vec![0; 6], before: Files::new() };
        let mut end = 0;
        for (run, shard_count) in [1, 3, 3, 3, 3, 2, 2, 2, 4, 4, 4, 1, 2, 2].into_iter().enumerate() {
            let ends = rig.durable_ends();
            let mut stores = Vec::new();
            for shard in 0..shard_count {
                stores.push(rig.begin(shard, shard_count, &ends).await);
                oracle.check(rig.ends_files(), &format!("run {run}, shard {shard} starts"));
            }
            for (shard, store) in stores.iter().enumerate() {
                store.settle().await.unwrap();
                oracle.check(rig.ends_files(), &format!("run {run}, shard {shard} settles"));
            }
            assert_eq!(rig.ends_files().len(), 2 * shard_count, "two files for each shard, and no others");
            // Some shards write far more often than others, and some partitions are not opened in this run.
            for index in (0..PARTITIONS).filter(|index| (usize::try_from(*index).unwrap() + run) % 3 != 0) {
                let shard = owner(index, shard_count);
                let opened = stores[shard].open(partition(index), LeaderEpoch::new(1)).await.unwrap();
                let mut next = opened.found.extent.end.get();
                // The sequences of the shards drift apart, evenly and oddly.
                for _ in 0..=(usize::try_from(index).unwrap() + run) % 3 {
                    opened.store.append(vec![batch(next, 100)], true).await.unwrap();
                    next += 1;
                    stores[shard].checkpoint().await.unwrap();
                    oracle.check(rig.ends_files(), &format!("run {run}, partition {index} at {next}"));
                    oracle.known[usize::try_from(index).unwrap()] = next;
                }
                end = end.max(next);
            }
        }
        assert!(end > 10, "{end}");
    });
}

#[test]
fn a_checkpoint_without_a_change_writes_nothing() {
    on_executor(async || {
        let rig = Rig::new();
        let store = rig.start(0, 1).await;
        let opened = store.open(partition(0), LeaderEpoch::new(1)).await.unwrap();
        opened.store.append(vec![batch(0, 100)], true).await.unwrap();
        store.checkpoint().await.unwrap();
        let before = rig.ends_files();
        for _ in 0..3 {
            store.checkpoint().await.unwrap();
        }
        assert_eq!(rig.ends_files(), before);
    });
}
