//! What the log store leaves on disk, and what a start makes of it after a stop at the wrong moment.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod durable_ends;
mod full_disk;
mod many_partitions;
mod reading;
mod restarting;
mod rig;

use std::{fs, time::Duration};

use rig::{Rig, batch, on_executor, owner, partition};
use shard::store::{MessageStore as _, ShardStore as _};
use shard_core::{
    log::Retention,
    model::{LeaderEpoch, Offset, OffsetRange, Timestamp},
};

const KEEP: Retention = Retention { age: Some(Duration::from_millis(10)), bytes: None, below: None };

/// F10.
#[test]
fn what_is_left_of_expired_segments_is_removed_whatever_it_is() {
    on_executor(async || {
        let rig = Rig::new();
        let here = partition(0);
        let opened = rig.start(0, 1).await.open(here, LeaderEpoch::new(1)).await.unwrap();
        for offset in 0..60 {
            opened.store.append(vec![batch(offset, 6_000)], true).await.unwrap();
        }
        let before = rig.files(here);
        let start = opened.store.retain(Timestamp::from_millis(40), KEEP).await.unwrap();
        assert!(start > Offset::ZERO && start < Offset::new(60));
        drop(opened);
        // The power went: of the files that were removed, all but one in the middle are there again.
        let kept = rig.files(here);
        let gone: Vec<_> = before.iter().filter(|(path, _)| !kept.contains_key(*path)).collect();
        assert!(gone.len() > 4, "{} files were removed", gone.len());
        for (path, bytes) in gone.iter().filter(|(path, _)| !path.ends_with(gone_in_the_middle(&gone))) {
            fs::write(path, bytes).unwrap();
        }
        let opened = rig.start(0, 1).await.open(here, LeaderEpoch::new(1)).await.unwrap();
        assert_eq!((opened.found.extent.start, opened.found.extent.end), (start, Offset::new(60)));
        let read = opened.store.read(OffsetRange::new(start, Offset::new(60)), 1 << 20).await.unwrap();
        assert_eq!(read[0].offsets().start, start);
        assert!(gone.iter().all(|(path, _)| !path.exists()), "they are removed for good");
    });
}

/// The name of a segment that is neither the first nor the last of those removed.
fn gone_in_the_middle(gone: &[(&std::path::PathBuf, &Vec<u8>)]) -> String {
    let segments: Vec<_> = gone.iter().filter(|(path, _)| path.extension().is_some_and(|kind| kind == "log")).collect();
    segments[segments.len() / 2].0.file_name().unwrap().to_str().unwrap().to_owned()
}

/// F19.
#[test]
fn a_missing_first_segment_closes_the_partition() {
    on_executor(async || {
        let rig = Rig::new();
        let here = partition(0);
        let store = rig.start(0, 1).await;
        let opened = store.open(here, LeaderEpoch::new(1)).await.unwrap();
        for offset in 0..30 {
            opened.store.append(vec![batch(offset, 6_000)], true).await.unwrap();
        }
        store.checkpoint().await.unwrap();
        drop(opened);
        let first = rig.files(here).keys().find(|path| path.extension().is_some_and(|kind| kind == "log")).cloned();
        fs::remove_file(first.unwrap()).unwrap();
        let refused = rig.start(0, 1).await.open(here, LeaderEpoch::new(1)).await.unwrap_err();
        assert!(refused.reason.contains("missing"), "{refused}");
    });
}

#[test]
fn a_closed_log_that_was_emptied_goes_on_at_its_end() {
    on_executor(async || {
        let rig = Rig::new();
        let here = partition(0);
        for (round, end) in (0..4).zip(0_u64..) {
            let store = rig.start(0, 1).await;
            let opened = store.open(here, LeaderEpoch::new(1)).await.unwrap();
            assert_eq!(opened.found.extent.end, Offset::new(end));
            opened.store.append(vec![batch(end, 100)], true).await.unwrap();
            for _ in 0..3 {
                opened.store.retain(Timestamp::from_millis(1_000_000 * (1 + round)), KEEP).await.unwrap();
            }
            opened.store.close().await.unwrap();
            store.checkpoint().await.unwrap();
            let segments =
                rig.files(here).into_keys().filter(|path| path.extension().is_some_and(|kind| kind == "log"));
            assert_eq!(segments.count(), 1, "one empty segment carries the end");
        }
    });
}

#[test]
fn partitions_are_found_again_by_any_number_of_shards() {
    on_executor(async || {
        let rig = Rig::new();
        for (shard_count, end) in [1, 3, 2, 4, 1].into_iter().zip(0..) {
            let stores = rig.start_all(shard_count).await;
            for index in 0..6 {
                let store = &stores[owner(index, shard_count)];
                let opened = store.open(partition(index), LeaderEpoch::new(1)).await.unwrap();
                assert_eq!(opened.found.extent.end, Offset::new(end));
                opened.store.append(vec![batch(end, 100)], true).await.unwrap();
                opened.store.close().await.unwrap();
            }
            for store in &stores {
                store.checkpoint().await.unwrap();
            }
        }
    });
}

#[test]
fn a_relative_path_leads_to_the_same_data() {
    on_executor(async || {
        let rig = Rig::new();
        for (end, relative) in [(0, true), (1, false), (2, true)] {
            let store = if relative { rig.start_by_relative_path().await } else { rig.start(0, 1).await };
            let opened = store.open(partition(0), LeaderEpoch::new(1)).await.unwrap();
            assert_eq!(opened.found.extent.end, Offset::new(end));
            opened.store.append(vec![batch(end, 100)], true).await.unwrap();
            opened.store.close().await.unwrap();
            store.checkpoint().await.unwrap();
            store.delete(partition(1)).await.unwrap();
        }
    });
}
