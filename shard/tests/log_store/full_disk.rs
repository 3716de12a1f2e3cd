//! A disk that is full although there should have been room: others have taken it.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use shard::store::{AppendFault, MessageStore as _, ShardStore as _, StoreErrorKind};
use shard_core::{
    format::{
        cursor_journal::{CursorChange, encode_entry},
        record_batch::RecordBatch,
    },
    model::{LeaderEpoch, Offset, OffsetRange, SubscriptionId},
};
use tempfile::TempDir;

use crate::rig::{Rig, batch, on_executor, partition};

const RESERVE_BYTES: u64 = 8 << 20;

/// A small filesystem in a file, mounted while it lives.
struct Disk {
    mount: PathBuf,
    _files: TempDir,
}

impl Disk {
    /// The disk of a test, which is to be passed over where there can be none.
    #[expect(clippy::print_stderr, reason = "who runs the tests is told what they leave out")]
    fn for_test() -> Option<Self> {
        let mounted = Self::mount();
        if let Err(reason) = &mounted {
            eprintln!("SKIPPED: a disk to fill needs root and a loop device: {reason}");
        }
        mounted.ok()
    }

    /// Says why if this machine can't mount one.
    fn mount() -> Result<Self, String> {
        let files = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let (image, mount) = (files.path().join("image"), files.path().join("mount"));
        File::create(&image).and_then(|file| file.set_len(64 << 20)).unwrap();
        fs::create_dir(&mount).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mount))?;
        Ok(Self { mount, _files: files })
    }

    /// Takes all room there is, that kept for root too.
    fn fill(&self) -> PathBuf {
        let path = self.mount.join("ballast");
        let mut file = File::create(&path).unwrap();
        for bytes in [1 << 20, 4096] {
            while file.write_all(&vec![1; bytes]).and_then(|()| file.sync_data()).is_ok() {}
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the kernel may still be busy with the ring of the test.
        drop(run(Command::new("umount").arg("--lazy").arg(&self.mount)));
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {}", told.trim())) }
}

/// What of an append finds no room.
#[derive(Clone, Copy)]
enum Refused {
    /// The write to a segment that is there.
    Write,
    /// The next segment.
    Create,
}

impl Refused {
    /// More than fits into a segment, in batches that let it be begun there or not.
    fn batches(self, first: u64) -> Vec<RecordBatch> {
        match self {
            Self::Write => (first..).take(200).map(|offset| batch(offset, 6_000)).collect(),
            Self::Create => vec![batch(first, 1 << 20)],
        }
    }
}

/// How long the segment files are.
fn segment_bytes(rig: &Rig) -> usize {
    let files = rig.files(partition(0));
    let segments = files.iter().filter(|(path, _)| path.extension() == Some(Path::new("log").as_os_str()));
    segments.map(|(_, bytes)| bytes.len()).sum()
}

#[test]
fn an_append_that_finds_no_room_is_refused_and_the_partition_goes_on_once_there_is_some() {
    let Some(disk) = Disk::for_test() else { return };
    on_executor(async move || {
        let rig = Rig::with_reserve(&disk.mount, RESERVE_BYTES);
        let here = partition(0);
        let runs = [(true, Refused::Write), (false, Refused::Write), (true, Refused::Create), (false, Refused::Create)];
        for (run, (durable, refused)) in (0..4).zip(runs) {
            let first = 2 * run;
            let store = rig.start(0, 1).await;
            let opened = store.open(here, LeaderEpoch::new(1)).await.unwrap();
            assert_eq!(opened.found.extent.end, Offset::new(first));
            // From now on the store believes that a quarter of the reserve may be written unasked.
            opened.store.append(vec![batch(first, 1_000)], durable).await.unwrap();
            let ballast = disk.fill();
            let before = segment_bytes(&rig);
            let fault = opened.store.append(refused.batches(first + 1), durable).await.unwrap_err();
            assert_eq!(fault, AppendFault::Rejected { reason: "the disk has no room for it".into() });
            assert!(segment_bytes(&rig) <= before, "nothing is left of it");
            // Now the store knows; reads go on.
            let fault = opened.store.append(vec![batch(first + 1, 100)], durable).await.unwrap_err();
            assert!(matches!(fault, AppendFault::Rejected { .. }), "{fault}");
            let all = OffsetRange::new(Offset::new(first), Offset::new(first + 2));
            assert_eq!(opened.store.read(all, 1 << 20).await.unwrap(), [batch(first, 1_000)]);

            fs::remove_file(ballast).unwrap();
            File::open(&disk.mount).unwrap().sync_all().unwrap();
            opened.store.append(vec![batch(first + 1, 100)], durable).await.unwrap();
            let rest = OffsetRange::new(Offset::new(first + 1), all.end);
            assert_eq!(opened.store.read(all, 1 << 20).await.unwrap()[0], batch(first, 1_000));
            assert_eq!(opened.store.read(rest, 1 << 20).await.unwrap(), [batch(first + 1, 100)]);
            opened.store.sync().await.unwrap();
        }
        let opened = rig.start(0, 1).await.open(here, LeaderEpoch::new(1)).await.unwrap();
        assert_eq!(opened.found.extent.end, Offset::new(8));
    });
}

#[test]
fn cursors_that_find_no_room_are_refused_and_stored_as_a_whole_once_there_is_some() {
    let Some(disk) = Disk::for_test() else { return };
    on_executor(async move || {
        let rig = Rig::with_reserve(&disk.mount, RESERVE_BYTES);
        let here = partition(0);
        let store = rig.start(0, 1).await;
        let opened = store.open(here, LeaderEpoch::new(1)).await.unwrap();
        opened.store.append_cursors(begun(0)).await.unwrap();
        let ballast = disk.fill();
        let mut full = None;
        for offset in 1..10_000 {
            if let Err(error) = opened.store.append_cursors(acked(offset)).await {
                full = Some(error.kind);
                break;
            }
        }
        assert_eq!(full, Some(StoreErrorKind::NoRoom), "blocks set aside for the journal run out");
        let refused = opened.store.replace_cursors(begun(10_000)).await.unwrap_err();
        assert_eq!(refused.kind, StoreErrorKind::NoRoom);

        fs::remove_file(ballast).unwrap();
        File::open(&disk.mount).unwrap().sync_all().unwrap();
        let early = opened.store.append_cursors(acked(1)).await.unwrap_err();
        assert_eq!(early.kind, StoreErrorKind::NoRoom, "what came last may be there or not");
        opened.store.replace_cursors(begun(20_000)).await.unwrap();
        opened.store.append_cursors(acked(20_001)).await.unwrap();
        let again = rig.start(0, 1).await.open(here, LeaderEpoch::new(1)).await.unwrap();
        let acked = &again.found.cursors[&SubscriptionId::new(1)];
        assert!(
            acked.cursor().is_acked(Offset::new(20_001)) && !acked.cursor().is_acked(Offset::new(10_000)),
            "{acked:?}"
        );
    });
}

/// All that there is of a subscription of which one message is acked, as entries of a journal.
fn begun(offset: u64) -> Vec<u8> {
    let mut entries = Vec::new();
    encode_entry(SubscriptionId::new(1), &CursorChange::Opened { start: Offset::ZERO }, &mut entries);
    entries.extend(acked(offset));
    entries
}

/// That one more is acked.
fn acked(offset: u64) -> Vec<u8> {
    let range = OffsetRange::new(Offset::new(offset), Offset::new(offset + 1));
    let mut entries = Vec::new();
    encode_entry(SubscriptionId::new(1), &CursorChange::Acked(range), &mut entries);
    entries
}
