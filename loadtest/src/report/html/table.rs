//! Tables of a page. The first cell of each row says what the row is.

use super::escape::escape;

/// A table as it is built.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    caption: String,
    heads: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// One cell.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    html: String,
    class: &'static str,
}

impl Cell {
    /// Text.
    #[must_use]
    pub(super) fn text(text: impl AsRef<str>) -> Self {
        Self { html: escape(text.as_ref()), class: "" }
    }

    /// A number with its unit, set to the right.
    #[must_use]
    pub(super) fn number(text: impl AsRef<str>) -> Self {
        Self { html: escape(text.as_ref()), class: "n" }
    }

    /// Markup that was made here.
    #[must_use]
    pub(super) fn html(html: String) -> Self {
        Self { html, class: "" }
    }

    /// The same, marked as good, bad or neither.
    #[must_use]
    pub(super) fn judged(self, is_good: Option<bool>) -> Self {
        let class = match is_good {
            Some(true) => "n good",
            Some(false) => "n bad",
            None => self.class,
        };
        Self { class, ..self }
    }
}

impl Table {
    /// A table with these columns.
    #[must_use]
    pub(super) fn new(caption: &str, heads: &[&str]) -> Self {
        Self {
            caption: caption.to_owned(),
            heads: heads.iter().map(|head| (*head).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// As markup.
    #[must_use]
    pub(super) fn html(&self) -> String {
        let is_number = |column: usize| {
            self.rows.first().and_then(|row| row.get(column)).is_some_and(|cell| cell.class.starts_with('n'))
        };
        let head = |(column, head): (usize, &String)| {
            let class = if is_number(column) { " class=\"n\"" } else { "" };
            format!("<th scope=\"col\"{class}>{}</th>", escape(head))
        };
        let heads: String = self.heads.iter().enumerate().map(head).collect();
        let row = |cells: &Vec<Cell>| -> String {
            let cell = |(place, Cell { html, class }): (usize, &Cell)| {
                let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
                if place == 0 {
                    format!("<th scope=\"row\"{class}>{html}</th>")
                } else {
                    format!("<td{class}>{html}</td>")
                }
            };
            format!("<tr>{}</tr>\n", cells.iter().enumerate().map(cell).collect::<String>())
        };
        let rows: String = self.rows.iter().map(row).collect();
        format!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table><caption>{0}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n",
            escape(&self.caption)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_table_is_text_and_has_headers() {
        let mut table = Table::new("a & b", &["name", "value"]);
        table.row(vec![Cell::text("<x>"), Cell::number("5 ms").judged(Some(false))]);
        let html = table.html();
        for part in [
            "<caption>a &amp; b</caption>",
            "<th scope=\"col\" class=\"n\">value</th>",
            "<th scope=\"row\">&lt;x&gt;</th>",
            "<td class=\"n bad\">5 ms</td>",
        ] {
            assert!(html.contains(part), "`{part}` is missing in {html}");
        }
    }
}
