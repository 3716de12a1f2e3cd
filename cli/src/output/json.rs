//! JSON: pretty for one result, one line each for many.

use std::io::{self, Write};

use serde::Serialize;

use crate::error::CliError;

/// One result, indented.
pub(super) fn write_pretty<T: Serialize>(mut writer: &mut dyn Write, value: &T) -> Result<(), CliError> {
    serde_json::to_writer_pretty(&mut writer, value).map_err(render_error)?;
    Ok(writeln!(writer)?)
}

/// One of many results, on a line of its own.
pub(super) fn write_line<T: Serialize>(mut writer: &mut dyn Write, value: &T) -> Result<(), CliError> {
    serde_json::to_writer(&mut writer, value).map_err(render_error)?;
    Ok(writeln!(writer)?)
}

/// Keeps apart an output that is gone and a value that has no form in JSON.
fn render_error(error: serde_json::Error) -> CliError {
    if error.is_io() {
        CliError::Output(io::Error::from(error))
    } else {
        CliError::Render { format: "JSON", detail: error.to_string() }
    }
}
