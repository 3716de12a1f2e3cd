//! What the exit code of `pubsub-node` says; the table for operators is in `docs/operations.md`.

/// Why the process ended. Codes are never given a new meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// It was asked to stop and everything is on disk.
    Stopped = 0,
    /// Something failed that has no code of its own.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A setting is unknown or wrong.
    Configuration = 3,
    /// The kernel is too old.
    Kernel = 10,
    /// The kernel has no io_uring.
    IoUringMissing = 11,
    /// A seccomp profile blocks io_uring.
    IoUringBlocked = 12,
    /// The sysctl `kernel.io_uring_disabled` switches io_uring off.
    IoUringDisabled = 13,
    /// Too little memory may be locked.
    Memlock = 14,
    /// Too few files may be open.
    FileDescriptors = 15,
    /// The data directory can't be made or written.
    DataDirectory = 16,
    /// Another process has the data directory.
    DataDirectoryLocked = 17,
    /// The data directory's filesystem has no direct I/O.
    DirectIo = 18,
    /// An address can't be listened on.
    Address = 20,
    /// The metadata can't be read or started.
    Metadata = 21,
    /// What the shards know of durable ends can't be read.
    Store = 22,
    /// The metadata has lost what it had on disk.
    MetadataLost = 23,
    /// The Redis that is to be the store can't be used.
    Redis = 24,
    /// The cluster has removed this node.
    Removed = 25,
    /// A core or the control thread died while the node ran.
    ThreadDied = 70,
    /// The stop took longer than its limit; what was acknowledged is on disk.
    StopTimedOut = 75,
    /// A second SIGINT came before the stop was done.
    Interrupted = 130,
    /// A second SIGTERM came before the stop was done.
    Terminated = 143,
}

impl ExitCode {
    /// All of them, for the documentation and its test.
    pub const ALL: &[Self] = &[
        Self::Stopped,
        Self::Failed,
        Self::Usage,
        Self::Configuration,
        Self::Kernel,
        Self::IoUringMissing,
        Self::IoUringBlocked,
        Self::IoUringDisabled,
        Self::Memlock,
        Self::FileDescriptors,
        Self::DataDirectory,
        Self::DataDirectoryLocked,
        Self::DirectIo,
        Self::Address,
        Self::Metadata,
        Self::Store,
        Self::MetadataLost,
        Self::Redis,
        Self::Removed,
        Self::ThreadDied,
        Self::StopTimedOut,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number that the process exits with.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_its_own_and_is_documented() {
        let page = include_str!("../../docs/operations.md");
        let (_, section) = page.split_once("\n## Exit codes\n").expect("the section of the node's exit codes");
        let section = section.split("\n## ").next().unwrap_or_default();
        for (index, code) in ExitCode::ALL.iter().enumerate() {
            let rows = section.lines().filter(|line| line.starts_with(&format!("| {} |", code.number()))).count();
            assert_eq!(rows, 1, "docs/operations.md should have one row for {code:?} = {}", code.number());
            assert!(ExitCode::ALL.iter().skip(index + 1).all(|other| other.number() != code.number()));
        }
    }
}
