//! What is written down of who did what: changes, and what was refused. Never a payload, never a secret.
//!
//! A shard hands each event to a queue and goes on; a thread of the node writes them. A flood of refusals is collapsed
//! to a count before it gets there, so that it can neither fill the disk nor push out what matters.

mod event;

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    sync::{Arc, mpsc::SyncSender},
    time::Instant,
};

pub use event::{AuditEvent, Decision};

use crate::{
    auth::{Caller, Denied, Proof},
    call::Call,
    core_state,
    http::{request_id::RequestId, response::Response, router::Route},
    limits,
    metrics::GatewayMetrics,
    quota::rate::Rate,
};

/// One core's end of the queue.
#[derive(Debug)]
pub struct AuditLog {
    queue: Option<SyncSender<AuditEvent>>,
    metrics: Arc<GatewayMetrics>,
    started: Instant,
    refusals: RefCell<Refusals>,
    lost: Cell<u64>,
}

/// Which refusals are written.
#[derive(Debug, Default)]
struct Refusals {
    paid_until: u64,
    collapsed: u64,
}

/// Where an event comes from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The request.
    pub request: RequestId,
    /// Who.
    pub caller: &'a Caller,
    /// From where.
    pub from: Option<SocketAddr>,
}

impl AuditLog {
    /// Puts events into this queue, and counts what it doesn't take.
    #[must_use]
    pub fn new(queue: Option<SyncSender<AuditEvent>>, metrics: Arc<GatewayMetrics>) -> Self {
        let (refusals, lost) = (RefCell::default(), Cell::default());
        Self { queue, metrics, started: Instant::now(), refusals, lost }
    }

    /// Notes an answered request, if it is one that changes what others find.
    pub fn answered(&self, call: &Call<'_>, response: &Response) {
        if self.queue.is_none() || !is_audited(call.route.route) {
            return;
        }
        let event = AuditEvent {
            on: response.subject().unwrap_or(call.route.name).to_owned(),
            status: response.status(),
            reason: response.failure().map(|code| code.to_string()),
            ..event(&source(call, call.caller), call.route.route.label(), Decision::Allowed)
        };
        self.put(event);
    }

    /// Notes a request that was not let through.
    pub fn refused(&self, call: &Call<'_>, caller: &Caller, denied: &Denied) {
        self.refusal(&source(call, caller), (call.route.route.label(), call.route.name), denied);
    }

    /// Notes something that was not let through: what, and on what.
    pub fn refusal(&self, source: &Source<'_>, (action, on): (&'static str, &str), denied: &Denied) {
        let Some(collapsed) = self.admit_refusal() else { return };
        let (decision, status) = match denied {
            Denied::Unproved(_) => (Decision::Unauthenticated, 401),
            Denied::Forbidden { .. } => (Decision::Denied, 403),
        };
        let on = shortened(on);
        self.put(AuditEvent {
            on,
            status,
            reason: Some(denied.to_string()),
            collapsed,
            ..event(source, action, decision)
        });
    }

    /// Notes that a WebSocket was closed because its key or its grants are gone.
    pub fn revoked(&self, source: &Source<'_>, reason: &str) {
        let Some(collapsed) = self.admit_refusal() else { return };
        let reason = Some(reason.to_owned());
        self.put(AuditEvent { reason, collapsed, ..event(source, "websocket", Decision::Revoked) });
    }

    /// Whether one more refusal is written, and how many were not before it.
    fn admit_refusal(&self) -> Option<u64> {
        self.queue.as_ref()?;
        let now = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.refusals.borrow_mut().admit(now)
    }

    fn put(&self, event: AuditEvent) {
        let Some(queue) = &self.queue else { return };
        if queue.try_send(AuditEvent { lost: self.lost.get(), ..event }).is_ok() {
            self.lost.set(0);
        } else {
            self.lost.set(self.lost.get().saturating_add(1));
            self.metrics.audit_events_lost.add(1);
        }
    }
}

impl Refusals {
    fn admit(&mut self, now: u64) -> Option<u64> {
        let rate = Rate::per_second(limits::AUDIT_REFUSALS_PER_SECOND).with_burst(limits::AUDIT_REFUSALS_AT_ONCE);
        let Ok(passed) = rate.take(self.paid_until, now, 1) else {
            self.collapsed = self.collapsed.saturating_add(1);
            return None;
        };
        self.paid_until = passed.paid_until;
        Some(std::mem::take(&mut self.collapsed))
    }
}

