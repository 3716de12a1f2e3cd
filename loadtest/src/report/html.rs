//! The report as a page: one file that opens offline, with plots, the same figures in tables, and no script. Pure.

mod axis;
mod bars;
mod comparison;
mod escape;
mod plot;
mod plots;
mod ratios;
mod run_section;
mod summary;
mod table;

use crate::report::Report;
use crate::report::compare::Comparison;
use crate::standard::ratios::Ratio;

use escape::escape;

/// A page about these runs; of two that are compared, the comparison comes first.
#[must_use]
pub fn page(title: &str, reports: &[Report], comparison: Option<&Comparison>) -> String {
    page_with(title, reports, &comparison.map(comparison::section).unwrap_or_default())
}

/// The same, with a section of its own at the top.
#[must_use]
pub fn page_with(title: &str, reports: &[Report], lead: &str) -> String {
    let names = names(reports);
    let several = if reports.len() > 1 {
        format!(
            "<section><h2>All runs</h2>\n{}{}</section>\n",
            summary::summary(&names, reports),
            plots::together(&names, reports)
        )
    } else {
        String::new()
    };
    let entry = |(number, name): (usize, &String)| format!("<li><a href=\"#run-{number}\">{}</a></li>", escape(name));
    let entries: String = names.iter().enumerate().map(entry).collect();
    let contents =
        if reports.len() > 1 { format!("<nav aria-label=\"Runs\"><ul>{entries}</ul></nav>\n") } else { String::new() };
    let runs: String = names
        .iter()
        .zip(reports)
        .enumerate()
        .map(|(number, (name, report))| run_section::section(number, name, report))
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{0}</title>\n<style>\n{1}</style></head>\n<body><header><h1>{0}</h1>\n{2}</header>\n<main>\n{contents}{lead}{several}{runs}</main>\n\
         </body></html>\n",
        escape(title),
        include_str!("html/style.css"),
        summary::origin(reports),
    )
}

/// A section of ratios between runs, for the top of a page; and what was left out.
#[must_use]
pub fn ratios_section(ratios: &[Ratio], left_out: &[String]) -> String {
    ratios::section(ratios, left_out)
}

/// What runs are called on the page: those with the same title are told apart by a number.
fn names(reports: &[Report]) -> Vec<String> {
    let titles: Vec<String> = reports.iter().map(Report::title).collect();
    let name = |(place, title): (usize, &String)| {
        let before = titles.iter().take(place).filter(|other| *other == title).count();
        if titles.iter().filter(|other| *other == title).count() > 1 {
            format!("{title} ({})", before + 1)
        } else {
            title.clone()
        }
    };
    titles.iter().enumerate().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::example_report;

    fn report(name: &str) -> Report {
        let mut report = example_report();
        report.workload.name = Some(name.to_owned());
        report
    }

    #[test]
    fn a_page_needs_nothing_from_elsewhere() {
        let page = page("t", &[report("a"), report("b")], None);
        for foreign in ["http:", "https:", "src=", "<script", "@import", "url("] {
            let without_names_of_formats = page.replace("http://www.w3.org/2000/svg", "");
            assert!(!without_names_of_formats.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn what_users_name_is_text() {
        let mut hostile = report("<script>alert(1)</script>");
        hostile.command = vec!["x".to_owned(), "--topic=<img>".to_owned()];
        hostile.server.version = Some("<svg>".to_owned());
        hostile.warnings = vec!["<b>".to_owned()];
        hostile.result.errors.insert("<i>".to_owned(), 1);
        let page = page("<u>", &[hostile], None);
        for tag in ["<script>", "<img>", "<svg>", "<b>", "<i>", "<u>"] {
            let made_here = if tag == "<b>" { "<b>" } else { "" };
            let found = page.matches(tag).count();
            let expected = if made_here.is_empty() { 0 } else { page.matches("</b>").count() };
            assert_eq!(found, expected, "{tag}");
        }
    }

    #[test]
    fn every_tag_is_closed() {
        let pair = [report("a"), report("b")];
        let comparison = Comparison::of(&pair[0], &pair[1]);
        let page = page("t", &pair, Some(&comparison));
        for tag in [
            "section", "table", "tr", "td", "th", "svg", "figure", "ul", "li", "details", "div", "main", "body",
            "html", "text", "p",
        ] {
            let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }

    #[test]
    fn runs_of_the_same_name_are_told_apart() {
        assert_eq!(names(&[report("a"), report("b"), report("a")]), ["a (1)", "b", "a (2)"]);
    }

    #[test]
    fn a_report_of_format_1_makes_a_page_without_plots() {
        let old: Report = serde_json::from_str(include_str!("golden/report.v1.json")).unwrap();
        let page = page("t", &[old], None);
        assert!(page.contains("publish") && !page.contains("<polyline"));
    }
}
