//! Reads of what is whole where something else is not: a damaged batch beside it, an index that leads astray.

use std::{fs, path::PathBuf, time::Duration};

use shard::store::{MessageStore as _, ReadFault, ShardStore as _, log::LogPartition};
use shard_core::{
    format::offset_index::OffsetIndexFile,
    model::{LeaderEpoch, Offset, OffsetRange},
};

use crate::rig::{Rig, batch, on_executor, partition};

/// Flushes of three batches each, several in an index interval, in several segments.
const FLUSHES: u64 = 60;
const PAYLOAD_BYTES: usize = 1_500;

async fn filled(rig: &Rig) -> LogPartition {
    let store = rig.start(0, 1).await;
    let opened = store.open(partition(0), LeaderEpoch::new(1)).await.unwrap();
    for flush in 0..FLUSHES {
        let batches = (3 * flush..).take(3).map(|offset| batch(offset, PAYLOAD_BYTES)).collect();
        opened.store.append(batches, true).await.unwrap();
    }
    store.checkpoint().await.unwrap();
    opened.store
}

async fn read_one(store: &LogPartition, offset: u64) -> Result<bool, ReadFault> {
    let read = store.read(OffsetRange::new(Offset::new(offset), Offset::new(offset + 1)), 1).await?;
    Ok(read == [batch(offset, PAYLOAD_BYTES)])
}

fn files_of_kind(rig: &Rig, kind: &str) -> Vec<PathBuf> {
    rig.files(partition(0)).into_keys().filter(|path| path.extension().is_some_and(|found| found == kind)).collect()
}

/// Changes a byte of a batch where it is stored, counted from its first one.
fn damage(rig: &Rig, offset: u64, byte: usize) {
    let wanted = batch(offset, PAYLOAD_BYTES);
    for path in files_of_kind(rig, "log") {
        let mut bytes = fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(wanted.bytes().len()).position(|window| window == &wanted.bytes()[..]) {
            bytes[at + byte] ^= 1;
            fs::write(&path, bytes).unwrap();
            return fs::File::open(&path).unwrap().sync_all().unwrap();
        }
    }
    panic!("offset {offset} is not stored");
}

#[test]
fn only_what_is_damaged_can_not_be_read() {
    on_executor(async || {
        let rig = Rig::new();
        let store = filled(&rig).await;
        // A body, and a header: behind that, the rest of the flush is out of reach.
        damage(&rig, 10, 200);
        damage(&rig, 75, 40);
        let lost = [10, 75, 76, 77];
        for offset in 0..3 * FLUSHES {
            let read = read_one(&store, offset).await;
            if lost.contains(&offset) {
                assert!(matches!(&read, Err(ReadFault::Damaged { offset: at, .. }) if at.get() == offset), "{read:?}");
            } else {
                assert_eq!(read, Ok(true), "offset {offset} is whole");
            }
        }
        let told = read_one(&store, 76).await.unwrap_err().to_string();
        assert!(told.contains("up to offset 78"), "{told}");
    });
}

#[test]
fn an_index_with_a_right_checksum_and_wrong_places_is_not_believed() {
    on_executor(async || {
        let rig = Rig::new();
        filled(&rig).await.close().await.unwrap();
        let shift = |file: &mut OffsetIndexFile, by: i64| {
            for entry in &mut file.entries {
                entry.position = entry.position.checked_add_signed(by).unwrap();
            }
        };
        let wrong: [&dyn Fn(&mut OffsetIndexFile); 4] = [
            &|file| shift(file, 4096),
            &|file| shift(file, 512),
            &|file| file.entries.iter_mut().for_each(|entry| entry.position = 1 << 40),
            &|file| file.segment_bytes = 4096 * 3,
        ];
        let whole: Vec<_> =
            files_of_kind(&rig, "index").iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        assert!(whole.len() > 3, "{} indexes", whole.len());
        for (number, change) in wrong.iter().enumerate() {
            for (path, bytes) in &whole {
                let mut file = OffsetIndexFile::decode(bytes).unwrap();
                change(&mut file);
                fs::write(path, file.encode()).unwrap();
            }
            let opened = rig.start(0, 1).await.open(partition(0), LeaderEpoch::new(1)).await.unwrap();
            assert_eq!(opened.found.extent.end, Offset::new(3 * FLUSHES));
            for offset in (0..3 * FLUSHES).rev() {
                assert_eq!(read_one(&opened.store, offset).await, Ok(true), "offset {offset}, index {number}");
            }
            opened.store.close().await.unwrap();
            let first = OffsetIndexFile::decode(&whole[0].1).unwrap();
            let left = fs::read(&whole[0].0).ok().and_then(|bytes| OffsetIndexFile::decode(&bytes).ok());
            assert!(left.is_none_or(|left| left == first), "index {number} proved wrong and is gone");
        }
    });
}

