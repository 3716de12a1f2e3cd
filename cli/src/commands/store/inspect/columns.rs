//! Columns of a width that is set beforehand, for lists that are too long to be held until they are measured.

use std::fmt::Write as _;

use crate::output::printable;

/// The heading of each column and how wide it is.
pub(super) struct Columns(pub(super) &'static [(&'static str, usize)]);

impl Columns {
    /// The line above.
    pub(super) fn heading(&self) -> String {
        self.line(self.0.iter().map(|(heading, _)| (*heading).to_owned()))
    }

    /// One line. A cell that is too wide moves the others; what would act on the terminal is escaped.
    pub(super) fn line(&self, cells: impl IntoIterator<Item = String>) -> String {
        let mut line = String::new();
        for ((_, width), cell) in self.0.iter().zip(cells) {
            // Writing to a `String` cannot fail.
            let _ = write!(line, "{:width$}  ", printable(&cell));
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_below_each_other_and_have_no_blanks_at_their_end() {
        let columns = Columns(&[("A", 4), ("B", 1)]);
        assert_eq!(columns.heading(), "A     B\n");
        assert_eq!(columns.line(["12".to_owned(), "x\u{1b}".to_owned()]), "12    x\\u{1b}\n");
        assert_eq!(columns.line(["1234567".to_owned(), String::new()]), "1234567\n");
    }
}