fn source<'a>(call: &Call<'_>, caller: &'a Caller) -> Source<'a> {
    Source { request: call.request.id(), caller, from: call.client.address }
}

/// An event of a request, as far as its source says.
fn event(source: &Source<'_>, action: &'static str, decision: Decision) -> AuditEvent {
    let identity = source.caller.identity();
    let key = identity.and_then(|identity| match &identity.proof {
        Proof::Key(id) => Some(id.as_str().to_owned()),
        Proof::Bearer => None,
    });
    AuditEvent {
        principal: identity.map(|identity| identity.name.to_string()),
        key,
        from: source.from,
        ..AuditEvent::new(core_state::now_millis(), source.request, action, decision)
    }
}

/// A name that a client made up may be as long as a request's head.
fn shortened(name: &str) -> String {
    name.chars().take(limits::AUDIT_NAME_CHARS_MAX).collect()
}

/// Whether a request changes what others find.
const fn is_audited(route: Route) -> bool {
    match route {
        Route::PutTopic
        | Route::PatchTopic
        | Route::DeleteTopic
        | Route::PutSubscription
        | Route::PatchSubscription
        | Route::DeleteSubscription
        | Route::Seek
        | Route::Redrive
        | Route::CancelScheduled
        | Route::CreateKey
        | Route::DeleteKey
        | Route::PutPrincipal
        | Route::DeletePrincipal
        | Route::Rebalance
        | Route::TransferLeadership
        | Route::DeleteNode
        | Route::DrainNode
        | Route::MovePartition
        | Route::ElectUnclean => true,
        Route::VerifyPartition
        | Route::PublishBatch
        | Route::PublishOne
        | Route::ReadPartition
        | Route::Events
        | Route::Pull
        | Route::Ack
        | Route::Nack
        | Route::Extend
        | Route::ListDeadLetters
        | Route::ListScheduled
        | Route::ListTopics
        | Route::GetTopic
        | Route::ListSubscriptions
        | Route::GetSubscription
        | Route::JoinConsumer
        | Route::HeartbeatConsumer
        | Route::LeaveConsumer
        | Route::ListKeys
        | Route::GetKey
        | Route::ListPrincipals
        | Route::GetPrincipal
        | Route::GetCluster
        | Route::GetNode
        | Route::Whoami
        | Route::CreateTicket
        | Route::WebSocket
        | Route::Healthz
        | Route::Readyz
        | Route::OpenApi
        | Route::AsyncApi
        | Route::Home
        | Route::Docs
        | Route::DocsFile => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::auth::Unproved;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_flood_of_refusals_is_collapsed_to_a_count() {
        let mut refusals = Refusals::default();
        let written = (0..10_000).filter(|_| refusals.admit(SECOND).is_some()).count();
        assert_eq!(u64::try_from(written), Ok(limits::AUDIT_REFUSALS_AT_ONCE));
        let collapsed = 10_000 - limits::AUDIT_REFUSALS_AT_ONCE;
        assert_eq!(refusals.admit(3 * SECOND), Some(collapsed));
        assert_eq!(refusals.admit(3 * SECOND), Some(0));
    }

    #[test]
    fn what_the_queue_does_not_take_is_counted_and_said() {
        let (queue, events) = mpsc::sync_channel(1);
        let log = AuditLog::new(Some(queue), Arc::default());
        let source = Source { request: RequestId::default(), caller: &Caller::Nobody, from: None };
        let denied = Denied::Unproved(Unproved::Missing);
        for _ in 0..3 {
            log.refusal(&source, ("pull", "s"), &denied);
        }
        assert_eq!(events.recv().unwrap().lost, 0);
        log.refusal(&source, ("pull", &"x".repeat(10_000)), &denied);
        let event = events.recv().unwrap();
        assert_eq!((event.lost, event.decision, event.status), (2, Decision::Unauthenticated, 401));
        assert_eq!(event.on.len(), limits::AUDIT_NAME_CHARS_MAX);
        assert_eq!(log.metrics.audit_events_lost.get(), 2);
    }

    #[test]
    fn without_a_queue_nothing_is_lost() {
        let log = AuditLog::new(None, Arc::default());
        let source = Source { request: RequestId::default(), caller: &Caller::Anyone, from: None };
        log.revoked(&source, "gone");
        assert_eq!(log.metrics.audit_events_lost.get(), 0);
    }
}
