//! The word that the node is stopping, within one core.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// One core's signal to stop. Clones share it; it is given once and never taken back.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    shared: Rc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    requested: Cell<bool>,
    next_waiter: Cell<u64>,
    waiters: RefCell<BTreeMap<u64, Waker>>,
}

/// Takes a waiter's waker out again, also when the wait is dropped.
struct Waiter<'s> {
    shared: &'s Shared,
    number: u64,
    /// Whom the signal will wake, once that is among the waiters.
    wakes: Option<Waker>,
}

impl Shutdown {
    /// Gives the signal: every wait on this core ends.
    pub fn request(&self) {
        self.shared.requested.set(true);
        let waiters = self.shared.waiters.take();
        waiters.into_values().for_each(Waker::wake);
    }

    /// Whether the signal was given.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.shared.requested.get()
    }

    /// Ends when the signal is given; at once if it was. Dropping it is safe.
    pub async fn wait(&self) {
        let number = self.shared.next_waiter.get();
        self.shared.next_waiter.set(number.wrapping_add(1));
        let mut waiter = Waiter { shared: &self.shared, number, wakes: None };
        poll_fn(|context| waiter.poll(context)).await;
    }
}

impl Waiter<'_> {
    fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        if self.shared.requested.get() {
            return Poll::Ready(());
        }
        // Every connection looks here whenever it is woken, and mostly for something else.
        if !self.wakes.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.wakes = Some(context.waker().clone());
            self.shared.waiters.borrow_mut().insert(self.number, context.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.shared.waiters.borrow_mut().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once, zip};

    use super::*;

    #[test]
    fn every_wait_ends_once_requested() {
        block_on(async {
            let shutdown = Shutdown::default();
            let (first, second) = (shutdown.clone(), shutdown.clone());
            assert!(!shutdown.requested());
            zip(zip(first.wait(), second.wait()), async { shutdown.request() }).await;
            assert!(first.requested());
            shutdown.wait().await;
        });
    }

    #[test]
    fn a_dropped_wait_leaves_nothing_behind() {
        block_on(async {
            let shutdown = Shutdown::default();
            assert_eq!(poll_once(shutdown.wait()).await, None);
            assert!(shutdown.shared.waiters.borrow().is_empty());
        });
    }
}
