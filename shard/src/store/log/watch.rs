//! Notes when each operation on the disk began, so that one that never ends is noticed.

use std::{cell::RefCell, rc::Rc, time::Duration};

use shard_core::log::{IoLedger, IoTicket};

use crate::clock::Clock;

/// The operations of one shard's log store.
#[derive(Debug)]
pub(super) struct Watch {
    clock: Clock,
    ledger: RefCell<IoLedger>,
}

/// An operation that is under way while this lives.
#[derive(Debug)]
pub(super) struct Watched {
    watch: Rc<Watch>,
    ticket: IoTicket,
}

impl Watch {
    pub(super) fn new(clock: Clock) -> Rc<Self> {
        Rc::new(Self { clock, ledger: RefCell::default() })
    }

    /// An operation begins.
    pub(super) fn begin(self: &Rc<Self>) -> Watched {
        let ticket = self.ledger.borrow_mut().begin(self.clock.monotonic());
        Watched { watch: Rc::clone(self), ticket }
    }

    /// How long the oldest operation has been under way.
    pub(super) fn oldest_age(&self) -> Duration {
        self.ledger.borrow().oldest_age(self.clock.monotonic())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watch.ledger.borrow_mut().end(&self.ticket);
    }
}
