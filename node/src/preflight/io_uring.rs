//! Checks that this process may use io_uring: glommio would panic with a riddle.

use std::fs;

use rustix::io::Errno;

use super::PreflightError;

const DISABLED_SYSCTL: &str = "/proc/sys/kernel/io_uring_disabled";

/// Sets up a small ring and gives it back.
pub(super) fn check() -> Result<(), PreflightError> {
    set_up_ring().map_err(|errno| explain(errno, disabled_sysctl()))
}

fn set_up_ring() -> Result<(), Errno> {
    let mut params = rustix::io_uring::io_uring_params::default();
    // SAFETY: the ring is never mapped nor used; the parameters hold no pointer, and the descriptor is closed at once.
    #[expect(unsafe_code, reason = "there is no other way to ask the kernel")]
    let ring = unsafe { rustix::io_uring::io_uring_setup(2, &mut params) };
    ring.map(drop)
}

/// What an error of `io_uring_setup` means, given the value of the sysctl where there is one.
fn explain(errno: Errno, disabled: Option<u32>) -> PreflightError {
    match (errno, disabled) {
        (Errno::NOSYS, _) => PreflightError::IoUringMissing,
        // The kernel answers EPERM for the sysctl too; only its value tells the two apart.
        (Errno::PERM, Some(value)) if value != 0 => PreflightError::IoUringDisabled { value },
        (Errno::PERM | Errno::ACCESS, _) => PreflightError::IoUringBlocked,
        (errno, _) => PreflightError::IoUringFailed { error: errno.into() },
    }
}

fn disabled_sysctl() -> Option<u32> {
    fs::read_to_string(DISABLED_SYSCTL).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sysctl_and_seccomp_are_told_apart() {
        assert!(matches!(explain(Errno::PERM, Some(2)), PreflightError::IoUringDisabled { value: 2 }));
        assert!(matches!(explain(Errno::PERM, Some(0)), PreflightError::IoUringBlocked));
        assert!(matches!(explain(Errno::PERM, None), PreflightError::IoUringBlocked));
        assert!(matches!(explain(Errno::NOSYS, Some(2)), PreflightError::IoUringMissing));
        assert!(matches!(explain(Errno::NOMEM, Some(0)), PreflightError::IoUringFailed { .. }));
    }
}
