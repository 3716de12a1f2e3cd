//! The report for people.

use std::io::{self, Write};
use std::time::Duration;

use crate::report::compare::cpu_of_a_message;
use crate::report::{Report, units};
use crate::workload::{Kind, Workload};

/// Writes it as text of some twenty lines.
///
/// # Errors
///
/// When `out` fails.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let result = &report.result;
    writeln!(out, "{}", describe(&report.workload))?;
    writeln!(out, "{}", describe_server(report))?;
    writeln!(out)?;
    write_steps(report, out)?;
    writeln!(
        out,
        "{:.1} messages/s, {:.1} requests/s, {:.1} MB/s of payload",
        result.messages_per_s, result.requests_per_s, result.payload_mb_per_s
    )?;
    writeln!(out, "{} messages in {} requests over {:.3} s", result.messages, result.requests, result.elapsed_s)?;
    write_latencies(report, out)?;
    write_faults(report, out)?;
    write_usage(report, out)?;
    for warning in &report.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(())
}

/// The figures that count most, in a line.
#[must_use]
pub fn headline(report: &Report) -> String {
    let result = &report.result;
    let latency =
        report.main_measure().and_then(|measure| result.latency.get(&measure)).map_or_else(String::new, |latency| {
            format!(", p50 {}, p99 {}", units::time(latency.p50_us), units::time(latency.p99_us))
        });
    format!("{} messages/s{latency}", units::count(result.messages_per_s))
}

fn write_steps(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.steps.is_empty() {
        return Ok(());
    }
    writeln!(out, "{:>14}{:>14}{:>10}{:>10}", "rate", "published/s", "p50", "p99")?;
    for step in &report.steps {
        let missed = step.missed.as_ref().map(|why| format!("  missed: {why}")).unwrap_or_default();
        let (p50, p99) = (time_text(step.p50_us), time_text(step.p99_us));
        writeln!(out, "{:>14}{:>14.1}{p50:>10}{p99:>10}{missed}", step.rate, step.messages_per_s)?;
    }
    let highest = report.steps.iter().filter(|step| step.missed.is_none()).map(|step| step.rate).max();
    match highest {
        Some(rate) => writeln!(out, "highest rate that was reached: {rate} messages/s; what follows is that run\n"),
        None => writeln!(out, "no rate was reached; what follows is the last run\n"),
    }
}

fn write_usage(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let usage = &report.result.usage;
    if usage.server_is_watched {
        #[expect(clippy::cast_precision_loss, reason = "bytes of a run stay far below 2^52")]
        let [memory, written] =
            [usage.server_rss_max_bytes, usage.server_written_bytes].map(|all| units::bytes(all as f64));
        write!(out, "server: {:.2} cores, at most {memory} of memory, {written} written to disk", usage.server_cores)?;
        match cpu_of_a_message(report) {
            Some(micros) => writeln!(out, ", {} of CPU a message", units::time(micros))?,
            None => writeln!(out)?,
        }
    }
    writeln!(out, "load generator: {:.2} cores", report.result.generator.cpu_cores)
}

fn describe_server(report: &Report) -> String {
    let server = &report.server;
    let version = server.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let durability = server.durability.as_ref().map(|durability| format!(", {durability}")).unwrap_or_default();
    format!("{}{version}{durability}", server.product)
}

fn write_latencies(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.result.latency.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(
        out,
        "{:<12}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "latency", "count", "mean", "p50", "p90", "p99", "p99.9", "max"
    )?;
    for (measure, latency) in &report.result.latency {
        write!(out, "{:<12}{:>10}", measure.name(), latency.count)?;
        let times = [latency.mean_us, latency.p50_us, latency.p90_us, latency.p99_us, latency.p999_us, latency.max_us];
        for time in times {
            write!(out, "{:>10}", time_text(time))?;
        }
        writeln!(out)?;
    }
    writeln!(out)
}

fn write_faults(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let result = &report.result;
    for (code, count) in &result.errors {
        writeln!(out, "error {code}: {count}")?;
    }
    if result.connections_lost > 0 {
        writeln!(out, "connections lost: {}", result.connections_lost)?;
    }
    if let Some(deliveries) = &result.deliveries {
        writeln!(
            out,
            "delivered {} of {} acknowledged: {} lost, {} duplicates, {} out of order",
            deliveries.delivered,
            deliveries.acknowledged,
            deliveries.lost,
            deliveries.duplicates,
            deliveries.out_of_order
        )?;
    }
    Ok(())
}

/// What a run did, in a sentence.
#[must_use]
pub fn describe(workload: &Workload) -> String {
    let (publish, consume) = (&workload.publish, &workload.consume);
    let pace = match (publish.rate, publish.ramp) {
        (Some(rate), Some(ramp)) => format!("open loop from {rate} to {} messages/s", ramp.to),
        (Some(rate), None) => format!("open loop at {rate} messages/s"),
        (None, _) => format!("closed loop, {} in flight each", publish.in_flight),
    };
    let topics = if workload.topics == 1 { String::new() } else { format!(" to {} topics", workload.topics) };
    let publishing = format!(
        "{} connections{topics} ({}), batches of {} x {} bytes, {pace}",
        publish.connections,
        publish.protocol.name(),
        publish.batch(),
        publish.sizes
    );
    let subscriptions = match consume.subscriptions {
        1 => String::new(),
        several => format!(" of {several} subscriptions each"),
    };
    let consuming = format!(
        "{} consumers{subscriptions} ({}), up to {} at once",
        consume.connections,
        consume.protocol.name(),
        consume.batch
    );
    match workload.kind {
        Kind::Publish => format!("publish: {publishing}"),
        Kind::Consume => format!("consume: {consuming}"),
        Kind::EndToEnd => format!("end-to-end: {publishing}; {consuming}"),
        Kind::Read => {
            format!("read: {} readers ({}), pages of {}", consume.connections, consume.protocol.name(), consume.batch)
        }
        Kind::FanOut => format!("fan-out: {publishing}; {}", readers(workload)),
    }
}

fn readers(workload: &Workload) -> String {
    workload.fan_out.map_or_else(String::new, |plan| format!("{} readers ({})", plan.readers, plan.protocol.name()))
}

/// Three digits and a unit.
fn time_text(micros: f64) -> String {
    let time = Duration::from_secs_f64(micros.max(0.0) / 1e6);
    format!("{time:.2?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::example_report;
    use crate::saturation::Step;

    #[test]
    fn a_search_shows_what_came_of_each_rate() {
        let mut report = example_report();
        let step = |rate, missed: Option<&str>| Step {
            rate,
            messages_per_s: 99.0,
            p50_us: 1_000.0,
            p99_us: 2_000.0,
            missed: missed.map(str::to_owned),
        };
        report.steps = vec![step(100, None), step(200, Some("p99 was above 1 ms")), step(150, None)];
        let mut bytes = Vec::new();
        write(&report, &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        for part in ["missed: p99 was above 1 ms", "highest rate that was reached: 150 messages/s"] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
    }

    #[test]
    fn the_text_says_what_counts() {
        let mut bytes = Vec::new();
        write(&example_report(), &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        for part in
            ["100.0 messages/s", "publish", "p99.9", "10.00ms", "error overloaded: 1", "warning: the load generator"]
        {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
    }
}
