//! The queue of a shard's loop: connection tasks, completions and the mesh put events in, the loop takes them out.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

use crate::limits;

/// A queue within one core; clones share it.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    inner: Rc<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    events: RefCell<VecDeque<T>>,
    receiver: RefCell<Option<Waker>>,
    closed: Cell<bool>,
}

/// Why an event was not taken; it is handed back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OfferError<T> {
    /// The queue holds as many events as it may.
    Full(T),
    /// The loop has ended.
    Closed(T),
}

impl<T> Mailbox<T> {
    pub(crate) fn new() -> Self {
        let inner = Inner { events: RefCell::default(), receiver: RefCell::default(), closed: Cell::new(false) };
        Self { inner: Rc::new(inner) }
    }

    /// Puts in a request, if there is room.
    pub(crate) fn offer(&self, event: T) -> Result<(), OfferError<T>> {
        if self.inner.closed.get() {
            return Err(OfferError::Closed(event));
        }
        if self.len() >= limits::MAILBOX_REQUESTS_MAX {
            return Err(OfferError::Full(event));
        }
        self.push(event);
        Ok(())
    }

    /// Puts in a completion; those are as many as the operations in flight, which are bounded where they start.
    pub(crate) fn push(&self, event: T) {
        self.inner.events.borrow_mut().push_back(event);
        if let Some(receiver) = self.inner.receiver.borrow_mut().take() {
            receiver.wake();
        }
    }

    /// Takes the next event, if there is one.
    pub(crate) fn take(&self) -> Option<T> {
        self.inner.events.borrow_mut().pop_front()
    }

    /// Returns when there is an event to take. Only the loop waits.
    pub(crate) async fn wait(&self) {
        poll_fn(|context| {
            if !self.inner.events.borrow().is_empty() {
                return Poll::Ready(());
            }
            *self.inner.receiver.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Refuses requests from now on.
    pub(crate) fn close(&self) {
        self.inner.closed.set(true);
    }

    /// How many events wait.
    pub(crate) fn len(&self) -> usize {
        self.inner.events.borrow().len()
    }
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        Self { inner: Rc::clone(&self.inner) }
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once};

    use super::*;

    #[test]
    fn events_come_out_in_order() {
        let mailbox = Mailbox::new();
        mailbox.push(1);
        mailbox.offer(2).unwrap();
        assert_eq!((mailbox.take(), mailbox.take(), mailbox.take()), (Some(1), Some(2), None));
    }

    #[test]
    fn an_event_ends_the_wait() {
        let mailbox = Mailbox::new();
        block_on(async {
            let mut wait = Box::pin(mailbox.wait());
            assert_eq!(poll_once(&mut wait).await, None);
            mailbox.push(());
            assert_eq!(poll_once(&mut wait).await, Some(()));
        });
    }

    #[test]
    fn a_full_queue_refuses_requests_but_takes_completions() {
        let mailbox = Mailbox::new();
        for event in 0..limits::MAILBOX_REQUESTS_MAX {
            mailbox.offer(event).unwrap();
        }
        assert_eq!(mailbox.offer(7), Err(OfferError::Full(7)));
        mailbox.push(8);
        assert_eq!(mailbox.len(), limits::MAILBOX_REQUESTS_MAX + 1);
    }

    #[test]
    fn a_closed_queue_refuses_requests() {
        let mailbox = Mailbox::new();
        mailbox.close();
        assert_eq!(mailbox.offer(7), Err(OfferError::Closed(7)));
    }
}
