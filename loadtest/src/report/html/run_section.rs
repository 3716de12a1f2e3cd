//! The section of one run.

use super::escape::escape;
use super::plots;
use super::summary::product;
use super::table::{Cell, Table};
use crate::report::compare::cpu_of_a_message;
use crate::report::{Report, text, units};

/// Its figures, warnings, plots and tables, and the command that repeats it.
pub(super) fn section(number: usize, name: &str, report: &Report) -> String {
    let description =
        report.workload.description.as_ref().map(|text| format!("<p>{}</p>\n", escape(text))).unwrap_or_default();
    let durability = report.server.durability.as_ref().map(|text| format!(" · {}", escape(text))).unwrap_or_default();
    let plots: String = [
        ("Latency by percentile", plots::curves(report)),
        ("Messages a second", plots::throughput(report)),
        ("Latency over time", plots::latency(report)),
        ("Cores at work", plots::cpu(report)),
        ("Memory of the server", plots::memory(report)),
    ]
    .into_iter()
    .filter_map(|(title, plot)| Some(format!("<h3>{title}</h3>\n{}", plot?)))
    .collect();
    format!(
        "<section id=\"run-{number}\"><h2>{}</h2>\n{description}<p class=\"soft\">{}{durability} · {}</p>\n{}{}{}{}{}{plots}{}{}</section>\n",
        escape(name),
        escape(&product(report)),
        escape(&text::describe(&report.workload)),
        figures(report),
        warnings(report),
        steps(report),
        latencies(report),
        faults(report),
        series(report),
        details(report),
    )
}

fn figures(report: &Report) -> String {
    let result = &report.result;
    let mut figures = vec![
        (units::count(result.messages_per_s), "messages a second"),
        (format!("{} MB", units::three(result.payload_mb_per_s)), "payload a second"),
    ];
    if let Some(latency) = report.main_measure().and_then(|measure| result.latency.get(&measure)) {
        figures.extend([
            (units::time(latency.p50_us), "p50"),
            (units::time(latency.p99_us), "p99"),
            (units::time(latency.max_us), "longest"),
        ]);
    }
    if result.usage.server_is_watched {
        figures.push((format!("{:.2}", result.usage.server_cores), "cores of the server"));
        figures.push((units::bytes(to_f64(result.usage.server_rss_max_bytes)), "memory of the server"));
    }
    if let Some(micros) = cpu_of_a_message(report) {
        figures.push((units::time(micros), "CPU a message"));
    }
    if let Some(deliveries) = &result.deliveries {
        figures.push((deliveries.lost.to_string(), "lost"));
    }
    let item = |(value, what): (String, &str)| format!("<li><b>{}</b><span>{what}</span></li>", escape(&value));
    format!("<ul class=\"figures\">{}</ul>\n", figures.into_iter().map(item).collect::<String>())
}

fn warnings(report: &Report) -> String {
    if report.warnings.is_empty() {
        return String::new();
    }
    let item = |warning: &String| format!("<li>{}</li>", escape(warning));
    let items: String = report.warnings.iter().map(item).collect();
    format!("<ul class=\"warnings\" aria-label=\"Warnings\">{items}</ul>\n")
}

fn steps(report: &Report) -> String {
    let mut table = Table::new(
        "Rates that were tried; the figures of this run are those of the highest that was reached.",
        &["rate", "published/s", "p50", "p99", "missed"],
    );
    for step in &report.steps {
        table.row(vec![
            Cell::number(units::count(to_f64(step.rate))),
            Cell::number(units::count(step.messages_per_s)),
            Cell::number(units::time(step.p50_us)),
            Cell::number(units::time(step.p99_us)),
            Cell::text(step.missed.as_deref().unwrap_or("")),
        ]);
    }
    if table.is_empty() { String::new() } else { table.html() }
}

