//! The disk by itself: one write and fdatasync after the other of as many bytes as a workload has in flight. It shows how
//! far the broker is from what its disk gives.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use crate::clock::thread_cpu_time;
use crate::recorder::{Measure, Recorder};
use crate::resources::Usage;
use crate::run::RunResult;
use crate::series::Intervals;
use crate::server::ServerInfo;
use crate::subscriptions::SubscriptionChecks;
use crate::workload::Workload;

/// Direct I/O takes whole blocks, from memory that is aligned to them.
const BLOCK_BYTES: usize = 4_096;
/// The file begins anew at this length: it always grows, and never fills the disk.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Writes for as long as the workload says, to a file in this directory that is gone afterwards.
///
/// # Errors
///
/// When the file can't be made or written; a file system in memory knows no direct I/O.
pub fn run(directory: &Path, workload: &Workload) -> io::Result<RunResult> {
    let path = directory.join("disk");
    let mut options = OpenOptions::new();
    let direct = i32::try_from(OFlags::DIRECT.bits()).map_err(io::Error::other)?;
    let file = options.write(true).create(true).truncate(true).custom_flags(direct).open(&path)?;
    let plan = &workload.publish;
    let requests = plan.connections.saturating_mul(plan.in_flight).max(1);
    let payload_bytes = plan.request_sizes().payload_bytes(0, 0).saturating_mul(requests as u64);
    let messages = (requests as u64).saturating_mul(plan.batch() as u64);
    let length = usize::try_from(payload_bytes).unwrap_or(usize::MAX).next_multiple_of(BLOCK_BYTES);
    let memory = vec![0x5a_u8; length + BLOCK_BYTES];
    let aligned = memory.as_ptr().align_offset(BLOCK_BYTES);
    let bytes = memory.get(aligned..aligned + length).unwrap_or_default();

    let mut recorder = Recorder::new(Intervals::of_run(workload.warm_up, workload.duration));
    let (start, cpu) = (Instant::now(), thread_cpu_time());
    let mut offset = 0;
    let mut now = Duration::ZERO;
    while now < workload.end() {
        if offset >= FILE_BYTES_MAX {
            file.set_len(0)?;
            offset = 0;
        }
        let begun = start.elapsed();
        file.write_all_at(bytes, offset)?;
        file.sync_data()?;
        offset += length as u64;
        now = start.elapsed();
        if begun >= workload.warm_up {
            recorder.sample(Measure::Publish, now, now.saturating_sub(begun));
            recorder.published(now, messages, payload_bytes);
        }
    }
    fs::remove_file(&path)?;
    Ok(RunResult {
        recorder,
        deliveries: SubscriptionChecks::new(0),
        readers: Vec::new(),
        server: ServerInfo { product: "the disk".to_owned(), version: None, durability: workload.durability.clone() },
        usage: Usage::default(),
        cpu: thread_cpu_time().saturating_sub(cpu),
        wall: start.elapsed(),
    })
}
