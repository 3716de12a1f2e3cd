//! What processes have used, out of the texts of `/proc`. Pure.

use serde::{Deserialize, Serialize};

use crate::series::Intervals;

/// What had been used by a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// CPU seconds of the server's processes.
    pub server_cpu_s: f64,
    /// Their resident memory.
    pub server_rss_bytes: u64,
    /// Bytes that they have had written to disk.
    pub server_written_bytes: u64,
    /// Bytes that they have had read from disk.
    pub server_read_bytes: u64,
    /// CPU seconds of this process.
    pub generator_cpu_s: f64,
    /// CPU seconds of everything on the machine.
    pub machine_busy_s: f64,
}

/// What was used in an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UsagePoint {
    /// Where the interval begins, in seconds since the end of the warm-up.
    pub at_s: f64,
    /// Cores' worth of CPU time of the server.
    pub server_cores: f64,
    /// Its resident memory at the end.
    pub server_rss_bytes: u64,
    /// Bytes a second that it had written to disk.
    pub server_written_bytes_per_s: f64,
    /// Bytes a second that it had read from disk.
    pub server_read_bytes_per_s: f64,
    /// Cores' worth of CPU time of the load generator.
    pub generator_cores: f64,
    /// Cores' worth of CPU time of everything on the machine.
    pub machine_cores: f64,
}

/// What was used in a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Whether the server's processes are known; without, its figures are 0.
    pub server_is_watched: bool,
    /// Mean cores' worth of CPU time of the server.
    pub server_cores: f64,
    /// The most memory that it had.
    pub server_rss_max_bytes: u64,
    /// Bytes that it had written to disk.
    pub server_written_bytes: u64,
    /// Mean cores' worth of CPU time of everything on the machine.
    pub machine_cores: f64,
    /// Each interval.
    pub points: Vec<UsagePoint>,
}

/// Turns samples into what was used between them.
#[derive(Debug)]
pub struct UsageMeter {
    intervals: Intervals,
    /// The first and the last sample of the measured time, with the seconds and the interval of each.
    first: Option<(f64, Sample)>,
    last: Option<(f64, Sample)>,
    begun: Option<(u32, f64, Sample)>,
    usage: Usage,
}

impl UsageMeter {
    /// A meter of a run; `server_is_watched` as the report will say.
    #[must_use]
    pub fn new(intervals: Intervals, server_is_watched: bool) -> Self {
        let usage = Usage { server_is_watched, ..Usage::default() };
        Self { intervals, first: None, last: None, begun: None, usage }
    }

    /// Whether a sample at this time would begin or end an interval.
    #[must_use]
    pub fn is_due(&self, at: std::time::Duration) -> bool {
        let index = self.intervals.index(at);
        index.is_some() && index != self.begun.map(|(index, _, _)| index)
    }

    /// A sample, taken at this time.
    pub fn sample(&mut self, at: std::time::Duration, sample: Sample) {
        let Some(index) = self.intervals.index(at) else { return };
        let seconds = at.as_secs_f64();
        self.first.get_or_insert((seconds, sample));
        self.last = Some((seconds, sample));
        if let Some((begun, from, before)) = self.begun
            && let Some(point) = between(before, sample, seconds - from)
        {
            let at_s = f64::from(begun) * self.intervals.length().as_secs_f64();
            self.usage.points.push(UsagePoint { at_s, ..point });
        }
        self.usage.server_rss_max_bytes = self.usage.server_rss_max_bytes.max(sample.server_rss_bytes);
        self.begun = Some((index, seconds, sample));
    }

    /// All of it.
    #[must_use]
    pub fn finish(mut self) -> Usage {
        if let (Some((from, first)), Some((to, last))) = (self.first, self.last)
            && let Some(whole) = between(first, last, to - from)
        {
            self.usage.server_cores = round(whole.server_cores);
            self.usage.machine_cores = round(whole.machine_cores);
            self.usage.server_written_bytes = last.server_written_bytes.saturating_sub(first.server_written_bytes);
        }
        self.usage
    }
}

