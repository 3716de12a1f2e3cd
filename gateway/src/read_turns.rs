//! Turns to read, so that what is read for the clients of a core at the same time has a bound.
//!
//! Whoever wants to read says how much at most, and waits in line; the turn is over when what was read has been used or
//! dropped. A turn must not be kept by a future that may not be polled for long: all others wait for it.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

/// The bytes that a core reads at the same time.
#[derive(Clone, Debug)]
pub(crate) struct ReadTurns {
    line: Rc<Line>,
}

/// Somebody's turn.
#[derive(Debug)]
pub(crate) struct ReadTurn {
    line: Rc<Line>,
    bytes: usize,
}

#[derive(Debug)]
struct Line {
    bytes_max: usize,
    left: Cell<usize>,
    waiting: RefCell<VecDeque<Rc<Waiter>>>,
}

#[derive(Debug)]
struct Waiter {
    bytes: usize,
    state: RefCell<WaiterState>,
}

#[derive(Debug)]
enum WaiterState {
    Waits(Option<Waker>),
    /// It has its turn, which it may not know yet.
    Called,
    /// It waits no longer.
    Left,
}

/// A place in the line, given up when dropped.
struct Place<'l> {
    line: &'l Rc<Line>,
    waiter: Rc<Waiter>,
}

impl ReadTurns {
    /// Turns to read so many bytes at the same time.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { line: Rc::new(Line { bytes_max, left: Cell::new(bytes_max), waiting: RefCell::default() }) }
    }

    /// Waits for a turn to read so many bytes, or as many as are read at the same time at all.
    pub(crate) async fn take(&self, bytes: usize) -> ReadTurn {
        let bytes = bytes.min(self.line.bytes_max);
        if self.line.waiting.borrow().is_empty() && self.line.left.get() >= bytes {
            self.line.left.set(self.line.left.get() - bytes);
            return ReadTurn { line: Rc::clone(&self.line), bytes };
        }
        let waiter = Rc::new(Waiter { bytes, state: RefCell::new(WaiterState::Waits(None)) });
        self.line.waiting.borrow_mut().push_back(Rc::clone(&waiter));
        let place = Place { line: &self.line, waiter };
        poll_fn(|context| place.poll(context.waker())).await;
        place.into_turn()
    }
}

impl Line {
    /// Gives bytes back, and calls as many of those who wait as there is room for: in their order, so that none who wants
    /// much is passed over for ever.
    fn give_back(&self, bytes: usize) {
        self.left.set(self.left.get() + bytes);
        loop {
            let mut waiting = self.waiting.borrow_mut();
            let Some(first) = waiting.front() else { return };
            let has_left = matches!(*first.state.borrow(), WaiterState::Left);
            if !has_left && first.bytes > self.left.get() {
                return;
            }
            let Some(first) = waiting.pop_front() else { return };
            drop(waiting);
            if !has_left {
                self.left.set(self.left.get() - first.bytes);
                if let WaiterState::Waits(Some(waker)) = first.state.replace(WaiterState::Called) {
                    waker.wake();
                }
            }
        }
    }
}

impl Place<'_> {
    fn poll(&self, waker: &Waker) -> Poll<()> {
        let mut state = self.waiter.state.borrow_mut();
        match &mut *state {
            WaiterState::Waits(kept) => {
                *kept = Some(waker.clone());
                Poll::Pending
            }
            WaiterState::Called | WaiterState::Left => Poll::Ready(()),
        }
    }

    fn into_turn(self) -> ReadTurn {
        // Nothing is given back for it any more: the turn does that.
        self.waiter.state.replace(WaiterState::Left);
        ReadTurn { line: Rc::clone(self.line), bytes: self.waiter.bytes }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        match self.waiter.state.replace(WaiterState::Left) {
            WaiterState::Called => self.line.give_back(self.waiter.bytes),
            // Those behind it may have room now.
            WaiterState::Waits(_) => self.line.give_back(0),
            WaiterState::Left => {}
        }
    }
}

impl Drop for ReadTurn {
    fn drop(&mut self) {
        self.line.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::{future::Future, pin::pin};

    use futures_lite::future::{block_on, poll_once};

    use super::*;

    fn now<F: Future<Output = ReadTurn>>(future: F) -> Option<ReadTurn> {
        block_on(poll_once(future))
    }

    #[test]
    fn turns_are_taken_in_order_and_as_there_is_room() {
        let turns = ReadTurns::new(10);
        let first = now(turns.take(8)).unwrap();
        let mut large = pin!(turns.take(9));
        assert!(now(large.as_mut()).is_none());
        assert!(now(turns.take(1)).is_none(), "nobody passes those who wait");
        drop(first);
        let large = now(large.as_mut()).unwrap();
        assert!(now(turns.take(1)).is_some(), "who gave up is passed over");
        drop(large);
        assert!(now(turns.take(10)).is_some());
    }

    #[test]
    fn a_turn_that_nobody_came_for_is_given_to_the_next() {
        let turns = ReadTurns::new(10);
        let first = now(turns.take(10)).unwrap();
        let mut gone = Box::pin(turns.take(10));
        let mut next = pin!(turns.take(10));
        assert!(now(gone.as_mut()).is_none() && now(next.as_mut()).is_none());
        drop(first);
        assert!(now(next.as_mut()).is_none(), "it is the other's turn");
        drop(gone);
        assert!(now(next.as_mut()).is_some());
        assert!(now(turns.take(10)).is_some());
    }

    #[test]
    fn who_wants_more_than_there_is_gets_all_of_it() {
        let turns = ReadTurns::new(10);
        let all = now(turns.take(usize::MAX)).unwrap();
        let mut gone = Box::pin(turns.take(usize::MAX));
        let mut small = pin!(turns.take(1));
        assert!(now(gone.as_mut()).is_none() && now(small.as_mut()).is_none());
        drop(all);
        drop(gone);
        assert!(now(small.as_mut()).is_some());
    }
}
