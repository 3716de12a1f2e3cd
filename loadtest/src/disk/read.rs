//! Reads as many payload bytes as a workload preloads, in order, from a file for each of its partitions.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use super::{Blocks, create_direct, open_direct};
use crate::clock::thread_cpu_time;
use crate::recorder::{Measure, Recorder};
use crate::resources::Usage;
use crate::run::RunResult;
use crate::series::Intervals;
use crate::server::ServerInfo;
use crate::subscriptions::SubscriptionChecks;
use crate::workload::Workload;

/// Bytes of one read or write.
const CHUNK_BYTES: usize = 1 << 20;

/// Writes the files, which is not measured, and reads each of them once, by a thread of its own. They are gone afterwards.
///
/// # Errors
///
/// When a file can't be made, written or read; a file system in memory knows no direct I/O.
pub fn run(directory: &Path, workload: &Workload) -> io::Result<RunResult> {
    let parts = parts(directory, workload);
    for part in &parts {
        part.write()?;
    }
    let start = Instant::now();
    let readings = thread::scope(|scope| {
        let threads: Vec<_> = parts.iter().map(|part| scope.spawn(move || part.read(workload, start))).collect();
        let joined = threads.into_iter().map(ScopedJoinHandle::join);
        joined
            .map(|done| done.map_err(|_| io::Error::other("a reading thread panicked"))?)
            .collect::<io::Result<Vec<_>>>()
    })?;
    let wall = start.elapsed();
    let mut recorder = Recorder::new(intervals(workload));
    let mut cpu = Duration::ZERO;
    for (reading, its_cpu) in &readings {
        recorder.merge(reading);
        cpu += *its_cpu;
    }
    for part in &parts {
        fs::remove_file(&part.path)?;
    }
    Ok(RunResult {
        recorder,
        deliveries: SubscriptionChecks::new(0),
        readers: Vec::new(),
        server: ServerInfo { product: "the disk".to_owned(), ..ServerInfo::default() },
        usage: Usage::default(),
        cpu,
        wall,
    })
}

/// A partition's file.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    path: PathBuf,
    messages: u64,
    payload_bytes: u64,
}

/// What is preloaded, in equal parts.
fn parts(directory: &Path, workload: &Workload) -> Vec<Part> {
    let plan = &workload.publish;
    let requests_bytes = plan.request_sizes().payload_bytes(0, 0).saturating_mul(workload.preload);
    let payload_bytes = requests_bytes.checked_div(plan.batch() as u64).unwrap_or(0);
    let partitions = u64::from(workload.partitions);
    let part = |number: u64| {
        let share = |all: u64| {
            let up_to = |number: u64| all.saturating_mul(number).checked_div(partitions).unwrap_or(0);
            up_to(number + 1) - up_to(number)
        };
        let path = directory.join(format!("part-{number}"));
        Part { path, messages: share(workload.preload), payload_bytes: share(payload_bytes) }
    };
    (0..partitions).map(part).collect()
}

fn intervals(workload: &Workload) -> Intervals {
    Intervals::of_run(workload.warm_up, workload.duration)
}

impl Part {
    /// Whole chunks, so that the last one may hold more than is read of it.
    fn write(&self) -> io::Result<()> {
        let file = create_direct(&self.path)?;
        let chunk = Blocks::holding(CHUNK_BYTES);
        for number in 0..self.payload_bytes.div_ceil(CHUNK_BYTES as u64) {
            file.write_all_at(chunk.bytes(), number * CHUNK_BYTES as u64)?;
        }
        file.sync_all()
    }

    /// What was read within the workload's time, and the CPU time that it took.
    fn read(&self, workload: &Workload, start: Instant) -> io::Result<(Recorder, Duration)> {
        let cpu = thread_cpu_time();
        let file = open_direct(&self.path, File::options().read(true))?;
        let mut chunk = Blocks::holding(CHUNK_BYTES);
        let mut recorder = Recorder::new(intervals(workload));
        let mut offset = 0;
        let mut begun = start.elapsed();
        while offset < self.payload_bytes && begun < workload.end() {
            let length = file.read_at(chunk.bytes_mut(), offset)?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let now = start.elapsed();
            let end = (offset + length as u64).min(self.payload_bytes);
            if begun >= workload.warm_up {
                recorder.sample(Measure::Read, now, now.saturating_sub(begun));
                recorder.delivered(now, self.messages_below(end) - self.messages_below(offset), end - offset);
            }
            (offset, begun) = (end, now);
        }
        Ok((recorder, thread_cpu_time().saturating_sub(cpu)))
    }

    fn messages_below(&self, offset: u64) -> u64 {
        offset.saturating_mul(self.messages).checked_div(self.payload_bytes).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::tests::example;
    use crate::workload::{Kind, Sizes};

    /// A bit more than three chunks, in two parts that are no whole number of blocks.
    fn workload() -> Workload {
        let mut workload = Workload { preload: 33_001, ..example(Kind::Read) };
        workload.publish.sizes = Sizes::Fixed(100);
        workload
    }

    #[test]
    fn all_that_would_be_preloaded_is_in_one_of_the_parts() {
        let parts = parts(Path::new("d"), &workload());
        assert_eq!(parts[0], Part { path: "d/part-0".into(), messages: 16_500, payload_bytes: 1_650_050 });
        assert_eq!(parts[1], Part { path: "d/part-1".into(), messages: 16_501, payload_bytes: 1_650_050 });
    }

    #[test]
    fn every_payload_byte_is_read_once() {
        // Beside the source: a system's directory for temporary files may be in memory, which knows no direct I/O.
        let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let result = run(directory.path(), &workload()).unwrap();
        let counts = result.recorder.counts();
        assert_eq!((counts.delivered, counts.delivered_bytes), (33_001, 3_300_100));
        assert_eq!(counts.requests, 4, "each part is of two chunks");
        assert_eq!(result.recorder.latencies()[&Measure::Read].count, 4);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
