//! The report for programs.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::limits::REPORT_FILE_BYTES_MAX;
use crate::report::{REPORT_FORMAT, Report};

/// Why a file is no report that this version reads.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum ReadError {
    #[error("{}: {error}", .file.display())]
    Unreadable { file: PathBuf, error: io::Error },
    #[error("{}: a report has at most {max} bytes", .file.display())]
    TooLarge { file: PathBuf, max: u64 },
    #[error("{}: not a report of pubsub-loadtest: {error}", .file.display())]
    Malformed { file: PathBuf, error: serde_json::Error },
    #[error("{}: a report of format {format}; this version reads 1 to {REPORT_FORMAT}", .file.display())]
    UnknownFormat { file: PathBuf, format: u32 },
}

/// Writes it as indented JSON with a newline at the end.
///
/// # Errors
///
/// When `out` fails.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

/// Reads one from a file: also one of format 1, which has no series, curves or use of resources.
///
/// # Errors
///
/// When there is no report in it.
pub fn read_file(file: &Path) -> Result<Report, ReadError> {
    let unreadable = |error| ReadError::Unreadable { file: file.to_owned(), error };
    if fs::metadata(file).map_err(unreadable)?.len() > REPORT_FILE_BYTES_MAX {
        return Err(ReadError::TooLarge { file: file.to_owned(), max: REPORT_FILE_BYTES_MAX });
    }
    read(&fs::read(file).map_err(unreadable)?, file)
}

fn read(bytes: &[u8], file: &Path) -> Result<Report, ReadError> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let malformed = |error| ReadError::Malformed { file: file.to_owned(), error };
    let Version { format } = serde_json::from_slice(bytes).map_err(malformed)?;
    if !(1..=REPORT_FORMAT).contains(&format) {
        return Err(ReadError::UnknownFormat { file: file.to_owned(), format });
    }
    serde_json::from_slice(bytes).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::Measure;
    use crate::report::tests::example_report;

    fn parse(text: &str) -> Result<Report, ReadError> {
        read(text.as_bytes(), Path::new("r.json"))
    }

    #[test]
    fn report_format_2_is_frozen() {
        let mut bytes = Vec::new();
        write(&example_report(), &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text, include_str!("golden/report.v2.json"));
        assert_eq!(parse(&text).unwrap(), example_report());
    }

    #[test]
    fn a_report_of_format_1_is_read() {
        let report = parse(include_str!("golden/report.v1.json")).unwrap();
        assert_eq!((report.format, report.result.messages, report.workload.publish.sizes.max()), (1, 100, 256));
        assert!(report.result.latency[&Measure::Publish].p99_us > 10_000.0);
        assert!(report.result.series.is_empty() && report.result.curves.is_empty());
    }

    #[test]
    fn what_is_no_report_of_a_known_format_is_refused() {
        assert!(parse("{\"format\":3}").unwrap_err().to_string().contains("format 3; this version reads 1 to 2"));
        assert!(parse("{\"format\":2}").unwrap_err().to_string().contains("not a report of pubsub-loadtest"));
        assert!(parse("nonsense").is_err());
        assert!(read_file(Path::new("/nonexistent")).unwrap_err().to_string().starts_with("/nonexistent: "));
    }
}