fn latencies(report: &Report) -> String {
    let mut table =
        Table::new("Latencies", &["latency", "count", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"]);
    for (measure, latency) in &report.result.latency {
        let times = [
            latency.mean_us,
            latency.p50_us,
            latency.p90_us,
            latency.p99_us,
            latency.p999_us,
            latency.p9999_us,
            latency.max_us,
        ];
        let mut cells = vec![Cell::text(plots::label(*measure)), Cell::number(latency.count.to_string())];
        cells.extend(times.map(|micros| Cell::number(units::time(micros))));
        table.row(cells);
    }
    if table.is_empty() { String::new() } else { table.html() }
}

fn faults(report: &Report) -> String {
    let result = &report.result;
    let mut table = Table::new("What went wrong, and what was checked", &["what", "how many"]);
    let mut row = |what: &str, count: u64| table.row(vec![Cell::text(what), Cell::number(count.to_string())]);
    for (code, count) in &result.errors {
        row(&format!("error {code}"), *count);
    }
    for (what, count) in [
        ("requests due and not sent", result.unsent),
        ("requests not answered", result.unanswered),
        ("connections lost", result.connections_lost),
    ] {
        if count > 0 {
            row(what, count);
        }
    }
    if let Some(deliveries) = &result.deliveries {
        row("deliveries owed", deliveries.acknowledged);
        row("delivered", deliveries.delivered);
        row("lost", deliveries.lost);
        row("duplicates", deliveries.duplicates);
        row("out of order", deliveries.out_of_order);
    }
    if table.is_empty() { String::new() } else { table.html() }
}

fn series(report: &Report) -> String {
    let result = &report.result;
    if result.series.is_empty() {
        return String::new();
    }
    let heads = [
        "second",
        "published",
        "delivered",
        "failed",
        "p50",
        "p99",
        "max",
        "server cores",
        "generator cores",
        "machine cores",
        "server memory",
    ];
    let mut table = Table::new("Each second of the run", &heads);
    let measure = report.main_measure();
    for point in &result.series {
        let latency = measure.and_then(|measure| point.latency.get(&measure));
        let time = |of: fn(&crate::series::PointLatency) -> f64| {
            Cell::number(latency.map_or_else(|| "-".to_owned(), |latency| units::time(of(latency))))
        };
        let usage = result.usage.points.iter().find(|usage| (usage.at_s - point.at_s).abs() < 1e-6);
        let used =
            |of: fn(&crate::resources::UsagePoint) -> String| Cell::number(usage.map_or_else(|| "-".to_owned(), of));
        table.row(vec![
            Cell::number(units::count(point.at_s)),
            Cell::number(point.published.to_string()),
            Cell::number(point.delivered.to_string()),
            Cell::number(point.errors.to_string()),
            time(|latency| latency.p50_us),
            time(|latency| latency.p99_us),
            time(|latency| latency.max_us),
            used(|usage| format!("{:.2}", usage.server_cores)),
            used(|usage| format!("{:.2}", usage.generator_cores)),
            used(|usage| format!("{:.2}", usage.machine_cores)),
            used(|usage| units::bytes(to_f64(usage.server_rss_bytes))),
        ]);
    }
    format!("<details><summary>Each second as a table</summary>\n{}</details>\n", table.html())
}

fn details(report: &Report) -> String {
    let workload = serde_json::to_string_pretty(&report.workload).unwrap_or_default();
    format!(
        "<details><summary>Command and workload</summary>\n<pre>{}</pre>\n<pre>{}</pre></details>\n",
        escape(&command_line(&report.command)),
        escape(&workload)
    )
}

/// As a shell takes it.
fn command_line(words: &[String]) -> String {
    let plain = |word: &String| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte))
    };
    let quoted = |word: &String| if plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run stay far below 2^52")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliveries::Verdict;
    use crate::report::tests::example_report;

    #[test]
    fn a_run_is_told_with_all_that_counts() {
        let mut report = example_report();
        report.result.deliveries = Some(Verdict { acknowledged: 100, delivered: 99, lost: 1, ..Verdict::default() });
        let html = section(3, "mine", &report);
        for part in [
            "<section id=\"run-3\"><h2>mine</h2>",
            "<b>100</b><span>messages a second</span>",
            "<th scope=\"row\">error overloaded</th><td class=\"n\">1</td>",
            "<th scope=\"row\">lost</th><td class=\"n\">1</td>",
            "the load generator is the bottleneck",
            "<pre>pubsub-loadtest publish</pre>",
        ] {
            assert!(html.contains(part), "`{part}` is missing in {html}");
        }
    }

    #[test]
    fn a_command_can_be_given_to_a_shell() {
        let words = ["x", "--a=b", "it's", ""].map(str::to_owned);
        assert_eq!(command_line(&words), r"x --a=b 'it'\''s' ''");
    }
}
