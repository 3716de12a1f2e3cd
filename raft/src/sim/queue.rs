//! What will happen in a simulated cluster, by time.

use std::collections::BTreeMap;

/// What will happen; of what is due at the same time, that comes first which was put in first.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    events: BTreeMap<(u64, u64), E>,
    number: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { events: BTreeMap::new(), number: 0 }
    }
}

impl<E> Queue<E> {
    pub(crate) fn put(&mut self, at: u64, event: E) {
        self.number += 1;
        self.events.insert((at, self.number), event);
    }

    pub(crate) fn next_at(&self) -> Option<u64> {
        self.events.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<E> {
        self.events.pop_first().map(|(_, event)| event)
    }

    /// What is to happen, in order.
    pub(crate) fn events(&self) -> impl Iterator<Item = &E> {
        self.events.values()
    }
}
