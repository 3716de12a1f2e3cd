//! A run's result as it is shown and kept.

pub mod compare;
pub mod html;
pub mod json;
pub mod text;
pub mod units;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::deliveries::Verdict;
use crate::fan_out;
use crate::limits::{MACHINE_FULL_SHARE, SATURATED_SHARE, WAKE_DELAY_MAX};
use crate::machine::Machine;
use crate::recorder::{CurvePoint, Latency, Measure};
use crate::resources::Usage;
use crate::run::RunResult;
use crate::saturation::Step;
use crate::series::{Intervals, SeriesPoint};
use crate::server::ServerInfo;
use crate::workload::{Kind, Workload};

/// Version of the report's shape; a change that a reader would notice raises it.
pub const REPORT_FORMAT: u32 = 2;

/// Everything about a run that another run is compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// `REPORT_FORMAT`.
    pub format: u32,
    /// The tool's version.
    pub version: String,
    /// The command that makes the same run again.
    pub command: Vec<String>,
    /// When the run began, in milliseconds since 1970.
    pub started_unix_ms: u64,
    /// Where it ran.
    pub machine: Machine,
    /// What was measured.
    #[serde(default)]
    pub server: ServerInfo,
    /// What it did; after a search for the highest rate, at that rate.
    pub workload: Workload,
    /// What came of it.
    pub result: Outcome,
    /// The rates that were tried, if the highest was looked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// What a reader must know before trusting the figures.
    pub warnings: Vec<String>,
}

/// What a report says of where it comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The command line.
    pub command: Vec<String>,
    /// When the run began, in milliseconds since 1970.
    pub started_unix_ms: u64,
    /// Where it ran.
    pub machine: Machine,
}

/// The figures of a run. All exclude the warm-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it; docs/performance.md says how each is counted")]
pub struct Outcome {
    pub elapsed_s: f64,
    pub requests: u64,
    /// Those that the run is about: delivered, or else published.
    pub messages: u64,
    #[serde(default)]
    pub published: u64,
    #[serde(default)]
    pub delivered: u64,
    pub payload_bytes: u64,
    pub requests_per_s: f64,
    pub messages_per_s: f64,
    pub payload_mb_per_s: f64,
    pub errors: BTreeMap<String, u64>,
    pub unsent: u64,
    pub unanswered: u64,
    pub connections_lost: u64,
    pub latency: BTreeMap<Measure, Latency>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliveries: Option<Verdict>,
    pub generator: Generator,
    #[serde(default)]
    pub usage: Usage,
    #[serde(default)]
    pub curves: BTreeMap<Measure, Vec<CurvePoint>>,
    #[serde(default)]
    pub interval_s: f64,
    #[serde(default)]
    pub series: Vec<SeriesPoint>,
}

/// How busy the load generator itself was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// Cores' worth of CPU time that its worker threads used.
    pub cpu_cores: f64,
    /// Whether its worker threads had hardly any time left: the server may be faster than the figures.
    pub saturated: bool,
}

impl Report {
    /// The report of a finished run.
    #[must_use]
    pub fn new(workload: &Workload, result: &RunResult, steps: Vec<Step>, origin: Origin) -> Self {
        let outcome = Outcome::of(workload, result);
        Self {
            format: REPORT_FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command: origin.command,
            started_unix_ms: origin.started_unix_ms,
            warnings: warnings(workload, origin.machine.cores, &outcome),
            machine: origin.machine,
            server: result.server.clone(),
            workload: workload.clone(),
            result: outcome,
            steps,
        }
    }

    /// What people call it: the workload's name, or else its kind; of a peer with that.
    #[must_use]
    pub fn title(&self) -> String {
        let Workload { name, kind, target, .. } = &self.workload;
        match name {
            Some(name) => name.clone(),
            None if target.is_peer() => format!("{} {}", target.name(), kind.name()),
            None => kind.name().to_owned(),
        }
    }

    /// The latency that a run of its kind is about.
    #[must_use]
    pub fn main_measure(&self) -> Option<Measure> {
        let preferred = [Measure::EndToEnd, Measure::Publish, Measure::Pull, Measure::Read, Measure::Ack];
        preferred.into_iter().find(|measure| self.result.latency.contains_key(measure))
    }

    /// Whether the run shows a fault of the server: messages lost or out of order.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.result.deliveries.as_ref().is_none_or(Verdict::is_sound)
    }
}

