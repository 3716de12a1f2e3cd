//! How much a principal may use of which the metadata says nothing; 0 is any amount.

use raft::metadata::PrincipalLimits;

/// The section `limits`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitsSection {
    /// Messages published in a second.
    pub messages_per_s: u64,
    /// Bytes of requests in a second.
    pub bytes_per_s: u64,
    /// Requests, and frames over WebSocket, in a second.
    pub requests_per_s: u64,
    /// Connections of WebSocket at a time.
    pub connections: u64,
    /// Topics that it manages.
    pub topics: u64,
    /// Subscriptions that it manages.
    pub subscriptions: u64,
    /// Requests under way at a time.
    pub in_flight: u64,
}

impl LimitsSection {
    /// The same as the gateways take it.
    #[must_use]
    pub fn of_everyone(&self) -> PrincipalLimits {
        let some = |limit: u64| (limit > 0).then_some(limit);
        PrincipalLimits {
            messages_per_s: some(self.messages_per_s),
            bytes_per_s: some(self.bytes_per_s),
            requests_per_s: some(self.requests_per_s),
            connections: some(self.connections),
            topics: some(self.topics),
            subscriptions: some(self.subscriptions),
            in_flight: some(self.in_flight),
        }
    }
}
