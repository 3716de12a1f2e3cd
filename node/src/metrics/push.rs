//! What push subscriptions send: by outcome, and in which state they are.

use gateway::push::{PushBoard, PushState};
use prometheus::proto::MetricFamily;

use super::family::{Kind, label, labelled, single};
use crate::push::PushCounters;

/// Everything that pushing counts.
pub(super) fn collect(counters: &PushCounters, board: &PushBoard) -> Vec<MetricFamily> {
    let requests = counters.requests().map(|(outcome, count)| (vec![label("outcome", outcome)], count)).collect();
    let statuses = board.statuses();
    let states = [
        ("active", PushState::Active),
        ("paused", PushState::Paused),
        ("open_circuit", PushState::OpenCircuit),
        ("holding_off", PushState::HoldingOff),
    ];
    let subscriptions = states.map(|(word, state)| {
        let count = statuses.iter().filter(|status| status.state == state).count();
        (vec![label("state", word)], u64::try_from(count).unwrap_or(u64::MAX))
    });
    vec![
        labelled(
            "pubsub_push_requests_total",
            "Requests to the endpoints of push subscriptions, by what they came to.",
            Kind::Counter,
            requests,
        ),
        single("pubsub_push_in_flight", "Requests to endpoints that are under way.", Kind::Gauge, counters.in_flight()),
        labelled("pubsub_push_subscriptions", "Push subscriptions by their state.", Kind::Gauge, subscriptions.into()),
    ]
}
