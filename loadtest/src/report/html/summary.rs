//! All runs of a page in one table, and where they come from.

use super::escape::escape;
use super::table::{Cell, Table};
use crate::report::compare::cpu_of_a_message;
use crate::report::{Report, units};

/// One row for each run.
pub(super) fn summary(names: &[String], reports: &[Report]) -> String {
    let heads =
        ["run", "server", "messages/s", "p50", "p99", "p99.9", "max", "server cores", "CPU a message", "memory"];
    let mut table = Table::new("Latency is end to end where messages are consumed, else until acknowledged.", &heads);
    for (number, (name, report)) in names.iter().zip(reports).enumerate() {
        let result = &report.result;
        let latency = report.main_measure().and_then(|measure| result.latency.get(&measure));
        let time = |of: fn(&crate::recorder::Latency) -> f64| {
            Cell::number(latency.map_or_else(|| "-".to_owned(), |latency| units::time(of(latency))))
        };
        let watched = |text: String| Cell::number(if result.usage.server_is_watched { text } else { "-".to_owned() });
        table.row(vec![
            Cell::html(format!("<a href=\"#run-{number}\">{}</a>", escape(name))),
            Cell::text(product(report)),
            Cell::number(units::count(result.messages_per_s)),
            time(|latency| latency.p50_us),
            time(|latency| latency.p99_us),
            time(|latency| latency.p999_us),
            time(|latency| latency.max_us),
            watched(format!("{:.2}", result.usage.server_cores)),
            Cell::number(cpu_of_a_message(report).map_or_else(|| "-".to_owned(), units::time)),
            watched(units::bytes(to_f64(result.usage.server_rss_max_bytes))),
        ]);
    }
    table.html()
}

/// The machine, and when; told once for all runs if it is the same.
pub(super) fn origin(reports: &[Report]) -> String {
    let Some(first) = reports.first() else { return String::new() };
    let mut machines: Vec<String> = reports.iter().map(machine).collect();
    machines.dedup();
    let when = reports.iter().map(|report| report.started_unix_ms).min().unwrap_or(0);
    let machines: Vec<String> = machines.iter().map(|machine| escape(machine)).collect();
    format!(
        "<p class=\"soft\">{} · pubsub-loadtest {} · {}</p>\n",
        time_text(when),
        escape(&first.version),
        machines.join(" · ")
    )
}

/// The server with its version.
pub(super) fn product(report: &Report) -> String {
    let version = report.server.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let product = if report.server.product.is_empty() { report.workload.target.name() } else { &report.server.product };
    format!("{product}{version}")
}

fn machine(report: &Report) -> String {
    let machine = &report.machine;
    let cores = format!("{} cores", machine.cores);
    let memory = machine.memory_bytes.map(|bytes| units::bytes(to_f64(bytes)));
    let parts = [machine.cpu.clone(), Some(cores), memory, machine.kernel.clone()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `2026-11-26 20:39 UTC`.
fn time_text(unix_ms: u64) -> String {
    const DAY_SECONDS: u64 = 86_400;
    let seconds = unix_ms / 1_000;
    let (year, month, day) = date(seconds / DAY_SECONDS);
    let (hour, minute) = (seconds % DAY_SECONDS / 3_600, seconds % 3_600 / 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// Year, month and day of a number of days since 1970, by the rules of the Gregorian calendar: years begin in March here,
/// so that the day that may be missing is the last.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let days = days + 719_468;
    let era = days / DAYS_OF_400_YEARS;
    let day_of_era = days % DAYS_OF_400_YEARS;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[expect(clippy::cast_precision_loss, reason = "bytes stay far below 2^52")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        assert_eq!(time_text(0), "1970-01-01 00:00 UTC");
        assert_eq!(time_text(951_782_400_000), "2000-02-29 00:00 UTC");
        assert_eq!(time_text(1_700_000_000_000), "2023-11-14 22:13 UTC");
        assert_eq!(time_text(4_107_542_340_000), "2100-02-28 23:59 UTC");
        assert_eq!(time_text(4_107_542_400_000), "2100-03-01 00:00 UTC");
    }
}
