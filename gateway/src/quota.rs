//! How much each principal may use: rates and counts over all cores of this node.
//!
//! [`rate`] is pure. What a principal is not given by the metadata is as the configuration has it for everyone.

pub mod rate;
pub mod usage;

use std::{fmt::Write as _, sync::Arc};

use gateway_api::{Code, Problem};
use raft::metadata::{ClusterState, PrincipalLimits, Resource};

use self::{
    rate::{Rate, Wait},
    usage::{Held, Hold, Spent, Usage},
};
use crate::{
    auth::{Caller, Identity},
    context::Context,
    core_state::monotonic_nanos,
    error::{self, Failure},
    http::response::Response,
};

/// One caller's limits and what it has used of them.
struct Meter<'a> {
    usage: &'a Arc<Usage>,
    limits: PrincipalLimits,
}

/// One of a principal's rates.
struct Window<'a> {
    name: &'static str,
    rate: Rate,
    spent: &'a Spent,
}

/// Lets a request begin, of so many bytes; what it gives is held until the answer is there.
///
/// # Errors
/// The caller has used up what it may.
pub(crate) fn begin(context: &Context, caller: &Caller, bytes: usize) -> Result<Option<Hold>, Failure> {
    let Some(meter) = Meter::of(context, caller) else { return Ok(None) };
    let held = match meter.limits.in_flight {
        None => None,
        Some(max) => Some(meter.usage.hold(Held::InFlight, max).ok_or_else(|| too_many("requests under way", max))?),
    };
    take(meter.requests().as_ref(), 1)?;
    take(meter.bytes().as_ref(), u64::try_from(bytes).unwrap_or(u64::MAX))?;
    Ok(held)
}

/// Lets so many messages be published.
///
/// # Errors
/// The caller has published as many as it may for now.
pub(crate) fn publish(context: &Context, caller: &Caller, messages: usize) -> Result<(), Failure> {
    let Some(meter) = Meter::of(context, caller) else { return Ok(()) };
    take(meter.messages().as_ref(), u64::try_from(messages).unwrap_or(u64::MAX))
}

/// Counts bytes that a request has become larger by since it began.
pub(crate) fn charge(context: &Context, caller: &Caller, bytes: usize) {
    let Some(Window { rate, spent, .. }) = Meter::of(context, caller).and_then(|meter| meter.bytes()) else { return };
    spent.charge(rate, monotonic_nanos(), u64::try_from(bytes).unwrap_or(u64::MAX));
}

/// Lets a connection be opened that stays.
///
/// # Errors
/// The caller has as many as it may.
pub(crate) fn connect(context: &Context, caller: &Caller) -> Result<Option<Hold>, Failure> {
    let Some(meter) = Meter::of(context, caller) else { return Ok(None) };
    match meter.limits.connections {
        None => Ok(None),
        Some(max) => meter.usage.hold(Held::Connection, max).map(Some).ok_or_else(|| too_many("connections", max)),
    }
}

/// Lets a topic be created, if there are fewer in the caller's part of the cluster than it may have.
///
/// # Errors
/// There are as many.
pub(crate) fn create_topic(context: &Context, caller: &Caller, name: &str) -> Result<(), Failure> {
    let state = context.metadata.state();
    let Some(max) = Meter::of(context, caller).and_then(|meter| meter.limits.topics) else { return Ok(()) };
    if state.topic(name).is_some() {
        return Ok(());
    }
    let managed = managed(caller, &state, |state| state.topics().map(|topic| Resource::Topic(topic.name.as_str())));
    if managed >= max { Err(quota_exceeded("topics", max)) } else { Ok(()) }
}

/// Lets a subscription be created, likewise.
///
/// # Errors
/// There are as many.
pub(crate) fn create_subscription(context: &Context, caller: &Caller, name: &str) -> Result<(), Failure> {
    let state = context.metadata.state();
    let Some(max) = Meter::of(context, caller).and_then(|meter| meter.limits.subscriptions) else { return Ok(()) };
    if state.subscription(name).is_some() {
        return Ok(());
    }
    let managed = managed(caller, &state, |state| {
        state.subscriptions().map(|subscription| Resource::Subscription(subscription.name.as_str()))
    });
    if managed >= max { Err(quota_exceeded("subscriptions", max)) } else { Ok(()) }
}

