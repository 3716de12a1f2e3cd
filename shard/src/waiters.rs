//! Who waits at a partition for something new.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use shard_core::model::{Monotonic, Offset};

use crate::{
    limits,
    request::{PartitionUnavailable, ReadError, ReadReply, ReadRequest, Reply},
};

/// A gateway that wants to know when a pull may give something; it may wait at several partitions at once.
pub(crate) type DeliverableWaiter = Rc<RefCell<Option<Reply<(), PartitionUnavailable>>>>;

/// The gateways that wait at one subscription of one partition, the longest waiting first.
#[derive(Debug, Default)]
pub(crate) struct DeliverableWaiters {
    waiting: VecDeque<DeliverableWaiter>,
    purge_at: usize,
}

/// Reads that wait for a record, by deadline.
#[derive(Debug, Default)]
pub(crate) struct WaitingReads {
    reads: BTreeMap<(Monotonic, u64), WaitingRead>,
    next: u64,
}

/// One read that waits.
#[derive(Debug)]
pub(crate) struct WaitingRead {
    pub(crate) from: Offset,
    pub(crate) read: ReadRequest,
    pub(crate) reply: Reply<ReadReply, ReadError>,
}

impl DeliverableWaiters {
    const PURGE_MIN: usize = 64;

    /// Adds one; those that have gone, or were woken elsewhere, are dropped from time to time.
    pub(crate) fn push(&mut self, waiter: DeliverableWaiter) -> Result<(), PartitionUnavailable> {
        if self.waiting.len() >= self.purge_at.max(Self::PURGE_MIN) {
            self.waiting.retain(is_live);
            self.purge_at = self.waiting.len() * 2;
        }
        if self.waiting.len() >= limits::WAITERS_PER_PARTITION_MAX {
            return Err(PartitionUnavailable::Overloaded);
        }
        self.waiting.push_back(waiter);
        Ok(())
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Wakes the one that has waited longest; returns whether there was one.
    pub(crate) fn wake_one(&mut self) -> bool {
        while let Some(waiter) = self.waiting.pop_front() {
            let reply = waiter.borrow_mut().take();
            if reply.is_some_and(|reply| reply.send(Ok(())).is_ok()) {
                return true;
            }
        }
        false
    }

    /// Wakes all.
    pub(crate) fn wake_all(&mut self) {
        while self.wake_one() {}
    }

    /// Tells all that they wait in vain.
    pub(crate) fn refuse(&mut self, error: &PartitionUnavailable) {
        for waiter in self.waiting.drain(..) {
            if let Some(reply) = waiter.borrow_mut().take() {
                let _ = reply.send(Err(error.clone()));
            }
        }
    }
}

impl WaitingReads {
    /// Adds a read that is answered at `deadline` at the latest.
    pub(crate) fn push(&mut self, deadline: Monotonic, read: WaitingRead) {
        if self.reads.len() >= limits::WAITERS_PER_PARTITION_MAX {
            let _ = read.reply.send(Err(PartitionUnavailable::Overloaded.into()));
            return;
        }
        self.next += 1;
        self.reads.insert((deadline, self.next), read);
    }

    /// When the first of them gives up.
    pub(crate) fn next_deadline(&self) -> Option<Monotonic> {
        self.reads.first_key_value().map(|(&(deadline, _), _)| deadline)
    }

    /// Takes one that gives up at `now` or before.
    pub(crate) fn take_due(&mut self, now: Monotonic) -> Option<WaitingRead> {
        self.next_deadline().filter(|&deadline| deadline <= now)?;
        self.reads.pop_first().map(|(_, read)| read)
    }

    /// Takes all of them.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = WaitingRead> + use<> {
        std::mem::take(&mut self.reads).into_values()
    }
}

fn is_live(waiter: &DeliverableWaiter) -> bool {
    waiter.borrow().as_ref().is_some_and(|reply| !reply.is_canceled())
}
