//! Tables for people: columns without lines, as they are easiest to read and to cut.

use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table as Columns};

use super::text::printable;

/// One or more blocks of columns, with an empty line between them.
#[derive(Debug, Default)]
pub(crate) struct Table {
    blocks: Vec<Columns>,
}

impl Table {
    /// A block with these headings.
    pub(crate) fn columns(headings: &[&str]) -> Self {
        Self { blocks: vec![block(headings)] }
    }

    /// A block of names and values.
    pub(crate) fn fields<const N: usize>(fields: [(&str, String); N]) -> Self {
        let mut table = Self { blocks: vec![block(&[])] };
        for (name, value) in fields {
            table.row([name, &value]);
        }
        table
    }

    /// Begins another block with these headings.
    pub(crate) fn then(mut self, headings: &[&str]) -> Self {
        self.blocks.push(block(headings));
        self
    }

    /// Adds a row to the last block. What would act on the terminal is escaped.
    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        if let Some(block) = self.blocks.last_mut() {
            block.add_row(cells.into_iter().map(|cell| printable(cell.as_ref()).into_owned()));
        }
    }

    /// Prints the table; no line has blanks at its end.
    pub(crate) fn write(mut self, writer: &mut dyn Write) -> io::Result<()> {
        for (index, block) in self.blocks.iter_mut().enumerate() {
            block.column_iter_mut().for_each(|column| {
                column.set_padding((0, 2));
            });
            if index > 0 {
                writeln!(writer)?;
            }
            for line in block.to_string().lines() {
                writeln!(writer, "{}", line.trim_end())?;
            }
        }
        Ok(())
    }
}

fn block(headings: &[&str]) -> Columns {
    let mut columns = Columns::new();
    columns.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if !headings.is_empty() {
        columns.set_header(headings);
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_the_first_one_starts_at_the_margin() {
        let mut table = Table::columns(&["NAME", "PARTITIONS"]);
        table.row(["orders", "4"]);
        table.row(["a", "16"]);
        let table = table.then(&["EMPTY"]);
        let mut bytes = Vec::new();
        table.write(&mut bytes).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), "NAME    PARTITIONS\norders  4\na       16\n\nEMPTY\n");
    }

    #[test]
    fn a_cell_cannot_act_on_the_terminal() {
        let mut table = Table::columns(&["KEY"]);
        table.row(["\u{1b}[2Jred\n"]);
        let mut bytes = Vec::new();
        table.write(&mut bytes).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), "KEY\n\\u{1b}[2Jred\\n\n");
    }
}
