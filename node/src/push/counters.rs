//! What push requests came to, for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use gateway::push::PushErrorReason;
use shard_core::delivery::PushAnswer;

use super::failure::SendError;

/// What a request may come to; the label of its counter.
const OUTCOMES: [&str; 12] = [
    "1xx",
    "2xx",
    "3xx",
    "4xx",
    "5xx",
    "abandoned",
    "timeout",
    "resolve",
    "address_denied",
    "connect",
    "tls",
    "connection",
];
const ABANDONED: &str = "abandoned";

/// Counts of all push subscriptions together.
#[derive(Debug, Default)]
pub(crate) struct PushCounters {
    requests: [AtomicU64; OUTCOMES.len()],
    in_flight: AtomicU64,
}

/// A request under way, counted until it is dropped.
#[derive(Debug)]
pub(super) struct InFlight<'c>(&'c PushCounters);

impl PushCounters {
    /// A request has begun.
    pub(super) fn begin(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self)
    }

    /// A request has ended; `None` is one that the node gave up.
    pub(super) fn count(&self, sent: Option<&Result<PushAnswer, SendError>>) {
        let outcome = match sent {
            Some(Ok(PushAnswer::Status { status, .. })) => class(*status),
            Some(Err(error)) => word(error.reason()),
            Some(Ok(PushAnswer::Failed | PushAnswer::Abandoned)) | None => ABANDONED,
        };
        let place = OUTCOMES.iter().position(|known| *known == outcome);
        if let Some(counter) = place.and_then(|place| self.requests.get(place)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many requests came to what.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (&'static str, u64)> {
        OUTCOMES.into_iter().zip(self.requests.iter().map(|counter| counter.load(Ordering::Relaxed)))
    }

    /// How many requests are under way.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

const fn class(status: u16) -> &'static str {
    match status {
        ..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    }
}

/// The word of a failure; an answer's status has its own.
const fn word(reason: PushErrorReason) -> &'static str {
    match reason {
        PushErrorReason::Status => ABANDONED,
        other @ (PushErrorReason::Timeout
        | PushErrorReason::Resolve
        | PushErrorReason::AddressDenied
        | PushErrorReason::Connect
        | PushErrorReason::Tls
        | PushErrorReason::Connection) => other.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_counter() {
        let counters = PushCounters::default();
        for status in [101, 200, 302, 404, 500, 999] {
            counters.count(Some(&Ok(PushAnswer::Status { status, retry_after: None })));
        }
        let text = String::new;
        for error in [
            SendError::Timeout,
            SendError::Resolve(text()),
            SendError::AddressDenied,
            SendError::Connect(text()),
            SendError::Tls(text()),
            SendError::Connection(text()),
        ] {
            counters.count(Some(&Err(error)));
        }
        counters.count(None);
        let counts: Vec<_> = counters.requests().map(|(_, count)| count).collect();
        assert_eq!(counts, [1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1]);
        let under_way = counters.begin();
        assert_eq!(counters.in_flight(), 1);
        drop(under_way);
        assert_eq!(counters.in_flight(), 0);
    }
}
