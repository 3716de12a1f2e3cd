//! Why a file operation failed.

use std::{io, path::Path};

use glommio::GlommioError;

/// A file operation that failed; what it left behind is for recovery to find out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} {path}: {reason}")]
pub(super) struct FileError {
    operation: &'static str,
    path: String,
    reason: String,
    kind: Kind,
}

/// What a failure says of what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// There was no room on the disk.
    NoSpace,
    /// The process, or the system, can't open one more file.
    NoFile,
    Other,
}

impl FileError {
    /// An operation that failed for a reason that is not about space.
    pub(super) fn new(operation: &'static str, path: &Path, reason: impl std::fmt::Display) -> Self {
        Self { operation, path: path.display().to_string(), reason: reason.to_string(), kind: Kind::Other }
    }

    /// An operation that failed with an error of the system.
    pub(super) fn of_io(operation: &'static str, path: &Path, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let kind = if is_full { Kind::NoSpace } else { Kind::Other };
        Self { kind, ..Self::new(operation, path, error) }
    }

    /// An operation of the executor that failed.
    pub(super) fn of_executor(operation: &'static str, path: &Path, error: GlommioError<()>) -> Self {
        let is_no_file = |source: &io::Error| matches!(source.raw_os_error(), Some(libc::EMFILE | libc::ENFILE));
        // The code does not outlive the conversion.
        if matches!(&error, GlommioError::IoError(source) | GlommioError::EnhancedIoError { source, .. } if is_no_file(source))
        {
            return Self { kind: Kind::NoFile, ..Self::new(operation, path, error) };
        }
        Self::of_io(operation, path, error)
    }

    /// A write that the system cut short, as it does when the disk is full.
    pub(super) fn short(path: &Path, written: usize, length: usize, position: u64) -> Self {
        let reason = format!("only {written} of {length} bytes at {position} were written");
        Self { kind: Kind::NoSpace, ..Self::new("writing", path, reason) }
    }

    /// Whether it failed for want of room on the disk, and for nothing worse.
    pub(super) fn is_no_space(&self) -> bool {
        self.kind == Kind::NoSpace
    }

    /// Whether a file could not be opened because too many are.
    pub(super) fn is_no_file(&self) -> bool {
        self.kind == Kind::NoFile
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
        let raw = GlommioError::<()>::IoError(io::Error::from_raw_os_error(libc::ENOSPC));
        assert!(FileError::of_executor("writing", Path::new("a"), raw).is_no_space());
        let enhanced = GlommioError::<()>::EnhancedIoError {
            source: io::Error::from_raw_os_error(libc::ENOSPC),
            op: "Writing",
            path: None,
            fd: None,
        };
        assert!(FileError::of_executor("writing", Path::new("a"), enhanced).is_no_space());
        let enhanced = GlommioError::<()>::EnhancedIoError {
            source: io::Error::from_raw_os_error(libc::EMFILE),
            op: "Opening",
            path: None,
            fd: None,
        };
        assert!(FileError::of_executor("opening", Path::new("a"), enhanced).is_no_file());
    }
}
