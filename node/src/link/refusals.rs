//! Connections between nodes that came to nothing for a reason that somebody has to mend: told in the log now and then.

use std::{
    fmt::Display,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use shard_core::{link::Seldom, model::Monotonic};

/// What was told lately.
pub(super) struct Refusals {
    started: Instant,
    accepted: Mutex<Seldom>,
    made: Mutex<Seldom>,
}

impl Refusals {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), accepted: Mutex::default(), made: Mutex::default() }
    }

    /// Whoever connected is not spoken to.
    pub(super) fn accepted(&self, from: SocketAddr, reason: &dyn Display) {
        if let Some(passed_over) = self.is_to_be_told(&self.accepted) {
            tracing::warn!(%from, %reason, passed_over, "a connection to the port for nodes was refused");
        }
    }

    /// A node can't be spoken to.
    pub(super) fn made(&self, to: &str, reason: &dyn Display) {
        if let Some(passed_over) = self.is_to_be_told(&self.made) {
            tracing::warn!(to, %reason, passed_over, "another node can't be spoken to");
        }
    }

    fn is_to_be_told(&self, seldom: &Mutex<Seldom>) -> Option<u64> {
        let now = Monotonic::default().plus(self.started.elapsed());
        seldom.lock().unwrap_or_else(PoisonError::into_inner).on_event(now)
    }
}