/// Tells a limited caller what is left, by the header fields `RateLimit-Policy` and `RateLimit`.
pub(crate) fn told(context: &Context, caller: &Caller, response: Response) -> Response {
    let Some(meter) = Meter::of(context, caller) else { return response };
    let now = monotonic_nanos();
    let (mut policy, mut left) = (String::new(), String::new());
    for Window { name, rate, spent } in [meter.requests(), meter.bytes(), meter.messages()].into_iter().flatten() {
        let separator = if policy.is_empty() { "" } else { ", " };
        let paid_until = spent.paid_until();
        let remaining = rate.remaining(paid_until, now);
        let reset = paid_until.saturating_sub(now).div_ceil(1_000_000_000);
        let _ = write!(policy, "{separator}\"{name}\";q={};w=1", rate.limit());
        let _ = write!(left, "{separator}\"{name}\";r={remaining};t={reset}");
    }
    if policy.is_empty() {
        return response;
    }
    response.with_header("ratelimit-policy", policy).with_header("ratelimit", left)
}

impl<'a> Meter<'a> {
    /// The meter of a caller that has limits.
    fn of(context: &Context, caller: &'a Caller) -> Option<Self> {
        let identity: &Identity = caller.identity()?;
        let own = identity.principal.as_ref().map(|principal| principal.config.limits).unwrap_or_default();
        let limits = or(own, context.config.limits);
        (limits != PrincipalLimits::default()).then_some(Self { usage: &identity.usage, limits })
    }

    fn requests(&self) -> Option<Window<'a>> {
        window("requests", self.limits.requests_per_s, &self.usage.requests)
    }

    fn bytes(&self) -> Option<Window<'a>> {
        window("bytes", self.limits.bytes_per_s, &self.usage.bytes)
    }

    fn messages(&self) -> Option<Window<'a>> {
        window("messages", self.limits.messages_per_s, &self.usage.messages)
    }
}

/// Lets so many units pass, if there is such a rate.
fn take(window: Option<&Window<'_>>, units: u64) -> Result<(), Failure> {
    let Some(Window { name, rate, spent }) = window else { return Ok(()) };
    spent.take(*rate, monotonic_nanos(), units).map(drop).map_err(|wait| {
        let detail = format!("at most {} {name} in a second are allowed", rate.limit());
        rate_limited(detail, wait)
    })
}

fn window<'a>(name: &'static str, per_second: Option<u64>, spent: &'a Spent) -> Option<Window<'a>> {
    Some(Window { name, rate: Rate::per_second(per_second?), spent })
}

/// What is said of a principal, and for the rest what is said of everyone.
fn or(own: PrincipalLimits, everyone: PrincipalLimits) -> PrincipalLimits {
    PrincipalLimits {
        messages_per_s: own.messages_per_s.or(everyone.messages_per_s),
        bytes_per_s: own.bytes_per_s.or(everyone.bytes_per_s),
        requests_per_s: own.requests_per_s.or(everyone.requests_per_s),
        connections: own.connections.or(everyone.connections),
        topics: own.topics.or(everyone.topics),
        subscriptions: own.subscriptions.or(everyone.subscriptions),
        in_flight: own.in_flight.or(everyone.in_flight),
    }
}

/// How many things there are that the caller may manage.
fn managed<'s, I>(caller: &Caller, state: &'s ClusterState, all: impl FnOnce(&'s ClusterState) -> I) -> u64
where
    I: Iterator<Item = Resource<'s>>,
{
    let count = all(state).filter(|resource| caller.may(raft::metadata::Action::Manage, *resource)).count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn rate_limited(detail: String, wait: Wait) -> Failure {
    Problem::new(Code::RateLimited, detail).with_retry_after_ms(wait.millis()).into()
}

fn too_many(what: &str, max: u64) -> Failure {
    rate_limited(format!("at most {max} {what} at a time are allowed"), Wait(1_000_000_000))
}

fn quota_exceeded(what: &str, max: u64) -> Failure {
    error::of_code(Code::QuotaExceeded, format!("there may be at most {max} {what} that this principal manages"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_principal_comes_before_what_is_said_of_everyone() {
        let everyone = PrincipalLimits { topics: Some(5), connections: Some(9), ..PrincipalLimits::default() };
        let own = PrincipalLimits { topics: Some(50), ..PrincipalLimits::default() };
        let limits = or(own, everyone);
        assert_eq!((limits.topics, limits.connections, limits.in_flight), (Some(50), Some(9), None));
    }
}
