//! Checks how many files may be open: each connection and each segment being written is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::PreflightError;
use crate::limits::FILE_DESCRIPTORS_MIN;

/// How many files may be open, since the limit was raised.
pub(super) fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Raises the soft limit to the hard one; refuses a hard limit below what the configuration needs.
pub(super) fn check(connections_max: usize) -> Result<(), PreflightError> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Whether it took effect is read back rather than believed.
    let _ = setrlimit(Resource::Nofile, raised);
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let needed = FILE_DESCRIPTORS_MIN.saturating_add(u64::try_from(connections_max).unwrap_or(u64::MAX));
    if limit < needed {
        return Err(PreflightError::FileDescriptors { limit, needed, connections_max });
    }
    Ok(())
}
