//! The section that compares two runs.

use super::table::{Cell, Table};
use crate::report::compare::Comparison;

/// A table of all figures, and one of what differed.
pub(super) fn section(comparison: &Comparison) -> String {
    let [a, b] = &comparison.titles;
    let mut figures =
        Table::new("Better and worse are said of differences above one percent.", &["figure", a, b, "B / A", ""]);
    for row in &comparison.rows {
        let [first, second] = row.values.map(|value| Cell::number(row.unit.write(value)));
        let ratio = row.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
        let verdict = match row.is_better() {
            Some(true) => "better",
            Some(false) => "worse",
            None => "",
        };
        let judged = row.is_better();
        figures.row(vec![
            Cell::text(&row.name),
            first,
            second,
            Cell::number(ratio).judged(judged),
            Cell::text(verdict).judged(judged),
        ]);
    }
    let mut differences = Table::new("What a reader must know before believing a ratio.", &["what differed", a, b]);
    for difference in &comparison.differences {
        let [first, second] = &difference.values;
        differences.row(vec![Cell::text(&difference.key), Cell::text(first), Cell::text(second)]);
    }
    let differences = if differences.is_empty() {
        "<p>The runs differ in nothing that the reports know.</p>\n".to_owned()
    } else {
        differences.html()
    };
    format!("<section><h2>Comparison</h2>\n{}{differences}</section>\n", figures.html())
}
