//! Decides for one push subscription how much may be sent now, and what an answer means for its message.

mod breaker;
mod pace;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::{limits, model::Monotonic};

use breaker::Breaker;
use pace::Pace;

/// How much a push subscription may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushLimits {
    /// How many requests may be under way at a time; at least 1.
    pub in_flight_max: u32,
    /// How many may be begun in a second; any number if none.
    pub per_second_max: Option<u32>,
}

/// What came of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushAnswer {
    /// The endpoint answered.
    Status {
        /// The status code.
        status: u16,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// There was no whole answer: none in time, or no connection.
    Failed,
    /// The node gave the request up; it says nothing about the endpoint.
    Abandoned,
}

/// What is done with the message of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushVerdict {
    /// It is done.
    Ack,
    /// It comes again: after `delay`, or after the subscription's back-off if there is none.
    Nack {
        /// From now.
        delay: Option<Duration>,
    },
    /// It comes again, once the subscription, which is to be paused, goes on.
    Pause,
}

/// Whether, and how much, may be leased now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushAllowance {
    /// So many messages, at least one.
    Messages(u32),
    /// Nothing before this time.
    At(Monotonic),
    /// Nothing until a request that is under way has ended.
    AfterAnswer,
}

/// Why less is sent than could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushPhase {
    /// Nothing is wrong.
    Active,
    /// After failures in a row nothing is sent but a message now and then.
    OpenCircuit,
    /// The endpoint asked to be left alone.
    HoldingOff,
}

/// How much one push subscription may send: its requests under way, its pace, its circuit breaker.
#[derive(Clone, Debug)]
pub struct PushGate {
    in_flight_max: u32,
    in_flight: u32,
    pace: Pace,
    breaker: Breaker,
    hold_until: Monotonic,
}

impl PushAnswer {
    /// What is done with the message.
    #[must_use]
    pub fn verdict(&self) -> PushVerdict {
        match *self {
            Self::Status { status: 200..=299, .. } => PushVerdict::Ack,
            Self::Status { status: 410, .. } => PushVerdict::Pause,
            Self::Status { .. } => PushVerdict::Nack { delay: self.hold() },
            Self::Failed => PushVerdict::Nack { delay: None },
            Self::Abandoned => PushVerdict::Nack { delay: Some(Duration::ZERO) },
        }
    }

    /// How long the endpoint is to be left alone. Only statuses that say "later" may ask for it.
    fn hold(&self) -> Option<Duration> {
        match *self {
            Self::Status { status: 429 | 503, retry_after } => {
                retry_after.map(|pause| pause.min(limits::PUSH_RETRY_AFTER_MAX))
            }
            Self::Status { .. } | Self::Failed | Self::Abandoned => None,
        }
    }
}

impl PushGate {
    /// A subscription that has sent nothing yet.
    #[must_use]
    pub fn new(limits: PushLimits) -> Self {
        Self {
            in_flight_max: limits.in_flight_max.max(1),
            in_flight: 0,
            pace: Pace::new(limits.per_second_max),
            breaker: Breaker::default(),
            hold_until: Monotonic::default(),
        }
    }

    /// Other limits from now on; what is under way stays so.
    pub fn configure(&mut self, limits: PushLimits) {
        self.in_flight_max = limits.in_flight_max.max(1);
        self.pace.set_rate(limits.per_second_max);
    }

    /// Forgets failures and pauses: the owner of the subscription says that the endpoint is another one, or well again.
    pub fn forgive(&mut self) {
        self.breaker = Breaker::default();
        self.hold_until = Monotonic::default();
    }

    /// So many messages were leased; each is a request until [`PushGate::on_answer`].
    pub fn on_leased(&mut self, now: Monotonic, messages: u32) {
        self.in_flight = self.in_flight.saturating_add(messages);
        self.pace.take(now, messages);
    }

    /// A request has ended.
    pub fn on_answer(&mut self, now: Monotonic, answer: &PushAnswer) -> PushVerdict {
        self.in_flight = self.in_flight.saturating_sub(1);
        let verdict = answer.verdict();
        match verdict {
            PushVerdict::Ack => self.breaker.on_success(),
            PushVerdict::Nack { .. } | PushVerdict::Pause if *answer != PushAnswer::Abandoned => {
                self.breaker.on_failure(now);
            }
            PushVerdict::Nack { .. } | PushVerdict::Pause => {}
        }
        if let Some(pause) = answer.hold() {
            self.hold_until = self.hold_until.max(now.plus(pause));
        }
        verdict
    }

    /// How much may be leased now.
    #[must_use]
    pub fn allowance(&self, now: Monotonic) -> PushAllowance {
        let room = self.in_flight_max.saturating_sub(self.in_flight);
        if room == 0 {
            return PushAllowance::AfterAnswer;
        }
        let closed_until = self.hold_until.max(self.breaker.open_until().unwrap_or_default());
        if closed_until > now {
            return PushAllowance::At(closed_until);
        }
        let probing = self.breaker.open_until().is_some();
        if probing && self.in_flight > 0 {
            return PushAllowance::AfterAnswer;
        }
        let room = if probing { 1 } else { room };
        match self.pace.available(now) {
            Ok(messages) => PushAllowance::Messages(room.min(messages)),
            Err(at) => PushAllowance::At(at),
        }
    }

    /// Why less is sent than could be.
    #[must_use]
    pub fn phase(&self, now: Monotonic) -> PushPhase {
        if self.breaker.open_until().is_some() {
            PushPhase::OpenCircuit
        } else if self.hold_until > now {
            PushPhase::HoldingOff
        } else {
            PushPhase::Active
        }
    }

    /// How many requests are under way.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// How many requests have failed since the last that did not.
    #[must_use]
    pub const fn consecutive_failures(&self) -> u32 {
        self.breaker.failures()
    }
}
