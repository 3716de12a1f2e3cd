//! The section of a set's ratios.

use super::escape::escape;
use super::table::{Cell, Table};
use crate::standard::ratios::Ratio;

/// A table of all ratios beside what is aimed at, and what was left out.
pub(super) fn section(ratios: &[Ratio], left_out: &[String]) -> String {
    let heads = ["run", "against", "figure", "of the run", "of the other", "ratio", "aim", ""];
    let mut table = Table::new(
        "Each pair ran on the same machine, one after the other, with the durability that it names.",
        &heads,
    );
    for ratio in ratios {
        let [run, against] = &ratio.titles;
        let [value, of] = ratio.values.map(|value| Cell::number(ratio.write(value)));
        let told = ratio.value().map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let met = ratio.is_met();
        table.row(vec![
            Cell::text(run),
            Cell::text(against),
            Cell::text(ratio.figure()),
            value,
            of,
            Cell::number(told).judged(met),
            Cell::number(ratio.aim()),
            Cell::text(ratio.verdict()).judged(met),
        ]);
    }
    let item = |reason: &String| format!("<li>{}</li>", escape(reason));
    let items: String = left_out.iter().map(item).collect();
    let left_out = if items.is_empty() { String::new() } else { format!("<p>Left out:</p><ul>{items}</ul>\n") };
    let table = if table.is_empty() { String::new() } else { table.html() };
    format!("<section><h2>Ratios</h2>\n{table}{left_out}</section>\n")
}