/// `None` if no time lies between them.
fn between(before: Sample, after: Sample, seconds: f64) -> Option<UsagePoint> {
    let per_second = |before: f64, after: f64| (after - before).max(0.0) / seconds;
    let bytes = |before: u64, after: u64| to_f64(after.saturating_sub(before)) / seconds;
    (seconds > 0.0).then(|| UsagePoint {
        at_s: 0.0,
        server_cores: round(per_second(before.server_cpu_s, after.server_cpu_s)),
        server_rss_bytes: after.server_rss_bytes,
        server_written_bytes_per_s: bytes(before.server_written_bytes, after.server_written_bytes).round(),
        server_read_bytes_per_s: bytes(before.server_read_bytes, after.server_read_bytes).round(),
        generator_cores: round(per_second(before.generator_cpu_s, after.generator_cpu_s)),
        machine_cores: round(per_second(before.machine_busy_s, after.machine_busy_s)),
    })
}

/// Ticks that a process has run, from `/proc/PID/stat`.
#[must_use]
pub fn process_ticks(stat: &str) -> Option<u64> {
    // The name may hold anything, but for the last parenthesis. Then the state is field 3, user time 14, system time 15.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let mut next = || times.next()?.parse::<u64>().ok();
    next()?.checked_add(next()?)
}

/// Ticks that all processors have been at work, from `/proc/stat`: not idle, and not waiting for a disk.
#[must_use]
pub fn machine_ticks(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let times: Vec<u64> = line.split_whitespace().filter_map(|time| time.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are in user already.
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = times.as_slice() else { return None };
    Some(user + nice + system + irq + softirq + steal)
}

/// The number after `name:`, of `/proc/PID/status` or `/proc/PID/io`.
#[must_use]
pub fn number(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_whitespace().next()?.parse().ok()
}

/// The inode of the socket that listens at a port, from `/proc/net/tcp` or `/proc/net/tcp6`.
#[must_use]
pub fn listening_inode(table: &str, port: u16) -> Option<u64> {
    const LISTENING: &str = "0A";
    let suffix = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = fields.get(1)?.ends_with(&suffix) && *fields.get(3)? == LISTENING;
        if is_it { fields.get(9)?.parse().ok() } else { None }
    })
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "bytes and ticks of a run stay far below 2^52")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn texts_of_proc_are_read() {
        let stat = "17 (a) b) (c) R 1 17 17 0 -1 4194304 99 0 0 0 250 50 0 0 20 0 4 0 100 1000 200";
        assert_eq!(process_ticks(stat), Some(300));
        assert_eq!(machine_ticks("cpu  100 1 20 9000 50 3 4 5 6 7\ncpu0 1 2 3\n"), Some(133));
        assert_eq!(number("Name:\tx\nVmRSS:\t   2048 kB\n", "VmRSS"), Some(2_048));
        assert_eq!(number("rchar: 1\nwrite_bytes: 4096\n", "write_bytes"), Some(4_096));
        assert_eq!((process_ticks(""), machine_ticks("cpu  1 2"), number("x", "x")), (None, None, None));
    }

    #[test]
    fn only_a_listening_socket_of_the_port_is_found() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1F91 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 111 1\n\
            1: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1\n";
        assert_eq!(listening_inode(table, 8_081), Some(222));
        assert_eq!(listening_inode(table, 8_082), None);
    }

    #[test]
    fn usage_is_what_lies_between_samples_of_the_measured_time() {
        let mut meter = UsageMeter::new(Intervals::of_run(Duration::from_secs(1), Duration::from_secs(9)), true);
        let sample = |cpu: f64, rss: u64, written: u64| Sample {
            server_cpu_s: cpu,
            server_rss_bytes: rss,
            server_written_bytes: written,
            ..Sample::default()
        };
        assert!(!meter.is_due(Duration::from_millis(999)));
        meter.sample(Duration::from_millis(999), sample(50.0, 999, 0));
        meter.sample(Duration::from_secs(1), sample(100.0, 10, 1_000));
        assert!(!meter.is_due(Duration::from_millis(1_900)) && meter.is_due(Duration::from_secs(2)));
        meter.sample(Duration::from_secs(2), sample(100.5, 30, 3_000));
        meter.sample(Duration::from_secs(4), sample(103.5, 20, 3_000));
        let usage = meter.finish();
        let cores: Vec<f64> = usage.points.iter().map(|point| point.server_cores).collect();
        assert_eq!(cores, [0.5, 1.5]);
        assert!((usage.points[0].server_written_bytes_per_s - 2_000.0).abs() < 1e-6);
        assert!((usage.server_cores - 3.5 / 3.0).abs() < 0.001, "{usage:?}");
        assert_eq!((usage.server_rss_max_bytes, usage.server_written_bytes), (30, 2_000));
    }
}
