//! What the connections of a shard to Redis come to, over all servers.

use std::{cell::Cell, sync::Arc};

use crate::metrics::ShardMetrics;

/// Kept by the connections, and told to the metrics with each change.
#[derive(Debug, Default)]
pub(super) struct LinkCounts {
    made: Cell<u64>,
    /// Servers to which there should be a connection.
    wanted: Cell<u64>,
    /// Servers to which there is one.
    up: Cell<u64>,
    /// Whether it can't be learned which servers there should be one to.
    is_lost: Cell<bool>,
    metrics: Arc<ShardMetrics>,
}

impl LinkCounts {
    pub(super) fn new(metrics: Arc<ShardMetrics>) -> Self {
        let counts = Self { metrics, ..Self::default() };
        counts.tell();
        counts
    }

    /// There should be a connection to one server more.
    pub(super) fn on_wanted(&self) {
        self.wanted.set(self.wanted.get() + 1);
        self.tell();
    }

    /// A server is not needed any more; there was a connection if it `was_up`.
    pub(super) fn on_unwanted(&self, was_up: bool) {
        self.wanted.set(self.wanted.get() - 1);
        self.up.set(self.up.get() - u64::from(was_up));
        self.tell();
    }

    /// A connection is there. Returns its number.
    pub(super) fn on_up(&self) -> u64 {
        self.up.set(self.up.get() + 1);
        self.made.set(self.made.get() + 1);
        self.tell();
        self.made.get()
    }

    /// A connection has ended.
    pub(super) fn on_down(&self) {
        self.up.set(self.up.get() - 1);
        self.tell();
    }

    /// A connection could not be made.
    pub(super) fn on_failure(&self) {
        self.metrics.redis_connect_failures.add(1);
    }

    /// It was asked which servers there are, and that was answered or not.
    pub(super) fn on_servers_asked(&self, answered: bool) {
        self.is_lost.set(!answered);
        if !answered {
            self.on_failure();
        }
        self.tell();
    }

    /// How many connections have been made.
    pub(super) fn made(&self) -> u64 {
        self.made.get()
    }

    fn tell(&self) {
        let is_connected = self.up.get() == self.wanted.get() && !self.is_lost.get();
        self.metrics.redis_connected.set(u64::from(is_connected));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> (LinkCounts, impl Fn() -> u64) {
        let metrics = Arc::new(ShardMetrics::default());
        (LinkCounts::new(Arc::clone(&metrics)), move || metrics.redis_connected.get())
    }

    #[test]
    fn a_shard_is_connected_when_it_is_to_every_server_that_it_needs() {
        let (counts, is_connected) = counts();
        assert_eq!(is_connected(), 1, "it needs none");
        counts.on_wanted();
        assert_eq!(is_connected(), 0);
        assert_eq!((counts.on_up(), is_connected()), (1, 1));
        counts.on_wanted();
        assert_eq!(is_connected(), 0, "one of two is away");
        assert_eq!((counts.on_up(), is_connected()), (2, 1));
        counts.on_down();
        assert_eq!(is_connected(), 0);
        counts.on_unwanted(false);
        assert_eq!((is_connected(), counts.made()), (1, 2));
    }

    #[test]
    fn who_does_not_know_where_its_servers_are_is_not_connected() {
        let (counts, is_connected) = counts();
        counts.on_servers_asked(false);
        assert_eq!((is_connected(), counts.metrics.redis_connect_failures.get()), (0, 1));
        counts.on_servers_asked(true);
        assert_eq!(is_connected(), 1);
    }
}
