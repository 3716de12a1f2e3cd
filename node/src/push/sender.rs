//! Sends for one push subscription: leases as much as its gate allows, and keeps its report.

use std::sync::Arc;

use gateway::push::{PushError, PushErrorReason, PushReport, PushState, PushStatus, PushTarget};
use hyper::StatusCode;
use raft::metadata::DeliveryMode;
use ring::hmac;
use shard_core::delivery::{PushAllowance, PushAnswer, PushGate, PushPhase, PushVerdict};
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::{Instant, sleep_until},
};

use super::{
    Phase, Shared,
    budget::Reservation,
    delivery::{Delivered, Delivery},
    endpoint::Endpoint,
    leasing::{Leased, Leasing, lease, room},
    order::PushOrder,
    pausing::pause,
    request::RequestTemplate,
};
use crate::limits;

/// One push subscription at work.
pub(super) struct PushSender {
    shared: Arc<Shared>,
    orders: watch::Receiver<Arc<PushOrder>>,
    phase: watch::Receiver<Phase>,
    report: PushReport,
    order: Arc<PushOrder>,
    /// `None` if the address is not one that this node may send to any more.
    endpoint: Option<Arc<Endpoint>>,
    gate: PushGate,
    in_flight: JoinSet<Delivered>,
    leasing: Option<Leasing>,
    /// Whether it waits for room only: nothing is leased.
    is_waiting_for_room: bool,
    /// Room that came, for the next lease.
    room: Option<Reservation>,
    status: PushStatus,
    turn: usize,
    /// The revision at which the endpoint said that it is gone; the metadata will say so too.
    gone_at: Option<u64>,
}

enum Event {
    Order,
    Stop,
    Delivered(Result<Delivered, JoinError>),
    Leased(Leased),
    Woken,
}

impl PushSender {
    pub(super) fn new(shared: Arc<Shared>, mut orders: watch::Receiver<Arc<PushOrder>>, report: PushReport) -> Self {
        let order = Arc::clone(&orders.borrow_and_update());
        let phase = shared.phase.subscribe();
        let mut sender = Self {
            gate: PushGate::new(order.limits()),
            endpoint: None,
            shared,
            orders,
            phase,
            report,
            order,
            in_flight: JoinSet::new(),
            leasing: None,
            is_waiting_for_room: false,
            room: None,
            status: idle_status(),
            turn: 0,
            gone_at: None,
        };
        sender.endpoint = sender.new_endpoint();
        sender
    }

    /// Sends until the subscription is gone or the node stops; requests that are under way then end first.
    pub(super) async fn run(mut self) {
        loop {
            self.show();
            let wake = self.begin_leasing();
            match self.next_event(wake).await {
                Event::Order => self.adopt(),
                Event::Stop => break,
                Event::Delivered(delivered) => self.on_delivered(delivered),
                Event::Leased(Leased::Messages(messages, mut reservation)) => {
                    self.leasing = None;
                    let count = u32::try_from(messages.len()).unwrap_or(u32::MAX);
                    self.gate.on_leased(self.shared.now(), count);
                    for message in messages {
                        let room = self.shared.budget.room_for(message.bytes(), &mut reservation);
                        self.send(message, room);
                    }
                }
                Event::Leased(Leased::Nothing) => self.leasing = None,
                Event::Leased(Leased::Room(room)) => {
                    self.leasing = None;
                    self.is_waiting_for_room = false;
                    self.room = Some(room);
                }
                Event::Woken => self.prune(),
            }
        }
        self.stop_leasing();
        while let Some(delivered) = self.in_flight.join_next().await {
            self.on_delivered(delivered);
            self.show();
        }
    }

