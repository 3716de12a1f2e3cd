//! What this binary was built from.

/// The commit: forty hex digits or what the builder said, `development build` or `unknown`.
pub const COMMIT: &str = env!("BUILD_COMMIT");

/// What `--version` says behind the name.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("BUILD_COMMIT"), ")");
