//! A log that begins anew elsewhere, as that of a replica that has fallen behind what is kept.

use std::fs;

use shard::store::{MessageStore as _, ShardStore as _};
use shard_core::{
    log::{LogExtent, Retention},
    model::{LeaderEpoch, Offset, OffsetRange, Timestamp},
};

use crate::rig::{Rig, batch, on_executor, partition};

fn offset(offset: u64) -> Offset {
    Offset::new(offset)
}

/// F43.
#[test]
fn a_log_begins_anew_where_it_is_told() {
    on_executor(async || {
        let rig = Rig::new();
        let here = partition(0);
        let store = rig.start(0, 1).await;
        let opened = store.open(here, LeaderEpoch::new(1)).await.unwrap();
        for at in 0..60 {
            opened.store.append(vec![batch(at, 6_000)], true).await.unwrap();
        }
        store.checkpoint().await.unwrap();
        opened.store.restart(offset(500)).await.unwrap();
        let nothing = opened.store.read(OffsetRange::new(offset(500), offset(501)), 1 << 20).await.unwrap();
        assert_eq!(nothing, []);
        opened.store.append(vec![batch(500, 100)], true).await.unwrap();
        drop(opened);
        let again = rig.start(0, 1).await.open(here, LeaderEpoch::new(1)).await.unwrap();
        assert_eq!((again.found.extent.start, again.found.extent.end), (offset(500), offset(501)));
        let read = again.store.read(OffsetRange::new(offset(500), offset(501)), 1 << 20).await.unwrap();
        assert_eq!(read, [batch(500, 100)]);
    });
}

#[test]
fn an_empty_log_that_began_anew_is_found_so() {
    on_executor(async || {
        let rig = Rig::new();
        let here = partition(0);
        let opened = rig.start(0, 1).await.open(here, LeaderEpoch::new(1)).await.unwrap();
        opened.store.append(vec![batch(0, 100)], true).await.unwrap();
        opened.store.restart(offset(7)).await.unwrap();
        drop(opened);
        let again = rig.start(0, 1).await.open(here, LeaderEpoch::new(1)).await.unwrap();
        let LogExtent { start, end, .. } = again.found.extent;
        assert_eq!((start, end), (offset(7), offset(7)));
    });
}

/// F43, and the power goes: whatever was removed by then, what is left is a log.
#[test]
fn a_log_whose_new_beginning_was_not_finished_can_be_opened() {
    on_executor(async || {
        let rig = Rig::new();
        let here = partition(0);
        let store = rig.start(0, 1).await;
        let opened = store.open(here, LeaderEpoch::new(1)).await.unwrap();
        for at in 0..30 {
            opened.store.append(vec![batch(at, 6_000)], true).await.unwrap();
        }
        store.checkpoint().await.unwrap();
        let before = rig.files(here);
        let is_segment = |path: &std::path::Path| path.extension().is_some_and(|kind| kind == "log");
        let segments = before.iter().filter(|(path, _)| is_segment(path));
        let oldest: Vec<_> = segments.take(2).map(|(path, bytes)| (path.clone(), bytes.clone())).collect();
        opened.store.restart(offset(500)).await.unwrap();
        drop(opened);
        let begun = rig.files(here).keys().find(|path| is_segment(path)).cloned().unwrap();
        // The new segment did not reach the disk.
        fs::remove_file(&begun).unwrap();
        rig.forget_ends();
        // Not all of the old ones were removed.
        for (path, bytes) in oldest {
            fs::write(path, bytes).unwrap();
        }
        let rest = rig.start(0, 1).await.open(here, LeaderEpoch::new(1)).await.unwrap();
        assert!(rest.found.extent.end > Offset::ZERO && rest.found.extent.end < offset(30));
    });
}

#[test]
fn nothing_goes_that_lies_beyond_the_bound() {
    on_executor(async || {
        let rig = Rig::new();
        let here = partition(0);
        let opened = rig.start(0, 1).await.open(here, LeaderEpoch::new(1)).await.unwrap();
        for at in 0..60 {
            opened.store.append(vec![batch(at, 6_000)], true).await.unwrap();
        }
        let keep = Retention { bytes: Some(0), below: Some(offset(20)), ..Retention::default() };
        let mut start = Offset::ZERO;
        for _ in 0..10 {
            start = opened.store.retain(Timestamp::from_millis(0), keep).await.unwrap();
        }
        assert!(start > Offset::ZERO && start <= offset(20), "{start}");
        let all = Retention { bytes: Some(0), ..Retention::default() };
        assert!(opened.store.retain(Timestamp::from_millis(0), all).await.unwrap() > offset(20));
    });
}
