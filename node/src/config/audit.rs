//! What is written down of who did what, and how much of it is kept.

/// The section `audit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSection {
    /// Whether anything is.
    pub enabled: bool,
    /// How long a file grows before the next one is begun.
    pub file_bytes_max: u64,
    /// How many full files are kept.
    pub files_kept: u32,
}

impl Default for AuditSection {
    fn default() -> Self {
        Self { enabled: true, file_bytes_max: 16 << 20, files_kept: 8 }
    }
}
