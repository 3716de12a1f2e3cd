//! The connections of a core: how many there are, and when each one's wait is over.
//!
//! A timer per wait would cost more than the wait. Instead each connection has a slot with its deadline, and one task
//! looks at all of them every tick; setting a deadline is a store.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use crate::{address_counts::AddressHold, coarse_clock::CoarseClock};

/// All connections of one core. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionTable {
    shared: Rc<Shared>,
}

/// One connection's place in the table; free again when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    shared: Rc<Shared>,
    state: Rc<SlotState>,
    index: usize,
    /// Counts the connection for its address.
    address: Option<AddressHold>,
}

#[derive(Debug)]
struct Shared {
    clock: CoarseClock,
    connections_max: usize,
    slots: RefCell<Slots>,
    /// Woken when the first connection opens.
    opened: RefCell<Option<Waker>>,
    /// Woken when the last connection closes.
    emptied: RefCell<Option<Waker>>,
}

#[derive(Debug, Default)]
struct Slots {
    states: Vec<Option<Rc<SlotState>>>,
    free: Vec<usize>,
}

#[derive(Debug, Default)]
struct SlotState {
    deadline: Cell<Option<Instant>>,
    /// The deadline has passed.
    expired: Cell<bool>,
    /// No wait may last any more, whatever the deadline.
    given_up: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl ConnectionTable {
    /// A table for so many connections.
    pub(crate) fn new(connections_max: usize) -> Self {
        Self {
            shared: Rc::new(Shared {
                clock: CoarseClock::new(),
                connections_max,
                slots: RefCell::default(),
                opened: RefCell::default(),
                emptied: RefCell::default(),
            }),
        }
    }

    /// Takes a slot for a new connection; `None` if there are as many as there may be.
    pub(crate) fn open(&self) -> Option<Slot> {
        let shared = &self.shared;
        let open = self.count();
        if open >= shared.connections_max {
            return None;
        }
        if open == 0 {
            // No tick has kept the clock right while there was no connection.
            shared.clock.refresh();
            wake(&shared.opened);
        }
        let state = Rc::new(SlotState::default());
        let mut slots = shared.slots.borrow_mut();
        let index = slots.free.pop().unwrap_or(slots.states.len());
        match slots.states.get_mut(index) {
            Some(place) => *place = Some(Rc::clone(&state)),
            None => slots.states.push(Some(Rc::clone(&state))),
        }
        Some(Slot { shared: Rc::clone(shared), state, index, address: None })
    }

    /// Reads the clock and ends the waits whose deadline has passed.
    pub(crate) fn tick(&self) {
        self.shared.clock.refresh();
        let now = self.shared.clock.now();
        for state in self.shared.slots.borrow().states.iter().flatten() {
            if state.deadline.get().is_some_and(|deadline| deadline <= now) {
                state.deadline.set(None);
                state.expired.set(true);
                wake(&state.waker);
            }
        }
    }

    /// Has every wait look again at what it waits for.
    pub(crate) fn wake_all(&self) {
        self.shared.slots.borrow().states.iter().flatten().for_each(|state| wake(&state.waker));
    }

    /// Ends every wait, for good.
    pub(crate) fn give_up_all(&self) {
        self.shared.slots.borrow().states.iter().flatten().for_each(|state| state.given_up.set(true));
        self.wake_all();
    }

    /// How many connections there are.
    pub(crate) fn count(&self) -> usize {
        let slots = self.shared.slots.borrow();
        slots.states.len() - slots.free.len()
    }

    /// The time as of the last tick.
    pub(crate) fn clock(&self) -> &CoarseClock {
        &self.shared.clock
    }

    /// Ends when there is a connection; one wait at a time.
    pub(crate) async fn opened(&self) {
        poll_fn(|context| wait_until(self.count() > 0, &self.shared.opened, context)).await;
    }

    /// Ends when there is no connection; one wait at a time.
    pub(crate) async fn emptied(&self) {
        poll_fn(|context| wait_until(self.count() == 0, &self.shared.emptied, context)).await;
    }
}

impl Slot {
    /// Has the connection count for its address as long as it lasts.
    pub(crate) fn counted(mut self, address: Option<AddressHold>) -> Self {
        self.address = address;
        self
    }

