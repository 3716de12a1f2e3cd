//! Whether the client of a request is still there.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    task::{Poll, Waker},
};

/// The other end of a connection, as seen while one of its requests is handled.
#[derive(Debug, Default)]
pub struct Peer {
    gone: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
}

impl Peer {
    /// Whether the client has closed its side or the connection broke.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone.get()
    }

    /// Ends when the client is gone: what waits for messages on its behalf should then take none. One wait at a time.
    pub async fn gone(&self) {
        poll_fn(|context| {
            if self.gone.get() {
                return Poll::Ready(());
            }
            *self.waiter.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Says that the client is gone.
    pub(crate) fn set_gone(&self) {
        self.gone.set(true);
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, zip};

    use super::*;

    #[test]
    fn a_wait_ends_when_the_client_goes() {
        let peer = Peer::default();
        assert!(!peer.is_gone());
        block_on(zip(peer.gone(), async { peer.set_gone() }));
        assert!(peer.is_gone());
    }
}
