//! One publishing connection: sends what is due, pairs the answers, and accounts for both.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use crate::account::{Account, Sent};
use crate::clock::Clock;
use crate::limits::HELD_BACK_POLL;
use crate::recorder::Measure;
use crate::schedule::{Arrival, Arrivals};
use crate::targets::{Publisher, StreamIdentity, TargetError};

/// A connection's place in the run; it outlives the connection when that is opened anew.
#[derive(Debug)]
pub struct PublishLane {
    identity: StreamIdentity,
    in_flight_max: usize,
    next_ticket: u64,
    held: Option<Arrival>,
    /// The connection waited for nothing but the time of what it holds.
    idle: bool,
    outstanding: VecDeque<Sent>,
}

impl PublishLane {
    /// A lane that has sent nothing.
    #[must_use]
    pub fn new(identity: StreamIdentity, in_flight_max: usize) -> Self {
        Self { identity, in_flight_max, next_ticket: 0, held: None, idle: false, outstanding: VecDeque::new() }
    }

    /// Sends what the schedule gives it until the run is over and every answer has come. May be dropped at any time;
    /// `give_up` then accounts for the rest.
    ///
    /// # Errors
    ///
    /// When the connection is lost; `abandon` then accounts for what was on it, and the lane may go on with a new one.
    pub async fn run<C: Clock, P: Publisher>(
        &mut self,
        clock: &C,
        publisher: &mut P,
        account: &Account,
        arrivals: &RefCell<Arrivals>,
    ) -> Result<(), TargetError> {
        loop {
            let now = clock.now();
            let has_room = account.has_room(self.outstanding.len());
            if self.held.is_none() && self.outstanding.len() < self.in_flight_max && has_room {
                self.held = arrivals.borrow_mut().take(now);
            }
            match self.held {
                None if self.outstanding.is_empty() && has_room => return Ok(()),
                None if self.outstanding.is_empty() => clock.sleep_until(now + HELD_BACK_POLL).await,
                None => self.receive(clock, publisher, account).await?,
                Some(arrival) if arrival.intended <= now => {
                    self.held = None;
                    if std::mem::take(&mut self.idle) {
                        account.timed(Measure::WakeDelay, arrival.intended, now);
                    }
                    self.send(arrival, now, publisher).await?;
                }
                Some(arrival) if self.outstanding.is_empty() => {
                    self.idle = true;
                    clock.sleep_until(arrival.intended).await;
                }
                Some(arrival) => tokio::select! {
                    biased;
                    received = self.receive(clock, publisher, account) => received?,
                    () = clock.sleep_until(arrival.intended) => {}
                },
            }
        }
    }

    /// The connection broke with this error: whatever waited on it has failed.
    pub fn abandon(&mut self, account: &Account, now: Duration, error: &TargetError) {
        let requests = u64::try_from(self.outstanding.len()).unwrap_or(u64::MAX);
        self.outstanding.clear();
        account.broken(error.code(), now, requests.saturating_mul(self.identity.batch));
    }

    /// The run stopped waiting at `now`: accounts for what was not sent or not answered.
    pub fn give_up(&mut self, account: &Account, now: Duration) {
        if let Some(arrival) = self.held.take() {
            account.unsent(arrival, now);
        }
        for sent in self.outstanding.drain(..) {
            account.unanswered(&sent, now);
        }
    }

    async fn send<P: Publisher>(
        &mut self,
        arrival: Arrival,
        now: Duration,
        publisher: &mut P,
    ) -> Result<(), TargetError> {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        // Entered before it is sent: if sending fails half-way, the request counts as lost.
        self.outstanding.push_back(Sent { ticket, arrival, sent: now });
        publisher.send(ticket, arrival.intended).await
    }

    async fn receive<C: Clock, P: Publisher>(
        &mut self,
        clock: &C,
        publisher: &mut P,
        account: &Account,
    ) -> Result<(), TargetError> {
        let answer = publisher.receive().await?;
        let place = self.outstanding.iter().position(|sent| sent.ticket == answer.ticket);
        let Some(sent) = place.and_then(|place| self.outstanding.remove(place)) else {
            return Err(TargetError::protocol(format!("an answer to request {}, which is not open", answer.ticket)));
        };
        account.published(self.identity, &sent, &answer.outcome, clock.now());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