impl Outcome {
    /// The figures of a finished run.
    #[must_use]
    pub fn of(workload: &Workload, result: &RunResult) -> Self {
        let counts = result.recorder.counts();
        let elapsed = elapsed(workload, result).as_secs_f64();
        let (messages, payload_bytes) = if workload.kind.delivers() {
            (counts.delivered, counts.delivered_bytes)
        } else {
            (counts.published, counts.published_bytes)
        };
        let mut latency = result.recorder.latencies();
        let mut curves = result.recorder.curves();
        if workload.publish.rate.is_none() {
            // In a closed loop a request is due when it is sent.
            latency.remove(&Measure::SendDelay);
            curves.remove(&Measure::SendDelay);
        }
        let cpu_cores = per_second(result.cpu.as_secs_f64(), result.wall.as_secs_f64());
        Self {
            elapsed_s: round(elapsed, 1_000.0),
            requests: counts.requests,
            messages,
            published: counts.published,
            delivered: counts.delivered,
            payload_bytes,
            requests_per_s: round(per_second(to_f64(counts.requests), elapsed), 10.0),
            messages_per_s: round(per_second(to_f64(messages), elapsed), 10.0),
            payload_mb_per_s: round(per_second(to_f64(payload_bytes) / 1e6, elapsed), 10.0),
            errors: result.recorder.errors().clone(),
            unsent: counts.unsent,
            unanswered: counts.unanswered,
            connections_lost: counts.connections_lost,
            latency,
            deliveries: verdict(workload, result),
            generator: Generator {
                cpu_cores: round(cpu_cores, 100.0),
                saturated: cpu_cores >= SATURATED_SHARE * to_f64(workload.workers as u64),
            },
            usage: result.usage.clone(),
            curves,
            interval_s: Intervals::of_run(workload.warm_up, workload.duration).length().as_secs_f64(),
            series: result.recorder.series().points(),
        }
    }
}

fn verdict(workload: &Workload, result: &RunResult) -> Option<Verdict> {
    match workload.kind {
        Kind::EndToEnd => {
            let subscriptions = workload.topics.saturating_mul(workload.consume.subscriptions);
            let owes = |stream, subscription: u32| {
                workload.topic_of_stream(stream) == subscription.checked_rem(workload.topics).unwrap_or(0)
            };
            Some(result.deliveries.verdict(subscriptions, owes))
        }
        Kind::FanOut => Some(fan_out::verdict(result.deliveries.publishers(), &result.readers)),
        Kind::Publish | Kind::Consume | Kind::Read => None,
    }
}

/// From the end of the warm-up to the last success, or to the planned end in an open loop that finished early.
fn elapsed(workload: &Workload, result: &RunResult) -> Duration {
    let last = result.recorder.last_success().saturating_sub(workload.warm_up);
    let paced = workload.publish.rate.is_some() && workload.messages_max.is_none();
    match workload.kind {
        Kind::Publish | Kind::FanOut if paced => last.max(workload.duration),
        Kind::Publish | Kind::Consume | Kind::EndToEnd | Kind::Read | Kind::FanOut => last,
    }
}

fn warnings(workload: &Workload, cores: usize, outcome: &Outcome) -> Vec<String> {
    let mut warnings = generator_warnings(workload, cores, outcome);
    if outcome.unsent > 0 {
        warnings.push(format!(
            "the rate was not reached: {} requests were due and not sent; their wait is part of the latencies",
            outcome.unsent
        ));
    }
    if outcome.unanswered > 0 {
        warnings
            .push(format!("{} requests were not answered; their wait is part of the latencies", outcome.unanswered));
    }
    if outcome.requests == 0 {
        warnings.push("nothing succeeded within the measured time".to_owned());
    }
    if let Some(deliveries) = outcome.deliveries.filter(|deliveries| !deliveries.is_sound()) {
        warnings.push(format!("{} messages lost, {} out of order", deliveries.lost, deliveries.out_of_order));
    }
    warnings
}

/// Whether the tool itself, or the machine that it shares with the server, bounded the figures.
fn generator_warnings(workload: &Workload, cores: usize, outcome: &Outcome) -> Vec<String> {
    let mut warnings = Vec::new();
    let usage = &outcome.usage;
    let all = SATURATED_SHARE * to_f64(workload.workers as u64);
    let busy = usage.points.iter().filter(|point| point.generator_cores >= all).count();
    if outcome.generator.saturated {
        warnings.push(format!(
            "the load generator is the bottleneck: it used {:.2} cores with {} worker(s); the server may be faster",
            outcome.generator.cpu_cores, workload.workers
        ));
    } else if busy * 10 > usage.points.len() {
        warnings.push(format!(
            "the load generator had no time left in {busy} of {} intervals; the server may be faster",
            usage.points.len()
        ));
    }
    let late = outcome.latency.get(&Measure::WakeDelay).map_or(0.0, |delay| delay.p99_us);
    if late > WAKE_DELAY_MAX.as_secs_f64() * 1e6 {
        warnings.push(format!(
            "the load generator was late by itself: one request in a hundred was sent {:.1} ms or more after its time, \
             though a connection was free",
            late / 1e3
        ));
    }
    if usage.server_is_watched && usage.machine_cores >= MACHINE_FULL_SHARE * to_f64(cores as u64) {
        warnings.push(format!(
            "all {cores} cores of the machine were busy: the server and the load generator take time from each other"
        ));
    }
    warnings
}

