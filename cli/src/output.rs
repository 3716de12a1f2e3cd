//! What the program prints: tables for people, JSON and YAML for scripts, exactly as the API has them.

mod json;
mod table;
mod text;
mod yaml;

use std::io::Write;

use serde::Serialize;

pub(crate) use self::table::Table;
pub(crate) use self::text::{api_word, bytes_as_text, duration, or_dash, printable, shortened};
use crate::error::CliError;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Columns, for people.
    Table,
    /// The API's objects.
    Json,
    /// The API's objects.
    Yaml,
}

/// Something that has a form for people beside that of the API.
pub(crate) trait Render: Serialize {
    /// The form for people.
    fn table(&self) -> Table;
}

/// Where results go.
pub(crate) struct Output<'a> {
    format: Format,
    writer: Box<dyn Write + 'a>,
}

impl<'a> Output<'a> {
    /// Prints in this format.
    pub(crate) fn new(format: Format, writer: impl Write + 'a) -> Self {
        Self { format, writer: Box::new(writer) }
    }

    /// How results are printed.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Prints a result that stands for itself.
    pub(crate) fn result<T: Render>(&mut self, value: &T) -> Result<(), CliError> {
        match self.format {
            Format::Table => value.table().write(&mut self.writer)?,
            Format::Json => json::write_pretty(&mut self.writer, value)?,
            Format::Yaml => yaml::write(&mut self.writer, value)?,
        }
        Ok(self.writer.flush()?)
    }

    /// Prints one of many results that come over time: a line of JSON, or a document of YAML; nothing in a table.
    pub(crate) fn item<T: Serialize>(&mut self, value: &T) -> Result<(), CliError> {
        match self.format {
            Format::Table => Ok(()),
            Format::Json => json::write_line(&mut self.writer, value),
            Format::Yaml => yaml::write_document(&mut self.writer, value),
        }
    }

    /// Prints one of several results that are long each: a table and an empty line, a line of JSON, or a document of YAML.
    pub(crate) fn part<T: Render>(&mut self, value: &T) -> Result<(), CliError> {
        if self.format == Format::Table {
            value.table().write(&mut self.writer)?;
            writeln!(self.writer)?;
            return self.flush();
        }
        self.item(value)
    }

    /// Prints bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        Ok(self.writer.write_all(bytes)?)
    }

    /// Prints a sentence for people; nothing in the other formats.
    pub(crate) fn note(&mut self, sentence: &str) -> Result<(), CliError> {
        if self.format == Format::Table {
            writeln!(self.writer, "{sentence}")?;
        }
        self.flush()
    }

    /// Hands over what was printed.
    pub(crate) fn flush(&mut self) -> Result<(), CliError> {
        Ok(self.writer.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use gateway_api::Page;

    use super::*;

    #[derive(Serialize)]
    struct Named {
        name: &'static str,
    }

    impl Render for Named {
        fn table(&self) -> Table {
            let mut table = Table::columns(&["NAME"]);
            table.row([self.name]);
            table
        }
    }

    fn printed(format: Format, print: impl FnOnce(&mut Output<'_>)) -> String {
        let mut bytes = Vec::new();
        print(&mut Output::new(format, &mut bytes));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_result_has_three_forms() {
        let result = |format| printed(format, |output| output.result(&Named { name: "orders" }).unwrap());
        assert_eq!(result(Format::Table), "NAME\norders\n");
        assert_eq!(result(Format::Json), "{\n  \"name\": \"orders\"\n}\n");
        assert_eq!(result(Format::Yaml), "name: orders\n");
    }

    #[test]
    fn items_are_lines_of_json_or_documents_of_yaml() {
        let items = |format| {
            printed(format, |output| {
                for name in ["a", "b"] {
                    output.item(&Named { name }).unwrap();
                }
            })
        };
        assert_eq!(items(Format::Table), "");
        assert_eq!(items(Format::Json), "{\"name\":\"a\"}\n{\"name\":\"b\"}\n");
        assert_eq!(items(Format::Yaml), "---\nname: a\n---\nname: b\n");
    }

    #[test]
    fn a_note_is_for_people_only() {
        assert_eq!(printed(Format::Table, |output| output.note("Deleted.").unwrap()), "Deleted.\n");
        assert_eq!(printed(Format::Json, |output| output.note("Deleted.").unwrap()), "");
    }

    #[test]
    fn a_page_in_json_is_the_api_object() {
        let page = Page { items: vec![1, 2], next_page_token: None };
        assert_eq!(printed(Format::Json, |output| output.item(&page).unwrap()), "{\"items\":[1,2]}\n");
    }
}
