//! What the kernel says of this process; the names are those that every Prometheus client library uses.

use std::fs;

use prometheus::proto::MetricFamily;

use super::family::{Kind, single};

/// Memory, files and threads; what can't be read is left out.
pub(super) fn collect() -> Vec<MetricFamily> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let files = fs::read_dir("/proc/self/fd").ok().and_then(|files| u64::try_from(files.count()).ok());
    let numbers = [
        ("process_resident_memory_bytes", "Memory in use.", field(&status, "VmRSS:").map(|kib| kib * 1024)),
        ("process_virtual_memory_bytes", "Address space in use.", field(&status, "VmSize:").map(|kib| kib * 1024)),
        ("process_threads", "Threads.", field(&status, "Threads:")),
        ("process_open_fds", "Open files.", files),
        ("process_max_fds", "Files that may be open.", file_limit()),
    ];
    numbers.into_iter().filter_map(|(name, help, value)| Some(single(name, help, Kind::Gauge, value?))).collect()
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn file_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(test)]
mod tests {
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
    fn this_process_has_memory_files_and_threads() {
        assert_eq!(collect().len(), 5);
    }
}
