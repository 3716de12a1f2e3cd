//! Reads as many bytes as a workload preloads, as a broker of ours stores them, in order, from a file for each of its
//! partitions.

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
use crate::stamp::Stamp;
use crate::subscriptions::SubscriptionChecks;
use crate::targets::batches::BatchMaker;
use crate::workload::Workload;

/// Bytes of one read or write.
const CHUNK_BYTES: usize = 1 << 20;

/// A stamp is as long as any other.
const FIRST_STAMP: Stamp = Stamp { run: 0, stream: 0, sequence: 0, intended_micros: 0 };

/// Writes the files, which is not measured, and reads each of them once, by a thread of its own. They are gone afterwards.
///
/// # Errors
///
/// When a file can't be made, written or read; a file system in memory knows no direct I/O.
pub fn run(directory: &Path, workload: &Workload) -> io::Result<RunResult> {
    let parts = parts(directory, workload)?;
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
    /// The file's length: payload and what else is stored of the messages.
    stored_bytes: u64,
}

/// What is preloaded, in equal parts.
fn parts(directory: &Path, workload: &Workload) -> io::Result<Vec<Part>> {
    let plan = workload.preload_workload().publish;
    let requests = plan.request_sizes();
    let sizes = requests.requests().get(requests.which(0, 0)).map(Vec::as_slice).unwrap_or_default();
    let stored = BatchMaker::new(plan.sizes.max(), plan.keys, plan.codec).make(sizes, FIRST_STAMP);
    let stored = stored.map_err(io::Error::other)?.len() as u64;
    let of_all = |of_request: u64| portion(of_request, (workload.preload, plan.batch() as u64));
    let (payload_bytes, stored_bytes) = (of_all(requests.payload_bytes(0, 0)), of_all(stored));
    let partitions = u64::from(workload.partitions);
    let part = |number: u64| {
        let share = |all: u64| portion(all, (number + 1, partitions)) - portion(all, (number, partitions));
        Part {
            path: directory.join(format!("part-{number}")),
            messages: share(workload.preload),
            payload_bytes: share(payload_bytes),
            stored_bytes: share(stored_bytes),
        }
    };
    Ok((0..partitions).map(part).collect())
}

/// So many parts of a whole that is of `of` parts.
fn portion(whole: u64, (parts, of): (u64, u64)) -> u64 {
    let portion = (u128::from(whole) * u128::from(parts)).checked_div(u128::from(of)).unwrap_or(0);
    u64::try_from(portion).unwrap_or(u64::MAX)
}

fn intervals(workload: &Workload) -> Intervals {
    Intervals::of_run(workload.warm_up, workload.duration)
}

impl Part {
    /// Whole chunks, so that the last one may hold more than is read of it.
    fn write(&self) -> io::Result<()> {
        let file = create_direct(&self.path)?;
        let chunk = Blocks::holding(CHUNK_BYTES);
        for number in 0..self.stored_bytes.div_ceil(CHUNK_BYTES as u64) {
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
        while offset < self.stored_bytes && begun < workload.end() {
            let length = file.read_at(chunk.bytes_mut(), offset)?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let now = start.elapsed();
            let end = (offset + length as u64).min(self.stored_bytes);
            if begun >= workload.warm_up {
                recorder.sample(Measure::Read, now, now.saturating_sub(begun));
                let brought =
                    |whole| portion(whole, (end, self.stored_bytes)) - portion(whole, (offset, self.stored_bytes));
                recorder.delivered(now, brought(self.messages), brought(self.payload_bytes));
            }
            (offset, begun) = (end, now);
        }
        Ok((recorder, thread_cpu_time().saturating_sub(cpu)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::tests::example;
    use crate::workload::{Kind, Sizes};

    /// A bit more than three chunks of payload and four of what is stored, in two parts that are no whole number of blocks.
    fn workload() -> Workload {
        let mut workload = Workload { preload: 33_001, ..example(Kind::Read) };
        workload.publish.sizes = Sizes::Fixed(100);
        workload
    }

    #[test]
    fn all_that_would_be_preloaded_is_in_one_of_the_parts() {
        let parts = parts(Path::new("d"), &workload()).unwrap();
        let of = |part: &Part| (part.path.clone(), part.messages, part.payload_bytes);
        assert_eq!(of(&parts[0]), ("d/part-0".into(), 16_500, 1_650_050));
        assert_eq!(of(&parts[1]), ("d/part-1".into(), 16_501, 1_650_050));
    }

    #[test]
    fn a_file_is_as_long_as_what_is_stored() {
        let workload = workload();
        let plan = workload.preload_workload().publish;
        let maker = BatchMaker::new(100, 0, plan.codec);
        let batch = maker.make(&vec![100; plan.batch()], FIRST_STAMP).unwrap();
        let stored: u64 = parts(Path::new("d"), &workload).unwrap().iter().map(|part| part.stored_bytes).sum();
        assert_eq!(stored, batch.len() as u64 * 33_001 / plan.batch() as u64);
    }

    #[test]
    fn every_payload_byte_is_read_once() {
        // Beside the source: a system's directory for temporary files may be in memory, which knows no direct I/O.
        let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let result = run(directory.path(), &workload()).unwrap();
        let counts = result.recorder.counts();
        assert_eq!((counts.delivered, counts.delivered_bytes), (33_001, 3_300_100));
        assert_eq!(counts.requests, 6, "each part is of three chunks as it is stored");
        assert_eq!(result.recorder.latencies()[&Measure::Read].count, 6);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
