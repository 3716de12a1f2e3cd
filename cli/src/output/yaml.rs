//! YAML: one document for one result, a stream of documents for many.

use std::io::Write;

use serde::Serialize;

use crate::error::CliError;

/// One result.
pub(super) fn write<T: Serialize>(writer: &mut dyn Write, value: &T) -> Result<(), CliError> {
    // By way of text, so that a failed write keeps its kind: a broken pipe is told by it.
    let text = serde_yaml_ng::to_string(value)
        .map_err(|error| CliError::Render { format: "YAML", detail: error.to_string() })?;
    Ok(writer.write_all(text.as_bytes())?)
}

/// One of many results.
pub(super) fn write_document<T: Serialize>(writer: &mut dyn Write, value: &T) -> Result<(), CliError> {
    writer.write_all(b"---\n")?;
    write(writer, value)
}