    /// The time as of the last tick.
    pub(crate) fn now(&self) -> Instant {
        self.shared.clock.now()
    }

    /// Ends waits once `after` has passed from now, at most a tick late; replaces the deadline before.
    pub(crate) fn set_deadline(&self, after: Duration) {
        self.state.expired.set(false);
        self.state.deadline.set(self.shared.clock.now().checked_add(after));
    }

    /// Lets waits last as long as they do.
    pub(crate) fn clear_deadline(&self) {
        self.state.expired.set(false);
        self.state.deadline.set(None);
    }

    /// Ready once the deadline has passed; otherwise the task is woken when it has, and by
    /// [`ConnectionTable::wake_all`].
    pub(crate) fn poll_expired(&self, context: &Context<'_>) -> Poll<()> {
        let is_over = self.state.expired.get() || self.state.given_up.get();
        wait_until(is_over, &self.state.waker, context)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut slots = self.shared.slots.borrow_mut();
        if let Some(place) = slots.states.get_mut(self.index) {
            *place = None;
        }
        slots.free.push(self.index);
        let is_empty = slots.states.len() == slots.free.len();
        drop(slots);
        if is_empty {
            wake(&self.shared.emptied);
        }
    }
}

fn wait_until(done: bool, waker: &RefCell<Option<Waker>>, context: &Context<'_>) -> Poll<()> {
    if done {
        return Poll::Ready(());
    }
    let mut waker = waker.borrow_mut();
    if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
        *waker = Some(context.waker().clone());
    }
    Poll::Pending
}

fn wake(waker: &RefCell<Option<Waker>>) {
    let waker = waker.borrow_mut().take();
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once, zip};

    use super::*;

    async fn is_expired(slot: &Slot) -> bool {
        poll_once(poll_fn(|context| slot.poll_expired(context))).await.is_some()
    }

    #[test]
    fn slots_are_bounded_and_used_again() {
        let table = ConnectionTable::new(2);
        let (one, two) = (table.open().unwrap(), table.open().unwrap());
        assert!(table.open().is_none());
        drop(one);
        let three = table.open().unwrap();
        assert_eq!(table.count(), 2);
        drop((two, three));
        assert_eq!(table.count(), 0);
    }

    #[test]
    fn a_wait_ends_at_the_first_tick_past_its_deadline() {
        block_on(async {
            let table = ConnectionTable::new(2);
            let (due, later) = (table.open().unwrap(), table.open().unwrap());
            due.set_deadline(Duration::ZERO);
            later.set_deadline(Duration::from_hours(1));
            assert!(!is_expired(&due).await);
            table.tick();
            assert!(is_expired(&due).await);
            assert!(!is_expired(&later).await);
        });
    }

    #[test]
    fn a_cleared_deadline_does_not_end_a_wait() {
        block_on(async {
            let table = ConnectionTable::new(1);
            let slot = table.open().unwrap();
            slot.set_deadline(Duration::ZERO);
            slot.clear_deadline();
            table.tick();
            assert!(!is_expired(&slot).await);
        });
    }

    #[test]
    fn a_passed_deadline_is_over_once_a_new_one_is_set() {
        block_on(async {
            let table = ConnectionTable::new(1);
            let slot = table.open().unwrap();
            slot.set_deadline(Duration::ZERO);
            table.tick();
            slot.set_deadline(Duration::from_hours(1));
            assert!(!is_expired(&slot).await);
        });
    }

    #[test]
    fn what_is_given_up_never_waits_again() {
        block_on(async {
            let table = ConnectionTable::new(1);
            let slot = table.open().unwrap();
            table.give_up_all();
            slot.set_deadline(Duration::from_hours(1));
            slot.clear_deadline();
            assert!(is_expired(&slot).await);
        });
    }

    #[test]
    fn the_first_to_open_and_the_last_to_close_are_noticed() {
        block_on(async {
            let table = ConnectionTable::new(2);
            let opening = async { table.open() };
            let ((), slot) = zip(table.opened(), opening).await;
            assert_eq!(poll_once(table.emptied()).await, None);
            zip(table.emptied(), async { drop(slot) }).await;
        });
    }
}
