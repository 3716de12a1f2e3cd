//! Checks how much memory may be locked: io_uring's rings and buffers are.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::PreflightError;
use crate::limits::MEMLOCK_BYTES_MIN;

/// Raises the soft limit to the hard one if need be; refuses a hard limit that is too low.
pub(super) fn check() -> Result<(), PreflightError> {
    let limit = getrlimit(Resource::Memlock);
    if suffices(limit.current) {
        return Ok(());
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Whether it took effect is read back rather than believed.
    let _ = setrlimit(Resource::Memlock, raised);
    let limit = getrlimit(Resource::Memlock).current;
    if suffices(limit) {
        return Ok(());
    }
    Err(PreflightError::Memlock { limit: limit.unwrap_or(u64::MAX), needed: MEMLOCK_BYTES_MIN })
}

/// `None` is no limit.
fn suffices(limit: Option<u64>) -> bool {
    limit.is_none_or(|bytes| bytes >= MEMLOCK_BYTES_MIN)
}
