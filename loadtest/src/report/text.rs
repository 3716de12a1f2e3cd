//! The report for people.

use std::io::{self, Write};
use std::time::Duration;

use crate::report::Report;
use crate::workload::{Kind, Workload};

/// Writes it as text of some twenty lines.
///
/// # Errors
///
/// When `out` fails.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let result = &report.result;
    writeln!(out, "{}", describe(&report.workload))?;
    writeln!(out)?;
    writeln!(
        out,
        "{:.1} messages/s, {:.1} requests/s, {:.1} MB/s of payload",
        result.messages_per_s, result.requests_per_s, result.payload_mb_per_s
    )?;
    writeln!(out, "{} messages in {} requests over {:.3} s", result.messages, result.requests, result.elapsed_s)?;
    write_latencies(report, out)?;
    write_faults(report, out)?;
    writeln!(out, "load generator: {:.2} cores", result.generator.cpu_cores)?;
    for warning in &report.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(())
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

fn describe(workload: &Workload) -> String {
    let (publish, consume) = (&workload.publish, &workload.consume);
    let pace = match publish.rate {
        Some(rate) => format!("open loop at {rate} messages/s"),
        None => format!("closed loop, {} in flight each", publish.in_flight),
    };
    let publishing = format!(
        "{} connections ({:?}), batches of {} x {} bytes, {pace}",
        publish.connections,
        publish.protocol,
        publish.batch(),
        publish.message_bytes
    );
    let consuming =
        format!("{} consumers ({:?}), up to {} at once", consume.connections, consume.protocol, consume.batch);
    match workload.kind {
        Kind::Publish => format!("publish: {publishing}"),
        Kind::Consume => format!("consume: {consuming}"),
        Kind::EndToEnd => format!("end-to-end: {publishing}; {consuming}"),
        Kind::Read => format!("read: {} readers, pages of {}", consume.connections, consume.batch),
        Kind::FanOut => format!("fan-out: {publishing}; {}", readers(workload)),
    }
}

fn readers(workload: &Workload) -> String {
    workload.fan_out.map_or_else(String::new, |plan| format!("{} readers ({:?})", plan.readers, plan.protocol))
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