#[test]
fn pages_that_follow_each_other_read_each_byte_of_the_disk_about_once() {
    on_executor(async || {
        let rig = Rig::new();
        let (store, metrics) = rig.start_counted().await;
        let opened = store.open(partition(0), LeaderEpoch::new(1)).await.unwrap();
        for flush in 0..FLUSHES {
            let batches = (3 * flush..).take(3).map(|offset| batch(offset, PAYLOAD_BYTES)).collect();
            opened.store.append(batches, true).await.unwrap();
        }
        // A page of one message each, though a read may give far more.
        let end = Offset::new(3 * FLUSHES);
        for offset in 0..3 * FLUSHES {
            let read = opened.store.read(OffsetRange::new(Offset::new(offset), end), 1 << 20).await.unwrap();
            assert_eq!(read[0], batch(offset, PAYLOAD_BYTES));
        }
        let (read, bytes) = (metrics.disk_read_bytes.get(), opened.store.bytes());
        assert!(read <= 2 * bytes, "{read} bytes were read of {bytes}");
        // What is cut off is not given out of what was read before.
        let cut = Offset::new(3 * FLUSHES - 2);
        assert_eq!(opened.store.truncate(cut).await, Ok(cut));
        opened.store.append(vec![batch(cut.get(), 9)], true).await.unwrap();
        let read = opened.store.read(OffsetRange::new(cut, cut.next()), 1 << 20).await.unwrap();
        assert_eq!(read, [batch(cut.get(), 9)]);
    });
}

#[test]
fn pages_as_large_as_a_read_are_read_ahead_and_no_byte_twice() {
    const COUNT: u64 = 40;
    const LARGE_BYTES: usize = 300_000;
    on_executor(async || {
        let rig = Rig::new().with_segments(64 << 20);
        let (store, metrics) = rig.start_counted().await;
        let opened = store.open(partition(0), LeaderEpoch::new(1)).await.unwrap();
        for offset in 0..COUNT {
            opened.store.append(vec![batch(offset, LARGE_BYTES)], true).await.unwrap();
        }
        let page = async |start| {
            let wanted = OffsetRange::new(Offset::new(start), Offset::new(COUNT));
            let batches = opened.store.read(wanted, 1 << 20).await.unwrap();
            for (offset, found) in (start..).zip(&batches) {
                assert_eq!(*found, batch(offset, LARGE_BYTES));
            }
            batches.last().unwrap().offsets().end.get()
        };
        // One place says nothing of the next; two in a row do.
        let first = page(0).await;
        assert_eq!(metrics.disk_reads.get(), 1);
        let second = page(first).await;
        while metrics.disk_reads.get() < 3 {
            glommio::timer::sleep(Duration::from_millis(1)).await;
        }
        let mut next = second;
        while next < COUNT {
            next = page(next).await;
        }
        let (read, bytes) = (metrics.disk_read_bytes.get(), opened.store.bytes());
        assert!(read <= bytes + (64 << 10), "{read} bytes were read of {bytes}");
    });
}
