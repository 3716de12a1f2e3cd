//! What push subscriptions send: by outcome, and in which state they are.

use gateway::push::{PushBoard, PushState};
use prometheus::proto::MetricFamily;

use super::{
    description::Description,
    family::{labelled, single},
};
use crate::push::PushCounters;

const REQUESTS: Description = Description::counter(
    "pubsub_push_requests_total",
    "Requests to the endpoints of push subscriptions, by what they came to.",
    "A push subscription lags: `outcome` is the class of the endpoint's answer, or why there was none.",
)
.by(&["outcome"]);
const IN_FLIGHT: Description = Description::gauge(
    "pubsub_push_in_flight",
    "Requests to endpoints that are under way.",
    "Endpoints are slow: it is as high as they let it become.",
);
const SUBSCRIPTIONS: Description = Description::gauge(
    "pubsub_push_subscriptions",
    "Push subscriptions by their state.",
    "`open_circuit`: endpoints that are only probed now, since they failed again and again.",
)
.by(&["state"]);

pub(super) const ALL: &[Description] = &[REQUESTS, IN_FLIGHT, SUBSCRIPTIONS];

/// Everything that pushing counts.
pub(super) fn collect(counters: &PushCounters, board: &PushBoard) -> Vec<MetricFamily> {
    let requests = counters.requests().map(|(outcome, count)| (vec![outcome.to_owned()], count));
    let statuses = board.statuses();
    let states = [
        ("active", PushState::Active),
        ("paused", PushState::Paused),
        ("open_circuit", PushState::OpenCircuit),
        ("holding_off", PushState::HoldingOff),
    ];
    let subscriptions = states.map(|(word, state)| {
        let count = statuses.iter().filter(|status| status.state == state).count();
        (vec![word.to_owned()], u64::try_from(count).unwrap_or(u64::MAX))
    });
    vec![labelled(REQUESTS, requests), single(IN_FLIGHT, counters.in_flight()), labelled(SUBSCRIPTIONS, subscriptions)]
}
