//! The plots of one run, and of several together.

use super::axis::Scale;
use super::bars::bars;
use super::plot::{Axis, Line, Plot};
use crate::recorder::{CurvePoint, Measure};
use crate::report::{Report, units};
use crate::series::{PointLatency, SeriesPoint};

/// Lines in one plot: more are not told apart.
const LINES_MAX: usize = 8;

/// Rates as bars, and the curves of all runs in one plot for each measure.
pub(super) fn together(names: &[String], reports: &[Report]) -> String {
    let rates: Vec<(String, f64)> =
        names.iter().zip(reports).map(|(name, report)| (name.clone(), report.result.messages_per_s)).collect();
    let mut html =
        format!("<h3>Messages a second</h3>\n{}", bars("Messages a second of each run", &rates, units::count));
    for measure in [Measure::EndToEnd, Measure::Publish] {
        let of_run = |(name, report): (&String, &Report)| {
            let curve = report.result.curves.get(&measure)?;
            (report.main_measure() == Some(measure)).then(|| Line { name: name.clone(), points: curve_points(curve) })
        };
        let lines: Vec<Line> = names.iter().zip(reports).filter_map(of_run).collect();
        if lines.len() < 2 {
            continue;
        }
        for (part, lines) in lines.chunks(LINES_MAX).enumerate() {
            let more = if part == 0 { "" } else { ", more runs" };
            let title = format!("Latency by percentile, {}{more}", label(measure));
            let plot = curve_plot(&title, lines.to_vec());
            html.extend(["<h3>", &title, "</h3>\n", &plot]);
        }
    }
    html
}

/// The percentile curves of a run.
pub(super) fn curves(report: &Report) -> Option<String> {
    let lines: Vec<Line> = report
        .result
        .curves
        .iter()
        .map(|(measure, curve)| Line { name: label(*measure).to_owned(), points: curve_points(curve) })
        .collect();
    (!lines.is_empty()).then(|| curve_plot("Latency by percentile", lines))
}

/// Messages a second over time.
pub(super) fn throughput(report: &Report) -> Option<String> {
    let result = &report.result;
    // An interval that the run ended in would look like a fall.
    let end = report.workload.duration.as_secs_f64().min(result.elapsed_s) + 0.01;
    let per_second = |of: fn(&SeriesPoint) -> u64| {
        move |point: &SeriesPoint| {
            (point.at_s + result.interval_s <= end).then(|| to_f64(of(point)) / result.interval_s)
        }
    };
    let candidates = [
        series_line("published", report, per_second(|point| point.published)),
        series_line("delivered", report, per_second(|point| point.delivered)),
        series_line("failed", report, per_second(|point| point.errors)),
    ];
    let lines: Vec<Line> = candidates.into_iter().filter(|line| line.points.iter().any(|(_, y)| *y > 0.0)).collect();
    let scale = Scale::linear(all_y(&lines));
    time_plot("Messages a second", "messages/s", scale, units::count, lines)
}

/// Latency over time: of what the run is about.
pub(super) fn latency(report: &Report) -> Option<String> {
    let measure = report.main_measure()?;
    let of = |of: fn(&PointLatency) -> f64| move |point: &SeriesPoint| point.latency.get(&measure).map(of);
    let lines = vec![
        series_line("p50", report, of(|latency| latency.p50_us)),
        series_line("p99", report, of(|latency| latency.p99_us)),
        series_line("max", report, of(|latency| latency.max_us)),
    ];
    let title = format!("Latency over time, {}", label(measure));
    let scale = Scale::log(all_y(&lines));
    time_plot(&title, "latency", scale, units::time, lines)
}

/// CPU time over time.
pub(super) fn cpu(report: &Report) -> Option<String> {
    let usage = &report.result.usage;
    let line = |name: &str, of: fn(&crate::resources::UsagePoint) -> f64| Line {
        name: name.to_owned(),
        points: usage.points.iter().map(|point| (point.at_s, of(point))).collect(),
    };
    let mut lines =
        vec![line("load generator", |point| point.generator_cores), line("whole machine", |point| point.machine_cores)];
    if usage.server_is_watched {
        lines.insert(0, line("server", |point| point.server_cores));
    }
    let scale = Scale::linear(all_y(&lines));
    time_plot("Cores at work", "cores", scale, units::count, lines)
}

