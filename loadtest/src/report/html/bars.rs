//! Bars beside each other: one figure of several runs. Pure.

use std::fmt::Write as _;

use super::axis::Scale;
use super::escape::escape;

const WIDTH: f64 = 720.0;
const NAMES: f64 = 260.0;
const VALUES: f64 = 90.0;
const ROW: f64 = 24.0;

/// Bars from the left, in the order given.
#[must_use]
pub(super) fn bars(title: &str, runs: &[(String, f64)], write: fn(f64) -> String) -> String {
    let scale = Scale::linear(runs.iter().map(|(_, value)| *value));
    let rows: u16 = u16::try_from(runs.len()).unwrap_or(u16::MAX);
    let height = f64::from(rows) * ROW + 4.0;
    let mut svg = format!(
        "<figure><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\"><title>{}</title><desc>The same figures are in the table.</desc>\n",
        escape(title)
    );
    for (row, (name, value)) in (0_u16..).zip(runs) {
        let y = f64::from(row) * ROW;
        let width = scale.place(*value) * (WIDTH - NAMES - VALUES);
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text><rect class=\"bar\" x=\"{NAMES}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            NAMES - 8.0,
            y + 16.0,
            escape(name),
            y + 4.0,
            width.max(1.0),
            ROW - 8.0,
            NAMES + width + 6.0,
            y + 16.0,
            escape(&write(*value))
        );
    }
    svg.push_str("</svg></figure>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::units;

    #[test]
    fn a_bar_is_as_long_as_its_figure() {
        let html = bars("rates", &[("a".to_owned(), 100.0), ("<b>".to_owned(), 50.0)], units::count);
        assert!(html.contains("width=\"370.0\"") && html.contains("width=\"185.0\""), "{html}");
        assert!(html.contains("&lt;b&gt;") && html.contains("<title>rates</title>"), "{html}");
    }
}
