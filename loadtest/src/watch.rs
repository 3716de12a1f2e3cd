//! Watches the processes of a run: the server's, this one, and the machine as a whole.

use std::fs;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::time::Duration;

use crate::resources::{Sample, Usage, UsageMeter, listening_inode, machine_ticks, number, process_ticks};
use crate::series::Intervals;

/// In which the kernel tells times to programs, on every processor that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Takes samples when they are due.
#[derive(Debug)]
pub struct Watch {
    server: Vec<u32>,
    meter: UsageMeter,
}

impl Watch {
    /// Watches these processes as the server.
    #[must_use]
    pub fn new(server: &[u32], intervals: Intervals) -> Self {
        Self { server: server.to_vec(), meter: UsageMeter::new(intervals, !server.is_empty()) }
    }

    /// Takes a sample, if one is due at this time of the run.
    pub fn tick(&mut self, at: Duration) {
        if self.meter.is_due(at) {
            self.meter.sample(at, sample(&self.server));
        }
    }

    /// What was used.
    #[must_use]
    pub fn finish(self) -> Usage {
        self.meter.finish()
    }
}

/// A process that is gone, or can't be looked into, has used nothing.
fn sample(server: &[u32]) -> Sample {
    let seconds = |ticks: u64| to_f64(ticks) / TICKS_PER_SECOND;
    let read = |path: String| fs::read_to_string(path).unwrap_or_default();
    let mut sample = Sample {
        generator_cpu_s: process_ticks(&read("/proc/self/stat".to_owned())).map_or(0.0, seconds),
        machine_busy_s: machine_ticks(&read("/proc/stat".to_owned())).map_or(0.0, seconds),
        ..Sample::default()
    };
    for pid in server {
        let io = read(format!("/proc/{pid}/io"));
        sample.server_cpu_s += process_ticks(&read(format!("/proc/{pid}/stat"))).map_or(0.0, seconds);
        let rss_kib = number(&read(format!("/proc/{pid}/status")), "VmRSS").unwrap_or(0);
        sample.server_rss_bytes += rss_kib.saturating_mul(1_024);
        sample.server_written_bytes += number(&io, "write_bytes").unwrap_or(0);
        sample.server_read_bytes += number(&io, "read_bytes").unwrap_or(0);
    }
    sample
}

/// The process that listens at `HOST:PORT`, if that is this machine and the process can be looked into.
#[must_use]
pub fn listener(authority: &str) -> Option<u32> {
    let address = authority.to_socket_addrs().ok()?.find(|address| is_loopback(address.ip()))?;
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let inode = tables.iter().find_map(|table| listening_inode(table, address.port()))?;
    let socket = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).find(|pid| {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        files.filter_map(|file| fs::read_link(file.path()).ok()).any(|target| target.to_str() == Some(&socket))
    })
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[expect(clippy::cast_precision_loss, reason = "ticks stay far below 2^52")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_process_that_listens_is_found() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        assert_eq!(listener(&address.to_string()), Some(std::process::id()));
        drop(socket);
        assert_eq!(listener(&address.to_string()), None);
    }

    #[test]
    fn another_machine_is_not_looked_for() {
        assert_eq!(listener("192.0.2.1:80"), None);
        assert_eq!(listener("nonsense"), None);
    }

    #[test]
    fn this_process_has_memory_and_uses_time() {
        let own = [std::process::id()];
        let before = sample(&own);
        assert!(before.server_rss_bytes > 0);
        let mut sum = 0_u64;
        // A tick is ten milliseconds.
        let has_grown =
            |now: Sample| now.server_cpu_s > before.server_cpu_s && now.machine_busy_s > before.machine_busy_s;
        while !has_grown(sample(&own)) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
    }
}