/// The server's memory over time.
pub(super) fn memory(report: &Report) -> Option<String> {
    let usage = &report.result.usage;
    if !usage.server_is_watched {
        return None;
    }
    let mebibytes = |bytes: u64| to_f64(bytes) / 1_048_576.0;
    let points = usage.points.iter().map(|point| (point.at_s, mebibytes(point.server_rss_bytes))).collect();
    let lines = vec![Line { name: "server".to_owned(), points }];
    let scale = Scale::linear(all_y(&lines));
    time_plot("Memory of the server", "MiB", scale, units::count, lines)
}

/// What a measure is called on a page.
pub(super) fn label(measure: Measure) -> &'static str {
    match measure {
        Measure::Publish => "until acknowledged",
        Measure::SendDelay => "until sent (send delay)",
        Measure::Pull => "pull",
        Measure::Ack => "ack",
        Measure::Read => "read",
        Measure::EndToEnd => "end to end",
        Measure::WakeDelay => "the load generator's own delay",
    }
}

fn curve_plot(title: &str, lines: Vec<Line>) -> String {
    let last = lines.iter().flat_map(|line| &line.points).map(|(quantile, _)| *quantile).fold(0.9, f64::max);
    let plot = Plot {
        title: title.to_owned(),
        description: "Across: the share of requests; up: the time within which that share was done. The same figures are in the tables."
            .to_owned(),
        x: Axis { label: "percentile".to_owned(), scale: Scale::Nines { max: last.min(0.999_999) }, write: percentile },
        y: Axis { label: "latency".to_owned(), scale: Scale::log(all_y(&lines)), write: units::time },
        lines,
    };
    plot.html()
}

/// `None` if there is nothing to draw a line between.
fn time_plot(title: &str, label: &str, scale: Scale, write: fn(f64) -> String, lines: Vec<Line>) -> Option<String> {
    if lines.iter().all(|line| line.points.len() < 2) {
        return None;
    }
    let last = lines.iter().flat_map(|line| &line.points).map(|(at, _)| *at).fold(0.0, f64::max);
    let plot = Plot {
        title: title.to_owned(),
        description: "Across: seconds since the end of the warm-up. The same figures are in the table of each second."
            .to_owned(),
        x: Axis { label: "seconds".to_owned(), scale: Scale::Linear { max: last }, write: units::count },
        y: Axis { label: label.to_owned(), scale, write },
        lines,
    };
    Some(plot.html())
}

fn series_line(name: &str, report: &Report, of: impl Fn(&SeriesPoint) -> Option<f64>) -> Line {
    let points = report.result.series.iter().filter_map(|point| Some((point.at_s, of(point)?)));
    Line { name: name.to_owned(), points: points.collect() }
}

fn curve_points(curve: &[CurvePoint]) -> Vec<(f64, f64)> {
    curve.iter().map(|CurvePoint(quantile, micros)| (*quantile, *micros)).collect()
}

fn all_y(lines: &[Line]) -> impl Iterator<Item = f64> {
    lines.iter().flat_map(|line| &line.points).map(|(_, y)| *y)
}

/// `0`, `50`, `99`, `99.9`.
fn percentile(quantile: f64) -> String {
    let text = format!("{:.4}", quantile * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run stay far below 2^52")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::report::tests::example_report;

    #[test]
    fn percentiles_have_no_idle_digits() {
        assert_eq!([0.0, 0.5, 0.9, 0.999, 0.999_999].map(percentile), ["0", "50", "90", "99.9", "99.9999"]);
    }

    #[test]
    fn a_run_has_a_curve_and_its_points_have_values() {
        let html = curves(&example_report()).unwrap();
        assert!(html.contains("until acknowledged, 90: 9.00 ms"), "{html}");
        assert!(html.contains("<title>Latency by percentile</title>"));
    }

    #[test]
    fn one_second_is_no_line() {
        assert_eq!(throughput(&example_report()), None);
        let mut report = example_report();
        (report.workload.duration, report.result.elapsed_s) = (Duration::from_secs(2), 2.0);
        report.result.series.truncate(1);
        report.result.series.push(SeriesPoint { at_s: 1.0, published: 70, ..SeriesPoint::default() });
        let html = throughput(&report).unwrap();
        assert!(html.contains("published, 1: 70"), "{html}");
    }

    #[test]
    fn curves_of_several_runs_are_in_one_plot() {
        let reports = [example_report(), example_report()];
        let html = together(&["a".to_owned(), "b".to_owned()], &reports);
        assert_eq!(html.matches("<polyline").count(), 2);
        assert_eq!(html.matches("<rect").count(), 2);
    }
}
