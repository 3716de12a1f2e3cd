//! How much room the disk of the data directory has.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus::proto::MetricFamily;
use rustix::fs::StatVfs;
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use super::{description::Description, family::single};
use crate::limits;

const FREE: Description = Description::gauge(
    "pubsub_store_disk_free_bytes",
    "Room that is left on the disk of the data directory for this process.",
    "Below `storage.reserve_bytes` every publish is refused.",
);
const SIZE: Description = Description::gauge(
    "pubsub_store_disk_size_bytes",
    "Size of the disk of the data directory.",
    "With the room that is left it gives the share that is in use.",
);

pub(super) const ALL: &[Description] = &[FREE, SIZE];

/// The disk, as it was last seen.
#[derive(Debug)]
pub(super) struct Disk {
    directory: PathBuf,
    /// Nothing while it does not answer.
    room: Arc<Mutex<Option<Room>>>,
    /// Of one question at a time: on a disk that stands still it has no end.
    question: Arc<Semaphore>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Room {
    free_bytes: u64,
    size_bytes: u64,
}

impl Disk {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory, room: Arc::default(), question: Arc::new(Semaphore::new(1)) }
    }

    /// Looks at the disk, off the thread of the caller, which does not wait long for the answer.
    pub(super) async fn refresh(&self) {
        let Ok(turn) = Arc::clone(&self.question).try_acquire_owned() else { return };
        let directory = self.directory.clone();
        let asked = spawn_blocking(move || {
            let found = rustix::fs::statvfs(&directory);
            drop(turn);
            found.ok().map(|found| Room::of(&found))
        });
        let answered = timeout(limits::METRICS_DISK_WAIT, asked).await;
        let room = answered.ok().and_then(Result::ok).flatten();
        *self.room.lock().unwrap_or_else(PoisonError::into_inner) = room;
    }

    /// What is known of it.
    pub(super) fn collect(&self) -> Vec<MetricFamily> {
        let room = *self.room.lock().unwrap_or_else(PoisonError::into_inner);
        room.into_iter().flat_map(|room| [single(FREE, room.free_bytes), single(SIZE, room.size_bytes)]).collect()
    }
}

impl Room {
    fn of(disk: &StatVfs) -> Self {
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        // What is kept for the system's administrator is not ours.
        Self { free_bytes: bytes(disk.f_bavail), size_bytes: bytes(disk.f_blocks) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_disk_has_room_and_one_that_is_not_there_has_no_metrics() {
        let disk = Disk::new(tempfile::tempdir().unwrap().path().to_owned());
        let gone = disk.directory.clone();
        disk.refresh().await;
        assert!(!gone.exists() && disk.collect().is_empty());

        let directory = tempfile::tempdir().unwrap();
        let disk = Disk::new(directory.path().to_owned());
        disk.refresh().await;
        let values: Vec<_> =
            disk.collect().iter().map(|family| family.get_metric()[0].get_gauge().get_value()).collect();
        assert!(values[0] > 0.0 && values[0] <= values[1], "{values:?}");
    }
}
