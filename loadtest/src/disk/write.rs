//! One write and fdatasync after the other of as many bytes as a workload has in flight.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Blocks, create_direct};
use crate::clock::thread_cpu_time;
use crate::recorder::{Measure, Recorder};
use crate::resources::Usage;
use crate::run::RunResult;
use crate::series::Intervals;
use crate::server::ServerInfo;
use crate::subscriptions::SubscriptionChecks;
use crate::workload::Workload;

/// The file begins anew at this length: it always grows, and never fills the disk.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Writes for as long as the workload says, to a file in this directory that is gone afterwards.
///
/// # Errors
///
/// When the file can't be made or written; a file system in memory knows no direct I/O.
pub fn run(directory: &Path, workload: &Workload) -> io::Result<RunResult> {
    let path = directory.join("disk");
    let file = create_direct(&path)?;
    let plan = &workload.publish;
    let requests = plan.connections.saturating_mul(plan.in_flight).max(1);
    let payload_bytes = plan.request_sizes().payload_bytes(0, 0).saturating_mul(requests as u64);
    let messages = (requests as u64).saturating_mul(plan.batch() as u64);
    let memory = Blocks::holding(usize::try_from(payload_bytes).map_err(io::Error::other)?);
    let bytes = memory.bytes();

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
        offset += bytes.len() as u64;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Kind;
    use crate::workload::tests::example;

    #[test]
    fn each_write_is_what_the_workload_has_in_flight() {
        // Beside the source: a system's directory for temporary files may be in memory, which knows no direct I/O.
        let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let workload = Workload { duration: Duration::from_millis(20), ..example(Kind::Publish) };
        let result = run(directory.path(), &workload).unwrap();
        let counts = result.recorder.counts();
        assert!(counts.requests > 0);
        assert_eq!(counts.published, 80 * counts.requests, "2 connections with 4 batches of 10 in flight");
        assert_eq!(counts.published_bytes, 256 * counts.published);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
