//! Why a file operation failed.

use std::{io, path::Path};

/// A file operation that failed; what it left behind is for recovery to find out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} {path}: {reason}")]
pub(super) struct FileError {
    operation: &'static str,
    path: String,
    reason: String,
    no_space: bool,
}

impl FileError {
    /// An operation that failed for a reason that is not about space.
    pub(super) fn new(operation: &'static str, path: &Path, reason: impl std::fmt::Display) -> Self {
        Self { operation, path: path.display().to_string(), reason: reason.to_string(), no_space: false }
    }

    /// An operation that failed with an error of the system.
    pub(super) fn of_io(operation: &'static str, path: &Path, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        let no_space = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        Self { no_space, ..Self::new(operation, path, error) }
    }

    /// A write that the system cut short, as it does when the disk is full.
    pub(super) fn short(path: &Path, written: usize, length: usize, position: u64) -> Self {
        let reason = format!("only {written} of {length} bytes at {position} were written");
        Self { no_space: true, ..Self::new("writing", path, reason) }
    }

    /// Whether it failed for want of room on the disk, and for nothing worse.
    pub(super) const fn is_no_space(&self) -> bool {
        self.no_space
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_bad_one() {
        let error = |code| FileError::of_io("writing", Path::new("a"), io::Error::from_raw_os_error(code));
        assert!(error(libc::ENOSPC).is_no_space());
        assert!(error(libc::EDQUOT).is_no_space());
        assert!(!error(libc::EIO).is_no_space());
        assert!(FileError::short(Path::new("a"), 512, 4096, 0).is_no_space());
    }

    #[test]
    fn an_error_of_the_executor_keeps_its_kind() {
        let raw = glommio::GlommioError::<()>::IoError(io::Error::from_raw_os_error(libc::ENOSPC));
        assert!(FileError::of_io("writing", Path::new("a"), raw).is_no_space());
        let enhanced = glommio::GlommioError::<()>::EnhancedIoError {
            source: io::Error::from_raw_os_error(libc::ENOSPC),
            op: "Writing",
            path: None,
            fd: None,
        };
        assert!(FileError::of_io("writing", Path::new("a"), enhanced).is_no_space());
    }
}
