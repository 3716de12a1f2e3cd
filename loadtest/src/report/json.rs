//! The report for programs.

use std::io::{self, Write};

use crate::report::Report;

/// Writes it as indented JSON with a newline at the end.
///
/// # Errors
///
/// When `out` fails.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::example_report;

    #[test]
    fn report_format_1_is_frozen() {
        let mut bytes = Vec::new();
        write(&example_report(), &mut bytes).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), include_str!("golden/report.v1.json"));
    }
}