fn per_second(count: f64, seconds: f64) -> f64 {
    if seconds > 0.0 { count / seconds } else { 0.0 }
}

fn round(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fan_out::ReaderCheck;
    use crate::recorder::Recorder;
    use crate::stamp::Stamp;
    use crate::subscriptions::SubscriptionChecks;
    use crate::workload::tests::example;

    /// Ten requests of ten messages each, 1 to 10 ms, one refused, over one second.
    pub(crate) fn example_result() -> RunResult {
        let mut recorder = Recorder::new(Intervals::of_run(Duration::ZERO, Duration::from_secs(1)));
        for milliseconds in 1..=10 {
            let at = Duration::from_millis(100 * milliseconds);
            recorder.sample(Measure::Publish, at, Duration::from_millis(milliseconds));
            recorder.published(at, 10, 2_560);
        }
        recorder.error("overloaded", Duration::from_millis(1), 1);
        let (cpu, wall) = (Duration::from_millis(950), Duration::from_secs(1));
        RunResult {
            recorder,
            deliveries: SubscriptionChecks::new(1),
            readers: Vec::new(),
            server: ServerInfo { product: "PubSubRing".to_owned(), ..ServerInfo::default() },
            usage: Usage::default(),
            cpu,
            wall,
        }
    }

    pub(crate) fn example_report() -> Report {
        let machine = Machine {
            cpu: Some("Example CPU".to_owned()),
            cores: 2,
            memory_bytes: Some(1 << 30),
            kernel: Some("Linux 6.18".to_owned()),
        };
        let command = ["pubsub-loadtest", "publish"].map(str::to_owned).to_vec();
        let origin = Origin { command, started_unix_ms: 1_700_000_000_000, machine };
        let mut report = Report::new(&example(Kind::Publish), &example_result(), Vec::new(), origin);
        report.version = "0.0.0".to_owned();
        report
    }

    #[test]
    fn rates_count_the_measured_time_only() {
        let mut workload = example(Kind::Publish);
        workload.warm_up = Duration::from_millis(500);
        let outcome = Outcome::of(&workload, &example_result());
        assert!((outcome.elapsed_s - 0.5).abs() < 1e-9);
        assert!((outcome.messages_per_s - 200.0).abs() < 1e-9);
    }

    #[test]
    fn an_idle_tail_of_an_open_loop_counts() {
        let mut workload = example(Kind::Publish);
        workload.publish.rate = std::num::NonZeroU64::new(100);
        workload.duration = Duration::from_secs(2);
        assert!((Outcome::of(&workload, &example_result()).messages_per_s - 50.0).abs() < 1e-9);
    }

    #[test]
    fn a_busy_generator_is_reported_as_the_bottleneck() {
        let mut workload = example(Kind::Publish);
        assert!(warnings(&workload, 2, &Outcome::of(&workload, &example_result()))[0].contains("bottleneck"));
        workload.workers = 2;
        assert!(warnings(&workload, 2, &Outcome::of(&workload, &example_result())).is_empty());
    }

    #[test]
    fn a_reader_that_lacks_a_message_makes_a_fan_out_unsound() {
        let mut result = example_result();
        result.deliveries.acknowledge(0, 0..1);
        result.readers = vec![ReaderCheck::new(1), ReaderCheck::new(1)];
        result.readers[0].deliver(Some(Stamp { run: 1, stream: 0, sequence: 0, intended_micros: 0 }), 0, 0);
        let report = Report::new(&example(Kind::FanOut), &result, Vec::new(), Origin::default());
        assert_eq!(report.result.deliveries.map(|verdict| (verdict.acknowledged, verdict.lost)), Some((2, 1)));
        assert!(!report.is_sound());
    }

    #[test]
    fn a_lost_message_makes_a_run_unsound() {
        let mut result = example_result();
        result.deliveries.acknowledge(0, 0..1);
        let report = Report::new(&example(Kind::EndToEnd), &result, Vec::new(), Origin::default());
        assert!(!report.is_sound());
        assert!(report.warnings.iter().any(|warning| warning.starts_with("1 messages lost")));
    }
}
