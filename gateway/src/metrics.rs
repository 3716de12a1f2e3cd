//! What one core's gateway counts. Written by that core alone, read by any thread.

mod counter;
mod error_counts;
mod histogram;

use crate::{http::router::Route, tls::HandshakeFailure};

pub use counter::{Counter, Gauge, GaugeHold};
pub use error_counts::ErrorCounts;
pub use histogram::{Histogram, LATENCY_BOUNDS_MICROS};

/// How many classes of status there are: 1xx to 5xx.
pub const STATUS_CLASSES: usize = 5;

/// The counts of one core.
#[derive(Debug, Default)]
pub struct GatewayMetrics {
    /// Open connections that speak HTTP.
    pub http_connections: Gauge,
    /// Open connections that speak WebSocket.
    pub websocket_connections: Gauge,
    /// Connections accepted.
    pub connections_accepted: Counter,
    /// Connections turned away because the core had as many as it may.
    pub connections_refused: Counter,
    /// Accepts that failed.
    pub accept_errors: Counter,
    /// Connections whose task panicked.
    pub connection_panics: Counter,
    /// Connections closed because a deadline had passed.
    pub connection_timeouts: Counter,
    /// Connections closed because their client did not read what WebSocket or a streaming answer sent it.
    pub slow_consumers: Counter,
    /// Requests that could not be read as HTTP.
    pub malformed_requests: Counter,
    /// Answers that tell of a failure, by its code.
    pub errors: ErrorCounts,
    /// Events of the audit log that were lost because its queue was full.
    pub audit_events_lost: Counter,
    /// TLS handshakes that succeeded.
    pub tls_handshakes: Counter,
    /// Bytes received.
    pub received_bytes: Counter,
    /// Bytes sent.
    pub sent_bytes: Counter,
    /// Messages stored.
    pub messages_published: Counter,
    /// Messages delivered or read.
    pub messages_consumed: Counter,
    /// From the last byte of a publish to its answer.
    pub publish_latency: Histogram,
    tls_handshake_failures: [Counter; HandshakeFailure::COUNT],
    requests: RouteCounts,
    unrouted: [Counter; STATUS_CLASSES],
}

/// Answers by route and class of status.
#[derive(Debug)]
struct RouteCounts([[Counter; STATUS_CLASSES]; Route::COUNT]);

impl Default for RouteCounts {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Default::default()))
    }
}

impl GatewayMetrics {
    /// Counts an answer; `route` is none for a request that asked for nothing known.
    pub fn count_answer(&self, route: Option<Route>, status: u16) {
        let classes = route.and_then(|route| self.requests.0.get(route.index())).unwrap_or(&self.unrouted);
        let class = usize::from(status / 100).saturating_sub(1);
        if let Some(counter) = classes.get(class) {
            counter.add(1);
        }
    }

    /// Counts a TLS handshake that came to nothing.
    pub fn count_handshake_failure(&self, failure: HandshakeFailure) {
        if let Some(counter) = self.tls_handshake_failures.get(failure as usize) {
            counter.add(1);
        }
    }

    /// How often TLS handshakes came to nothing, by kind.
    pub fn handshake_failures(&self) -> impl Iterator<Item = (HandshakeFailure, u64)> {
        HandshakeFailure::ALL.into_iter().zip(self.tls_handshake_failures.iter().map(Counter::get))
    }

    /// How often each route was answered with each class of status, 1xx first; the last row has no route.
    pub fn answers(&self) -> impl Iterator<Item = (Option<Route>, [u64; STATUS_CLASSES])> {
        let routed = Route::all().filter_map(|route| Some((Some(route), self.requests.0.get(route.index())?)));
        let rows = routed.chain([(None, &self.unrouted)]);
        rows.map(|(route, classes)| (route, std::array::from_fn(|class| classes.get(class).map_or(0, Counter::get))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_route_and_class() {
        let metrics = GatewayMetrics::default();
        metrics.count_answer(Some(Route::Pull), 200);
        metrics.count_answer(Some(Route::Pull), 204);
        metrics.count_answer(None, 404);
        let answers: Vec<_> = metrics.answers().filter(|(_, classes)| classes.iter().any(|count| *count > 0)).collect();
        assert_eq!(answers, [(Some(Route::Pull), [0, 2, 0, 0, 0]), (None, [0, 0, 0, 1, 0])]);
    }

    #[test]
    fn an_impossible_status_is_not_counted() {
        let metrics = GatewayMetrics::default();
        metrics.count_answer(None, 0);
        metrics.count_answer(None, 999);
        assert!(metrics.answers().skip(Route::COUNT).all(|(_, classes)| classes[1..] == [0; 4]));
    }
}