    async fn next_event(&mut self, wake: Instant) -> Event {
        let Self { orders, phase, in_flight, leasing, .. } = self;
        let leased = async {
            match leasing {
                Some(leasing) => leasing.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            stopping = phase.wait_for(|phase| *phase != Phase::Running) => {
                drop(stopping);
                Event::Stop
            }
            // The service drops its end when the subscription is gone.
            changed = orders.changed() => if changed.is_ok() { Event::Order } else { Event::Stop },
            Some(delivered) = in_flight.join_next() => Event::Delivered(delivered),
            leased = leased => Event::Leased(leased),
            () = sleep_until(wake) => Event::Woken,
        }
    }

    /// Leases what may be sent now; returns when to look again if nothing happens.
    fn begin_leasing(&mut self) -> Instant {
        let later = Instant::now() + limits::PUSH_IDLE_TIMEOUT;
        // Who has nothing on its way any more needs no room to wait for.
        if self.is_waiting_for_room && self.in_flight.is_empty() {
            self.leasing = None;
            self.is_waiting_for_room = false;
        }
        let room_that_came = self.room.take();
        if self.leasing.is_some() || self.is_paused() || self.endpoint.is_none() {
            return later;
        }
        let now = self.shared.now();
        match self.gate.allowance(now) {
            PushAllowance::Messages(messages) => {
                self.turn = self.turn.wrapping_add(1);
                let reserve = || self.shared.budget.reserve(messages, !self.in_flight.is_empty());
                let reservation = room_that_came.or_else(reserve);
                self.is_waiting_for_room = reservation.is_none();
                self.leasing = Some(match reservation {
                    Some(reservation) => {
                        lease(Arc::clone(&self.shared), Arc::clone(&self.order), reservation, self.turn)
                    }
                    None => room(Arc::clone(&self.shared)),
                });
                later
            }
            PushAllowance::At(at) => later.min(Instant::now() + at.since(now)),
            PushAllowance::AfterAnswer => later,
        }
    }

    fn send(&mut self, message: super::message::PushMessage, room: Option<tokio::sync::OwnedSemaphorePermit>) {
        let Some(endpoint) = &self.endpoint else { return };
        let delivery = Delivery {
            shared: Arc::clone(&self.shared),
            endpoint: Arc::clone(endpoint),
            revision: self.order.subscription.revision,
            phase: self.phase.clone(),
        };
        self.in_flight.spawn(delivery.deliver(message, room));
    }

    /// What was leased and has not come yet is given back.
    fn stop_leasing(&mut self) {
        self.leasing = None;
        self.is_waiting_for_room = false;
    }

    /// The subscription was changed.
    fn adopt(&mut self) {
        let order = Arc::clone(&self.orders.borrow_and_update());
        let before = std::mem::replace(&mut self.order, order);
        let revision = self.order.subscription.revision;
        self.gone_at = self.gone_at.filter(|gone_at| *gone_at == revision);
        self.gate.configure(self.order.limits());
        let resumed = before.config.paused.is_some() && self.order.config.paused.is_none();
        if resumed || before.config.url != self.order.config.url {
            self.gate.forgive();
        }
        if before.subscription != self.order.subscription {
            self.endpoint = self.new_endpoint();
        }
        // A lease under way is by the old rules. What it has got already is given back.
        if self.is_paused() || self.endpoint.is_none() || before.cursors != self.order.cursors {
            self.stop_leasing();
        }
    }

    fn on_delivered(&mut self, delivered: Result<Delivered, JoinError>) {
        let delivered = match delivered {
            Ok(delivered) => delivered,
            Err(error) => {
                tracing::error!(%error, "a push request's task panicked; its message comes again");
                Delivered { sent: None, revision: 0 }
            }
        };
        let was_open = self.gate.phase(self.shared.now()) == PushPhase::OpenCircuit;
        let verdict = self.gate.on_answer(self.shared.now(), &delivered.answer());
        let is_open = self.gate.phase(self.shared.now()) == PushPhase::OpenCircuit;
        self.note(&delivered, verdict);
        let name = self.order.subscription.name.as_str();
        match (was_open, is_open) {
            (false, true) => {
                let reason = self.status.last_error.as_ref().map(|error| error.detail.as_str());
                tracing::warn!(
                    subscription = name,
                    reason,
                    "its endpoint keeps failing: one message is tried now and then"
                );
            }
            (true, false) => tracing::info!(subscription = name, "its endpoint takes messages again"),
            (true, true) | (false, false) => {}
        }
        let current = self.order.subscription.revision;
        if verdict == PushVerdict::Pause && delivered.revision == current && self.gone_at.is_none() {
            self.gone_at = Some(current);
            self.stop_leasing();
            tokio::spawn(pause(Arc::clone(&self.shared), Arc::clone(&self.order.subscription)));
        }
    }

    /// Writes down what came of a request, for whoever asks.
    fn note(&mut self, delivered: &Delivered, verdict: PushVerdict) {
        let time = self.shared.wall_clock();
        let (reason, status, detail) = match &delivered.sent {
            Some(Ok(PushAnswer::Status { .. })) if verdict == PushVerdict::Ack => {
                self.status.last_success_time = Some(time);
                return;
            }
            Some(Ok(PushAnswer::Status { status, .. })) => (PushErrorReason::Status, Some(*status), describe(*status)),
            Some(Err(error)) => (error.reason(), None, error.detail()),
            Some(Ok(PushAnswer::Failed | PushAnswer::Abandoned)) | None => return,
        };
        self.status.last_error = Some(PushError { time, reason, status, detail });
    }

    fn show(&mut self) {
        self.status.state = match self.gate.phase(self.shared.now()) {
            _ if self.is_paused() => PushState::Paused,
            PushPhase::Active => PushState::Active,
            PushPhase::OpenCircuit => PushState::OpenCircuit,
            PushPhase::HoldingOff => PushState::HoldingOff,
        };
        self.status.in_flight = self.gate.in_flight();
        self.status.consecutive_failures = self.gate.consecutive_failures();
        self.report.update(self.status.clone());
    }

    fn is_paused(&self) -> bool {
        self.order.config.paused.is_some() || self.gone_at.is_some()
    }

    fn prune(&self) {
        if let Some(endpoint) = &self.endpoint {
            endpoint.prune();
        }
    }

    /// The endpoint as the subscription names it now. It was checked when it was set, perhaps by other rules.
    fn new_endpoint(&mut self) -> Option<Arc<Endpoint>> {
        let subscription = &self.order.subscription;
        let config = &self.order.config;
        let target = match PushTarget::parse(&config.url, self.shared.connector.policy()) {
            Ok(target) => target,
            Err(refused) => {
                let (time, detail) = (self.shared.wall_clock(), refused.to_string());
                tracing::warn!(subscription = subscription.name.as_str(), detail, "its endpoint is refused");
                let reason = PushErrorReason::AddressDenied;
                self.status.last_error = Some(PushError { time, reason, status: None, detail });
                return None;
            }
        };
        let template = RequestTemplate {
            target,
            key: config.secret.as_ref().map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())),
            subscription: subscription.name.as_str().to_owned(),
            topic: subscription.topic_name.as_str().to_owned(),
        };
        let timeout = std::time::Duration::from_millis(config.timeout_ms);
        // What is to be delivered once may not be sent again on a suspicion.
        let resend = subscription.config.delivery != DeliveryMode::AtMostOnce;
        Some(Arc::new(Endpoint::new(template, timeout, resend, Arc::clone(&self.shared.connector))))
    }
}

/// The status of a subscription that has sent nothing yet.
pub(super) const fn idle_status() -> PushStatus {
    PushStatus {
        state: PushState::Active,
        in_flight: 0,
        consecutive_failures: 0,
        last_success_time: None,
        last_error: None,
    }
}

fn describe(status: u16) -> String {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    reason.map_or_else(|| format!("the answer was {status}"), |reason| format!("the answer was {status} {reason}"))
}
