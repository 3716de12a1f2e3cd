//! What is checked before anything else is started: each fault is one line that says what to do, and an exit code.

mod data_directory;
mod direct_io;
mod file_descriptors;
mod io_uring;
mod kernel;
mod memlock;

pub use data_directory::DataDirectoryLock;

use crate::{config::Config, exit_code::ExitCode};

/// Why the node can't run here. The data directory may have been made; nothing else was changed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum PreflightError {
    #[error("kernel {found} is too old: io_uring as it is used here needs {}.{} or newer; run a newer kernel", needed.0, needed.1)]
    Kernel { found: String, needed: (u32, u32) },
    #[error(
        "this kernel has no io_uring (io_uring_setup: ENOSYS): run a kernel built with CONFIG_IO_URING, \
         or a container runtime that passes io_uring on"
    )]
    IoUringMissing,
    #[error(
        "io_uring is blocked (io_uring_setup: EPERM), most likely by the container's seccomp profile: allow \
         io_uring_setup, io_uring_enter and io_uring_register in it, or run with --security-opt seccomp=PROFILE.json"
    )]
    IoUringBlocked,
    #[error(
        "io_uring is switched off by kernel.io_uring_disabled = {value}: run `sysctl -w kernel.io_uring_disabled=0`"
    )]
    IoUringDisabled { value: u32 },
    #[error("io_uring does not start (io_uring_setup): {error}")]
    IoUringFailed { error: std::io::Error },
    #[error(
        "only {limit} bytes of memory may be locked, io_uring needs {needed}: raise the limit (`ulimit -l {}`, \
         LimitMEMLOCK= in systemd, --ulimit memlock=-1 in Docker)", needed / 1024
    )]
    Memlock { limit: u64, needed: u64 },
    #[error(
        "only {limit} files may be open, {needed} are needed for server.connections_max = {connections_max}: raise \
         the limit (`ulimit -n {needed}`, LimitNOFILE= in systemd) or lower server.connections_max"
    )]
    FileDescriptors { limit: u64, needed: u64, connections_max: usize },
    #[error(
        "the data directory {path} can't be used ({operation}): {error}; make it writable or choose another with --data-dir"
    )]
    DataDirectory { path: String, operation: &'static str, error: std::io::Error },
    #[error("the data directory {path} is in use by {holder}: stop that process or choose another with --data-dir")]
    DataDirectoryLocked { path: String, holder: String },
    #[error(
        "the data directory {path} is on {filesystem}, which has no direct I/O: {reason}; choose a directory on a local disk with --data-dir"
    )]
    DirectIo { path: String, filesystem: &'static str, reason: String },
}

impl PreflightError {
    /// What the process exits with.
    #[must_use]
    pub const fn exit_code(&self) -> ExitCode {
        match self {
            Self::Kernel { .. } => ExitCode::Kernel,
            Self::IoUringMissing | Self::IoUringFailed { .. } => ExitCode::IoUringMissing,
            Self::IoUringBlocked => ExitCode::IoUringBlocked,
            Self::IoUringDisabled { .. } => ExitCode::IoUringDisabled,
            Self::Memlock { .. } => ExitCode::Memlock,
            Self::FileDescriptors { .. } => ExitCode::FileDescriptors,
            Self::DataDirectory { .. } => ExitCode::DataDirectory,
            Self::DataDirectoryLocked { .. } => ExitCode::DataDirectoryLocked,
            Self::DirectIo { .. } => ExitCode::DirectIo,
        }
    }
}

/// How many files this process may have open.
#[must_use]
pub fn open_files_limit() -> u64 {
    file_descriptors::limit()
}

/// Checks this machine; raises the limits it may raise. The lock lives as long as the node.
///
/// # Errors
/// The first fault, in the order in which an operator would mend them.
pub fn run(config: &Config) -> Result<DataDirectoryLock, PreflightError> {
    kernel::check()?;
    io_uring::check()?;
    memlock::check()?;
    file_descriptors::check(config.server.connections_max)?;
    let lock = data_directory::lock(&config.storage.data_dir)?;
    direct_io::check(&config.storage.data_dir)?;
    Ok(lock)
}
