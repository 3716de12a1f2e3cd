//! What the kernel says of this process; the names are those that every Prometheus client library uses.

use std::fs;

use prometheus::proto::MetricFamily;

use super::{
    description::Description,
    family::{labelled, measured, single},
};
use crate::build_info;

/// In so many parts of a second the kernel counts the times of processes for `/proc`, whatever the architecture.
const TICKS_PER_SECOND: f64 = 100.0;

const BUILD: Description = Description::gauge(
    "pubsub_build_info",
    "1, with the version of the node and the commit it was built from.",
    "During an upgrade: how many nodes run which version.",
)
.by(&["version", "commit"]);
const CPU: Description = Description::counter(
    "process_cpu_seconds_total",
    "CPU time that the process has used, of all its threads, in user and kernel mode.",
    "Its rate is the number of cores in use; see `pubsub_shard_busy_ratio` for which of them is at its limit.",
);
const START_TIME: Description = Description::gauge(
    "process_start_time_seconds",
    "When the process started, in seconds since the Unix epoch.",
    "It changes with each start: more than two in half an hour are a node that ends again and again.",
);
const RESIDENT: Description = Description::gauge(
    "process_resident_memory_bytes",
    "Memory in use.",
    "It comes near the limit of the container or the machine.",
);
const VIRTUAL: Description = Description::gauge(
    "process_virtual_memory_bytes",
    "Address space in use.",
    "Seldom; it says little about memory that is used.",
);
const THREADS: Description = Description::gauge(
    "process_threads",
    "Threads.",
    "It rises without an end: something waits for a disk or a name server that does not answer.",
);
const OPEN_FILES: Description = Description::gauge(
    "process_open_fds",
    "Open files.",
    "Near `process_max_fds`: neither a connection nor a segment can be opened then.",
);
const MAX_FILES: Description = Description::gauge(
    "process_max_fds",
    "Files that may be open.",
    "After the node was moved or installed: raise the limit if it is below what is planned.",
);

pub(super) const ALL: &[Description] = &[BUILD, CPU, START_TIME, RESIDENT, VIRTUAL, THREADS, OPEN_FILES, MAX_FILES];

/// Build, times, memory, files and threads; what can't be read is left out.
pub(super) fn collect() -> Vec<MetricFamily> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let (status, stat, kernel) = (read("/proc/self/status"), read("/proc/self/stat"), read("/proc/stat"));
    let files = fs::read_dir("/proc/self/fd").ok().and_then(|files| u64::try_from(files.count()).ok());
    let numbers = [
        (RESIDENT, field(&status, "VmRSS:").map(|kib| kib * 1024)),
        (VIRTUAL, field(&status, "VmSize:").map(|kib| kib * 1024)),
        (THREADS, field(&status, "Threads:")),
        (OPEN_FILES, files),
        (MAX_FILES, file_limit()),
    ];
    let times = [(CPU, cpu_seconds(&stat)), (START_TIME, start_time(&stat, &kernel))];
    let build = vec![build_info::VERSION.to_owned(), build_info::COMMIT.to_owned()];
    let mut families = vec![labelled(BUILD, [(build, 1)])];
    families.extend(times.into_iter().filter_map(|(metric, value)| Some(measured(metric, [(Vec::new(), value?)]))));
    families.extend(numbers.into_iter().filter_map(|(metric, value)| Some(single(metric, value?))));
    families
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// User and system time.
fn cpu_seconds(stat: &str) -> Option<f64> {
    Some((ticks(stat, 14)? + ticks(stat, 15)?) / TICKS_PER_SECOND)
}

/// When the machine started, and how long after that the process did.
fn start_time(stat: &str, kernel: &str) -> Option<f64> {
    let booted: f64 = kernel.lines().find_map(|line| line.strip_prefix("btime "))?.parse().ok()?;
    Some(booted + ticks(stat, 22)? / TICKS_PER_SECOND)
}

/// A number of `/proc/self/stat`, counted from 1 as its manual does. The second field is the name of the program, in which
/// there may be anything, a bracket too.
fn ticks(stat: &str, number: usize) -> Option<f64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

fn file_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let status = "VmPeak:\t  9 kB\nVmRSS:\t    1234 kB\nThreads:\t7\n";
        assert_eq!(
            (field(status, "VmRSS:"), field(status, "Threads:"), field(status, "VmSwap:")),
            (Some(1234), Some(7), None)
        );
    }

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "4711 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 50 13 14 15 16 17 18 1000 20";
        let kernel = "cpu  1 2 3\nbtime 1700000000\nprocesses 4\n";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(start_time(stat, kernel), Some(1_700_000_010.0));
        assert_eq!((cpu_seconds(""), start_time(stat, "")), (None, None));
    }

    #[test]
    fn everything_is_known_of_this_process_and_it_started_before_now() {
        assert_eq!(collect().len(), ALL.len());
        let read = |path| fs::read_to_string(path).unwrap();
        let started = start_time(&read("/proc/self/stat"), &read("/proc/stat")).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        // The kernel rounds when it booted to whole seconds.
        assert!((now - 3600.0..now + 1.0).contains(&started), "{started} and {now}");
    }
}
