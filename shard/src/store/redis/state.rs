//! Whether there is a connection, for the requests that wait for one.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use futures_channel::oneshot;
use shard_core::redis::{Failure, FailureKind, Persistence, Remedy};

use super::{connection::Connection, link_counts::LinkCounts};

/// The connection as requests see it.
#[derive(Clone)]
pub(super) struct Current {
    pub(super) connection: Connection,
    /// Which connection it is, so that a failure is not blamed on a later one.
    pub(super) number: u64,
    /// What its server's acknowledgements are worth.
    pub(super) persistence: Persistence,
}

/// What the keeper of the connection and the requests share. No borrow of it outlives a call.
pub(super) struct LinkState {
    phase: RefCell<Phase>,
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
    /// Those of all servers, which number the connections too.
    counts: Rc<LinkCounts>,
}

enum Phase {
    Away {
        /// When the last connection ended, or the first was sought.
        since: Instant,
        /// Why there is none; nothing is known before the first try ended.
        failure: Option<Failure>,
    },
    Up {
        current: Current,
        /// Tells the keeper to give the connection up.
        give_up: Option<oneshot::Sender<Failure>>,
    },
}

/// What a request finds.
pub(super) enum Found {
    Connection(Box<Current>),
    /// None yet: look again after this, at the latest after so long.
    Wait(oneshot::Receiver<()>, Duration),
    /// None, and none is to be expected soon.
    Away(Failure),
}

impl LinkState {
    pub(super) fn new(counts: Rc<LinkCounts>) -> Self {
        counts.on_wanted();
        let away = Phase::Away { since: Instant::now(), failure: None };
        Self { phase: RefCell::new(away), waiting: RefCell::new(Vec::new()), counts }
    }

    /// A connection is there; the receiver is told when a request wants it given up.
    pub(super) fn set_up(&self, connection: Connection, persistence: Persistence) -> oneshot::Receiver<Failure> {
        let (give_up, told) = oneshot::channel();
        self.leave();
        let number = self.counts.on_up();
        let current = Current { connection, number, persistence };
        self.phase.replace(Phase::Up { current, give_up: Some(give_up) });
        self.wake();
        told
    }

    /// There is no connection, for this reason.
    pub(super) fn set_away(&self, failure: Failure) {
        let since = match &*self.phase.borrow() {
            Phase::Away { since, .. } => *since,
            Phase::Up { .. } => Instant::now(),
        };
        self.leave();
        self.phase.replace(Phase::Away { since, failure: Some(failure) });
        self.wake();
    }

    /// Gives up connection `number`: nobody uses it after this call, and all that wait for its answers fail.
    pub(super) fn give_up(&self, number: u64, failure: &Failure) {
        let told = match &mut *self.phase.borrow_mut() {
            Phase::Up { current, give_up } if current.number == number => give_up.take(),
            Phase::Up { .. } | Phase::Away { .. } => None,
        };
        if let Some(told) = told {
            self.set_away(failure.clone());
            drop(told.send(failure.clone()));
        }
    }

    /// Looks for a connection; an outage that has lasted for `patience` is not waited for.
    pub(super) fn find(&self, patience: Duration) -> Found {
        let (since, failure) = match &*self.phase.borrow() {
            Phase::Up { current, .. } => return Found::Connection(Box::new(current.clone())),
            Phase::Away { since, failure } => (*since, failure.clone()),
        };
        let left = patience.saturating_sub(since.elapsed());
        match failure {
            Some(failure) if left.is_zero() || failure.remedy() == Remedy::GiveUp => Found::Away(failure),
            None if left.is_zero() => Found::Away(Failure::new(FailureKind::Unreachable, "not connected yet")),
            Some(_) | None => {
                let (sender, receiver) = oneshot::channel();
                self.waiting.borrow_mut().push(sender);
                Found::Wait(receiver, left)
            }
        }
    }

    /// A connection that there is counts no more.
    fn leave(&self) {
        if self.is_up() {
            self.counts.on_down();
        }
    }

    fn is_up(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Up { .. })
    }

    fn wake(&self) {
        for waiting in self.waiting.take() {
            let _ = waiting.send(());
        }
    }
}

impl Drop for LinkState {
    fn drop(&mut self) {
        self.counts.on_unwanted(self.is_up());
    }
}
