//! Checks the kernel's version.

use super::PreflightError;
use crate::limits::KERNEL_MIN;

/// Refuses a kernel that is older than io_uring as glommio uses it.
pub(super) fn check() -> Result<(), PreflightError> {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    match version(&release) {
        Some(found) if found < KERNEL_MIN => {
            Err(PreflightError::Kernel { found: release.into_owned(), needed: KERNEL_MIN })
        }
        // A release that is no version is left to the io_uring check, which asks the kernel itself.
        Some(_) | None => Ok(()),
    }
}

/// The major and minor version at the start of a release such as `6.18.44-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_begins_with_its_version() {
        assert_eq!(version("6.18.44-fc-v669"), Some((6, 18)));
        assert_eq!(version("5.4.0-42-generic"), Some((5, 4)));
        assert_eq!(version("5.10"), Some((5, 10)));
        assert_eq!(version("custom"), None);
    }

    #[test]
    fn minor_versions_are_compared_as_numbers() {
        assert!(version("5.10.1").unwrap() > KERNEL_MIN);
        assert!(version("5.7.19").unwrap() < KERNEL_MIN);
    }
}
