//! Which request a core works for at the moment, so that every line that is logged meanwhile can name it.
//!
//! A task is polled for a while and then another one is: the request is put in place for each of these turns, and nobody has to
//! carry it to where something is logged.

use std::{
    cell::Cell,
    pin::Pin,
    task::{Context, Poll},
};

use crate::http::request_id::RequestId;

thread_local! {
    static CURRENT: Cell<Option<RequestId>> = const { Cell::new(None) };
}

/// The request that this thread works for, if it works for one.
#[must_use]
pub fn current() -> Option<RequestId> {
    CURRENT.get()
}

/// Does something for a request.
pub fn within<T>(request: RequestId, work: impl FnOnce() -> T) -> T {
    // Put back also when the work panics: the thread goes on with other connections.
    struct Before(Option<RequestId>);
    impl Drop for Before {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }
    let _before = Before(CURRENT.replace(Some(request)));
    work()
}

/// A future whose every turn is for a request.
#[derive(Debug)]
pub struct Within<F> {
    request: RequestId,
    future: F,
}

impl<F> Within<F> {
    /// Puts the request in place whenever the future is polled.
    pub const fn new(request: RequestId, future: F) -> Self {
        Self { request, future }
    }
}

impl<F: Future + Unpin> Future for Within<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let request = self.request;
        within(request, || Pin::new(&mut self.future).poll(context))
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use futures_lite::future::{block_on, poll_once, yield_now};

    use super::*;
    use crate::http::request_id::RequestIds;

    #[test]
    fn turns_of_two_requests_do_not_mix() {
        let mut ids = RequestIds::new(1);
        let (one, two) = (ids.next_id(), ids.next_id());
        let looks = |request| {
            let turns = async {
                let first = current();
                yield_now().await;
                [first, current()]
            };
            Within::new(request, Box::pin(turns))
        };
        block_on(async {
            let (mut first, mut second) = (looks(one), looks(two));
            assert_eq!(poll_once(&mut first).await, None);
            assert_eq!(current(), None, "between two turns nobody is served");
            assert_eq!(poll_once(&mut second).await, None);
            assert_eq!(first.await, [Some(one); 2]);
            assert_eq!(second.await, [Some(two); 2]);
        });
    }

    #[test]
    fn a_panic_leaves_no_request_behind() {
        let request = RequestIds::new(1).next_id();
        let broken = catch_unwind(AssertUnwindSafe(|| within(request, || panic!("on purpose"))));
        assert!(broken.is_err());
        assert_eq!(current(), None);
    }
}
