//! Where push subscriptions may send to, and what they may use.

use std::path::PathBuf;

/// The section `push`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushSection {
    /// Whether requests may go unencrypted.
    pub allow_http: bool,
    /// Whether requests may go to addresses that are not public.
    pub allow_private_networks: bool,
    /// A PEM file with certificates of issuers to trust besides those that the machine trusts; empty for none.
    pub ca_file: PathBuf,
    /// Memory for messages on their way to endpoints.
    pub memory_bytes_max: u64,
}

impl Default for PushSection {
    fn default() -> Self {
        Self { allow_http: false, allow_private_networks: false, ca_file: PathBuf::new(), memory_bytes_max: 64 << 20 }
    }
}
